/* The agent's configuration: what `vtagent tablet`'s flags set. Rows in config.c; flags of vttablet
 * that do not apply here are accepted and listed in config_ignored.c. */
#ifndef VTAGENT_CONFIG_H
#define VTAGENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/log.h"
#include "agent/base/option.h"
#include "agent/tablet/tablet.h"

/* One account of the server. The _uname form is the one of 2018's flags. */
struct config_account {
    char *user, *password, *uname;
};

struct config {
    /* tablet */
    char *tablet_path, *init_keyspace, *init_shard, *init_tablet_type, *init_database;
    struct strv init_tags;
    char *tablet_hostname, *tablet_dir;
    bool disable_active_reparents, is_unmanaged;
    int64_t init_timeout_ms;
    /* addresses */
    int64_t port, grpc_port;
    char *bind_address, *grpc_bind_address;
    int64_t grpc_max_message_bytes;
    struct strv service_map;
    /* server */
    char *mycnf_file, *mycnf_socket_file, *mysqlctl_socket, *db_socket, *db_host, *db_charset;
    int64_t db_port, db_connect_timeout_ms;
    struct config_account dba, app, allprivs, repl, filtered, appdebug;
    char *db_credentials_file;
    int64_t mysql_shutdown_timeout_ms;
    /* topology */
    char *topo_implementation, *topo_addresses, *topo_root;
    char *topo_tls_cert, *topo_tls_key, *topo_tls_ca;
    int64_t topo_lease_ttl_seconds;
    int64_t publish_retry_ms, shard_sync_retry_ms;
    /* TLS and credentials of the gRPC and HTTP servers, and of calls to other tablets */
    char *grpc_cert, *grpc_key, *grpc_ca, *grpc_crl;
    char *http_cert, *http_key, *http_ca;
    char *grpc_auth_mode, *grpc_users_file, *grpc_allowed_subjects;
    char *peer_cert, *peer_key, *peer_ca, *peer_crl, *peer_server_name, *grpc_client_creds;
    /* backup */
    char *storage_implementation, *file_backup_root, *compression_engine;
    char *gcs_bucket, *gcs_root;
    bool compresses, restores, shows_help, shows_version, prints_config;
    int64_t compression_level, restore_concurrency, backup_concurrency;
    int64_t wait_for_backup_interval_ms;
    char *restore_timestamp, *backup_quiesce, *backup_prove, *backup_verify;
    int64_t storage_timeout_ms, backup_chunk_bytes, backup_memory_bytes, backup_rate_bytes;
    bool backup_allows_corrupt, restore_delta;
    struct strv restore_engines;
    /* health and times */
    int64_t remote_operation_timeout_ms, health_interval_ms, degraded_ms, unhealthy_ms;
    int64_t lameduck_ms, onterm_timeout_ms, stuck_after_ms;
    char *disk_directory;
    int64_t disk_interval_ms, disk_timeout_ms, disk_reserve_bytes;
    bool writes_heartbeats;
    int64_t heartbeat_interval_ms, heartbeat_lease_ms, health_ttl_ms;
    /* process */
    char *log_level, *log_format, *pid_file, *config_file;

    /* What follows from the above, set by config_finish. */
    struct tablet_identity identity;
    struct db_params dba_params, app_params, allprivs_params, repl_params;
    struct strv tag_names, tag_values; /* sorted by name */
    struct tablet_backup_settings backup;
    enum log_level level;
    enum log_format format;
    bool is_mysql_remote; /* --db-host: mysqld is another machine's */
    struct strv ignored;  /* flags that were given and do nothing */
};

/* Reads flags and environment into an all-zero config. Errors are one sentence each, to be printed
 * with exit code 2. Does not touch disk or network, but for --config-file. */
struct error *config_parse(struct config *config, int argc, char *const *argv) ERROR_MUST_CHECK;
/* Checks the values and works out the rest: identity, server accounts, backup settings. Reads
 * my.cnf and the credentials file if they are there, and asks for the host's name. */
struct error *config_finish(struct config *config) ERROR_MUST_CHECK;
/* Passwords from --db-credentials-file again. */
struct error *config_read_credentials(const struct config *config, struct db_params *dba,
                                      struct db_params *app, struct db_params *allprivs,
                                      struct db_params *repl) ERROR_MUST_CHECK;
void config_done(struct config *config);
void config_print_help(FILE *stream);
void config_print(const struct config *config, FILE *stream);

/* "a:1,b:2" pairs, sorted by name; later ones win. INVALID_ARGUMENT without a colon. */
struct error *config_parse_tags(const struct strv *pairs, struct strv *ret_names,
                                struct strv *ret_values) ERROR_MUST_CHECK;
/* The value of a name in the [mysqld] section of a my.cnf's text; NULL when absent. Caller frees.
 */
char *config_mycnf_value(const char *text, const char *name);
/* "2021-04-29.133050" (UTC) or RFC 3339. */
struct error *config_parse_backup_time(const char *text, int64_t *ret_time_ns) ERROR_MUST_CHECK;

/* config_ignored.c: rows for option_set, appended to ours. */
extern const struct option_row config_ignored_rows[];
extern const size_t config_ignored_count;

#endif
