/* The start's steps that need mysqld or the backup storage. */
#include <string.h>

#include "agent/actions/actions.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/daemon_private.h"
#include "agent/job/job.h"

#define COMPONENT "start"
#define RESTORE_MARKER "restore_in_progress"
#define FENCE_TIMEOUT_MS 10000

static bool
has_marker(const struct daemon *daemon)
{
    CLEANUP(freep)
    char *marker = xasprintf("%s/" RESTORE_MARKER, daemon->context.identity->tablet_directory);
    return file_exists(marker);
}

struct error *
start_check_storage(struct daemon *daemon, struct cancel *cancel)
{
    const struct tablet_backup_settings *settings = &daemon->config->backup;
    if (str_is_empty(settings->storage_implementation))
        return NULL;
    struct error *error = job_open_storage(&daemon->context, !settings->restores_at_start, cancel);
    if (error == NULL || cancel_is_requested(daemon->context.stop))
        return error;
    /* One that hangs may come back; the data here, if there is any, needs none. */
    bool may_return =
        error_is(error, ERROR_UNAVAILABLE) || error_is(error, ERROR_DEADLINE_EXCEEDED);
    if (settings->restores_at_start && !may_return)
        return error_wrap(error, "--restore-from-backup");
    log_error_take(LOG_LEVEL_WARN, COMPONENT, error,
                   "backups will be refused until this is repaired");
    return NULL;
}

struct error *
start_recover_job(struct daemon *daemon, struct cancel *cancel)
{
    return job_recover(&daemon->context, cancel);
}

/* ---- mysqld: there, and not writable unless it is the primary's ---- */

static struct error *
fence_with_db(struct daemon *daemon, struct db *db, struct cancel *cancel)
{
    bool is_read_only = false;
    TRY(server_is_read_only(db, cancel, &is_read_only));
    if (daemon->is_primary || is_read_only || !daemon->context.identity->has_active_reparents)
        return NULL;
    LOG_WARN(COMPONENT, "the server of a tablet that is not primary was writable: it is made "
                        "read-only");
    CLEANUP(cancel_unrefp) struct cancel *token = cancel_new_child(cancel, FENCE_TIMEOUT_MS);
    return error_wrap(replication_fence(db, &daemon->context.dba_params, true, token),
                      "make it read-only");
}

/* The supervisor answers only when a new server has its accounts: before that, read-only would stop
 * their creation. */
static struct error *
ask_supervisor(struct daemon *daemon, struct cancel *cancel)
{
    if (daemon->context.mysqlctl == NULL)
        return NULL;
    CLEANUP(freep) char *version = NULL;
    return error_wrap(mysqlctl_version(daemon->context.mysqlctl, cancel, &version),
                      "ask the supervisor at --mysqlctl-socket");
}

struct error *
start_await_server(struct daemon *daemon, struct cancel *cancel)
{
    if (daemon->config->restores && has_marker(daemon))
        return NULL; /* it stays down until it is restored */
    TRY(ask_supervisor(daemon, cancel));
    struct db *db = NULL;
    TRY(db_pool_take(daemon->context.dba_pool, cancel, &db));
    struct error *error = fence_with_db(daemon, db, cancel);
    db_pool_give(daemon->context.dba_pool, db);
    return error;
}

/* Before the tablet is registered: a server that is up shall be fenced, but one that is down must
 * not keep the tablet out of the topology. */
struct error *
start_try_server(struct daemon *daemon, struct cancel *cancel)
{
    error_free(start_await_server(daemon, cancel));
    return cancel_check(daemon->context.stop);
}

/* ---- Restore ---- */

static struct error *
has_database(struct daemon *daemon, struct cancel *cancel, bool *ret_has)
{
    const char *database = daemon->context.identity->database;
    CLEANUP(freep) char *quoted = db_quote(database, strlen(database));
    CLEANUP(freep)
    char *sql =
        xasprintf("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", quoted);
    CLEANUP(freep) char *found = NULL;
    struct db *db = NULL;
    TRY(db_pool_take(daemon->context.dba_pool, cancel, &db));
    struct error *error = db_query_text(db, cancel, sql, &found);
    db_pool_give(daemon->context.dba_pool, db);
    *ret_has = found != NULL;
    return error;
}

static struct error *
wants_restore(struct daemon *daemon, struct cancel *cancel, bool *ret_wants)
{
    *ret_wants = false;
    if (!daemon->config->restores && has_marker(daemon))
        LOG_ERROR(COMPONENT, "the file " RESTORE_MARKER " in the tablet's folder shows an "
                             "unfinished restore: start with --restore-from-backup");
    if (!daemon->config->restores || daemon->is_primary)
        return NULL;
    bool has_it = false;
    if (!has_marker(daemon))
        TRY(has_database(daemon, cancel, &has_it));
    *ret_wants = !has_it;
    return NULL;
}

static struct error *
set_out_of_service(struct daemon *daemon, struct cancel *cancel, bool is_out)
{
    Topodata__TabletType type =
        is_out ? TOPODATA__TABLET_TYPE__RESTORE : daemon->context.identity->init_type;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(daemon->context.tablet, &snapshot);
    if ((snapshot.type == TOPODATA__TABLET_TYPE__RESTORE) == is_out)
        return NULL;
    return tablet_change_type(&daemon->context, cancel, type, TABLET_LEAVE_READ_ONLY,
                              SEMI_SYNC_NONE);
}

/* The start itself ends by the token that is the job's parent. */
static struct error *
restore_as_job(struct daemon *daemon)
{
    struct restore_request request = {.backup_time_ns =
                                          daemon->config->backup.restore_not_after_ns};
    CLEANUP(freep) char *parameters = job_restore_parameters(&request);
    struct job *job = NULL;
    TRY(job_begin(daemon->context.jobs, JOB_RESTORE, parameters, &job));
    struct error *error = job_restore(&daemon->context, job, &request);
    job_end(job, error);
    return error;
}

/* An empty tablet must not look like a replica while it waits for a backup. */
static struct error *
restore_out_of_service(struct daemon *daemon, struct cancel *cancel)
{
    TRY(set_out_of_service(daemon, cancel, true));
    struct error *error = restore_as_job(daemon);
    if (error != NULL)
        error = error_first(error, set_out_of_service(daemon, cancel, true));
    return error;
}

struct error *
start_restore(struct daemon *daemon, struct cancel *cancel)
{
    bool wants = false;
    TRY(wants_restore(daemon, cancel, &wants));
    if (!wants)
        return set_out_of_service(daemon, cancel, false);
    LOG_INFO(COMPONENT, "the server is empty: looking for a backup to restore");
    struct error *error = restore_out_of_service(daemon, cancel);
    bool may_be_empty = daemon->config->wait_for_backup_interval_ms == 0 && !has_marker(daemon);
    if (!error_is(error, ERROR_NOT_FOUND) || !may_be_empty)
        return error;
    log_error_take(LOG_LEVEL_INFO, COMPONENT, error, "the tablet starts empty");
    return set_out_of_service(daemon, cancel, false);
}

/* ---- Replication ---- */

struct error *
start_replication(struct daemon *daemon, struct cancel *cancel)
{
    struct tablet_context *context = &daemon->context;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    if (!context->identity->has_active_reparents || !tablet_type_is_replica(snapshot.type))
        return NULL;
    bool follows = false;
    TRY(action_initialize_replication(context, cancel, &follows));
    atomic_store(&daemon->awaits_primary, !follows);
    if (!follows)
        LOG_INFO(COMPONENT, "the shard has no primary to follow yet");
    return NULL;
}
