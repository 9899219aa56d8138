/* What a server says about its replication, in Vitess's terms (replicationdata.Status,
 * PrimaryStatus, FullStatus). Blocking; takes a connection; no protobuf here. */
#ifndef VTAGENT_REPLICATION_STATUS_H
#define VTAGENT_REPLICATION_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/mysql/db.h"
#include "replication/gtid.h"

enum replication_state {
    REPLICATION_UNKNOWN,
    REPLICATION_STOPPED,
    REPLICATION_CONNECTING,
    REPLICATION_RUNNING
};

/* Numbers and texts as replicationdata.Status wants them. Strings owned, never NULL after a read.
 */
struct replication_status {
    struct position *position;           /* executed */
    struct position *relay_log_position; /* executed and retrieved */
    char *file_position, *relay_log_source_binlog_equivalent_position, *relay_log_file_position;
    char *source_host, *source_user, *source_uuid, *last_io_error, *last_sql_error;
    int32_t source_port, connect_retry;
    uint32_t source_server_id, lag_seconds, sql_delay;
    enum replication_state io_state, sql_state;
    bool is_lag_unknown, has_auto_position, is_using_gtid, has_filters, is_ssl_allowed;
};
void replication_status_done(struct replication_status *status);
bool replication_status_io_is_healthy(const struct replication_status *status);
bool replication_status_is_healthy(const struct replication_status *status);

/* Not a replica: the error "no replication status (errno 100) (sqlstate HY000)", code UNKNOWN,
 * mysql_errno 100 (callers parse it: PRS and ERS know a non-replica only by that). */
struct error *replication_status_read(struct db *db, struct cancel *cancel,
                                      struct replication_status *ret_status) ERROR_MUST_CHECK;
bool error_is_not_a_replica(const struct error *error);

struct primary_status {
    struct position *position; /* executed set of this server */
    char *file_position;       /* "FilePos/binlog.000002:157"; "" without a binary log */
    char *server_uuid;         /* MariaDB: a stable UUID made from server_uid */
};
void primary_status_done(struct primary_status *status);
struct error *primary_status_read(struct db *db, struct cancel *cancel,
                                  struct primary_status *ret_status) ERROR_MUST_CHECK;

struct error *executed_position_read(struct db *db, struct cancel *cancel,
                                     struct position **ret_position) ERROR_MUST_CHECK;
struct error *server_uuid_read(struct db *db, struct cancel *cancel,
                               char **ret_uuid) ERROR_MUST_CHECK;

/* Everything FullStatus reports but the tablet's own fields, in as few rounds as possible. */
struct full_status {
    uint32_t server_id;
    char *server_uuid, *version, *version_comment, *gtid_mode, *binlog_format, *binlog_row_image;
    bool is_replica;
    struct replication_status replication; /* if is_replica */
    bool has_primary_status;
    struct primary_status primary;
    struct position *gtid_purged;
    bool read_only, super_read_only, log_bin_enabled, log_replica_updates;
    bool semi_sync_primary_enabled, semi_sync_replica_enabled;
    bool semi_sync_primary_status, semi_sync_replica_status;
    uint32_t semi_sync_primary_clients, semi_sync_wait_for_replica_count, semi_sync_wait_sessions;
    uint64_t semi_sync_primary_timeout;
    bool has_configuration;
    double heartbeat_interval;
    int32_t replica_net_timeout;
};
void full_status_done(struct full_status *status);
struct error *full_status_read(struct db *db, struct cancel *cancel,
                               struct full_status *ret_status) ERROR_MUST_CHECK;

#endif
