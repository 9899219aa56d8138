/* The tablet: identity, type, term, serving state. The loop's thread owns it; the functions below
 * are the only way in, and say from which thread they may be called. */
#ifndef VTAGENT_TABLET_TABLET_H
#define VTAGENT_TABLET_TABLET_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/loop.h"
#include "agent/base/worker.h"
#include "agent/mysql/db.h"
#include "agent/tmclient/tmclient.h"
#include "agent/topo/records.h"
#include "replication/control.h"

/* Set once at start, before other threads see it; then read-only. */
struct tablet_identity {
    struct tablet_alias alias;
    char alias_text[TABLET_ALIAS_TEXT_MAX];
    char *keyspace, *shard, *database; /* database: db_name_override or vt_<keyspace> */
    char *sidecar;                     /* "_vt" */
    char *hostname, *mysql_hostname;
    int http_port, grpc_port;
    Topodata__TabletType init_type;
    char *tablet_directory; /* $VTDATAROOT/vt_<uid> */
    char *mycnf_path;
    int64_t remote_operation_timeout_ms;
    bool has_active_reparents;
};

/* How backups are stored and made; read-only after start. Job workers get it as arguments. */
struct tablet_backup_settings {
    const char *storage_implementation; /* "" when none is configured */
    const char *file_root, *gcs_bucket, *gcs_root;
    const char *compression; /* "pargzip", "zstd", … or "none" */
    int compression_level;
    int backup_concurrency, restore_concurrency;
    int64_t mysql_shutdown_timeout_ms;
    int64_t storage_timeout_ms; /* of one call to the storage */
    bool restores_at_start, restores_delta;
    int64_t restore_not_after_ns; /* --restore-from-backup-ts; 0: latest */
    const char *quiesce;          /* "auto", "freeze", "stop" */
    const char *prove;            /* of an image: "none", "start", "tables" */
    const char *verify;           /* what is stored is read back: "none", "size", "full" */
    int64_t chunk_bytes, max_memory_bytes, rate_bytes_per_second; /* 0: default; no limit */
    bool allows_corrupt_pages;
};

/* What actions and handlers work with. Pointers live as long as the process. */
struct tablet_context {
    const struct tablet_identity *identity;
    struct tablet *tablet;
    struct loop *loop;
    struct worker *action_worker; /* one thread: the action lock */
    struct worker *job_worker;    /* what jobs do without the action lock: one thread for backups,
                                     one for verifications */
    struct worker *query_worker;  /* read-only calls */
    struct worker *wait_worker;   /* calls that may wait long (WaitForPosition) */
    struct worker *stream_worker; /* callers that follow a job */
    struct job_registry *jobs;    /* agent/job/registry.h */
    struct topo *topo;
    struct tm_client *tm_client;
    struct mysqlctl_client *mysqlctl; /* NULL: no supervisor socket was given */
    struct db_pool *dba_pool;         /* vt_dba */
    struct db_params dba_params, app_params, allprivs_params,
        repl_params; /* repl: user, password */
    /* Called on the loop's thread after each change of type or term (wakes shard-sync, health). */
    void (*on_change)(void *data);
    void *on_change_data;
    const struct config *config; /* agent/config.h; handlers do not look inside */
    const struct tablet_backup_settings *backup;
    struct cancel *stop; /* ends when the process shuts down: parent of every background token */
};

/* A copy of the state. */
struct tablet_snapshot {
    Topodata__TabletType type;
    int64_t term_start_ns; /* primary term; 0 when not primary */
    bool is_serving;
    char reason[256]; /* why it does not serve; how it serves */
    bool is_backup_running;
    bool is_demoting; /* DemotePrimary was done and not undone */
    bool is_disk_stalled;
    int32_t mysql_port;
    int64_t data_as_of_ms; /* clock_monotonic_ms() of a replica's source then; 0: never known */
};
#define TABLET_SENTENCE 320
/* "replica, serving, 0.3 s behind db:3306", "not serving: the disk of the data directory is 97 %
 * full". */
const char *tablet_sentence(const struct tablet_snapshot *snapshot, char text[TABLET_SENTENCE]);
/* Any thread but the pump's (waits for the loop). */
void tablet_get_snapshot(struct tablet *tablet, struct tablet_snapshot *ret_snapshot);

enum tablet_write { TABLET_LEAVE_READ_ONLY, TABLET_SET_READ_WRITE };
/* Changes the type: Vitess's changeType (tablet-manager-rpc 2.0.5). Action thread only. For PRIMARY
 * the record is written first with a new term; then read-write if asked, sidecar tables, serving;
 * then the record is published and shard-sync woken. For other types a failing publish is retried
 * in the background. Then semi-sync is fixed by `action`. */
struct error *tablet_change_type(struct tablet_context *context, struct cancel *cancel,
                                 Topodata__TabletType type, enum tablet_write write,
                                 enum semi_sync_action action) ERROR_MUST_CHECK;
/* Serving on or off without a change of type (DemotePrimary, UndoDemotePrimary). Action thread. */
void tablet_set_demoting(struct tablet_context *context, bool is_demoting);
/* Adopts a type and term that the topology already holds (UndoDemotePrimary on a restarted
 * primary). Action thread. */
struct error *tablet_adopt_primary(struct tablet_context *context, struct cancel *cancel,
                                   int64_t term_start_ns) ERROR_MUST_CHECK;
/* Re-reads Shard and SrvKeyspace, and what follows from them. Action thread. */
struct error *tablet_refresh(struct tablet_context *context,
                             struct cancel *cancel) ERROR_MUST_CHECK;
/* A replica that replicates is lag_seconds behind: how old its data is stays known when that ends.
 * Any thread. */
void tablet_set_lag(struct tablet_context *context, uint32_t lag_seconds);
/* Marks a backup as running, for ReplicationStatus. Action thread. */
void tablet_set_backup_running(struct tablet_context *context, bool is_running);
/* After a restore: not serving before replication has caught up once. Action thread. */
void tablet_must_catch_up(struct tablet_context *context);
/* Asks for a health check now. Any thread. */
void tablet_poke_health(struct tablet_context *context);
/* Somebody asks for the lag: a primary that writes heartbeats on demand does so now. Any thread. */
void tablet_request_heartbeats(struct tablet_context *context);
/* Tags: replaces or merges, publishes, returns the result as a copy of the record. Action thread.
 */
struct error *tablet_change_tags(struct tablet_context *context, struct cancel *cancel,
                                 const struct strv *names, const struct strv *values, bool replaces,
                                 Topodata__Tablet **ret_tablet) ERROR_MUST_CHECK;

#endif
