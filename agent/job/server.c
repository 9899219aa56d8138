#include "agent/job/server.h"

#include <stdlib.h>

#include "agent/actions/steps.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/mysql/dialect.h"
#include "backup/manifest.h"

#define COMPONENT "job"
#define SHUTDOWN_SLACK_MS 30000
#define START_PATIENCE_MS 600000
#define START_ATTEMPT_MS 300000
#define START_PAUSE_MS 1000
#define RESUME_WAIT_MS 30000
#define RESUME_PAUSE_MS 200

/* The server's own words: the status has the flavor cut off, and that is what backups are told
 * apart by. */
static struct error *
read_version_text(struct db *db, struct cancel *cancel, char **ret_text)
{
    CLEANUP(freep) char *version = NULL;
    CLEANUP(freep) char *comment = NULL;
    TRY(db_query_text(db, cancel, "SELECT @@global.version", &version));
    TRY(db_query_text(db, cancel, "SELECT @@global.version_comment", &comment));
    *ret_text = manifest_version_text(version != NULL ? version : db_server_version(db),
                                      comment != NULL ? comment : "");
    return NULL;
}

struct error *
server_facts_read(struct db *db, struct cancel *cancel, struct server_facts *ret_facts)
{
    CLEANUP(full_status_done) struct full_status status = {0};
    char *version_text = NULL;
    TRY(full_status_read(db, cancel, &status));
    TRY(read_version_text(db, cancel, &version_text));
    *ret_facts = (struct server_facts){
        .before =
            {
                .was_replicating =
                    status.is_replica && replication_status_is_healthy(&status.replication),
                .was_writable = !status.read_only && !status.super_read_only,
                .semi_sync_primary = status.semi_sync_primary_enabled,
                .semi_sync_replica = status.semi_sync_replica_enabled,
            },
        .is_replica = status.is_replica,
        .server_uuid = xstrdup(status.server_uuid != NULL ? status.server_uuid : ""),
        .version_text = version_text,
        .purged_position = position_text(status.gtid_purged),
    };
    return NULL;
}

void
server_facts_done(struct server_facts *facts)
{
    free(facts->server_uuid);
    free(facts->version_text);
    free(facts->purged_position);
    *facts = (struct server_facts){.server_uuid = NULL};
}

struct error *
server_stop(struct tablet_context *context, struct cancel *cancel, int64_t timeout_ms)
{
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(cancel, timeout_ms + SHUTDOWN_SLACK_MS);
    db_pool_close_idle(context->dba_pool);
    return error_wrap(mysqlctl_shutdown(context->mysqlctl, bounded, true, timeout_ms),
                      "stop mysqld");
}

static struct error *
connect_once(struct tablet_context *context, struct cancel *cancel)
{
    struct db *db = NULL;
    TRY(db_pool_take(context->dba_pool, cancel, &db));
    db_pool_give(context->dba_pool, db);
    return NULL;
}

/* Vitess's supervisor starts a second mysqld when asked to start a running one: so look first. */
static struct error *
start_once(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(cancel, START_ATTEMPT_MS);
    struct error *error = connect_once(context, bounded);
    if (error == NULL)
        return NULL;
    error_free(error);
    TRY(mysqlctl_start(context->mysqlctl, bounded, NULL));
    return connect_once(context, bounded);
}

struct error *
server_start(struct tablet_context *context, struct cancel *cancel)
{
    int64_t end = clock_monotonic_ms() + START_PATIENCE_MS;
    for (;;) {
        struct error *error = start_once(context, cancel);
        if (error == NULL)
            return NULL;
        bool is_over = clock_monotonic_ms() >= end || cancel_is_requested(cancel) ||
                       cancel_is_requested(context->stop);
        if (is_over)
            return error_wrap(error, "start mysqld");
        log_error_take(LOG_LEVEL_WARN, COMPONENT, error, "start mysqld: trying again");
        TRY(cancel_sleep_ms(cancel, START_PAUSE_MS));
    }
}

struct error *
server_upgrade(struct tablet_context *context, struct cancel *cancel, int64_t shutdown_timeout_ms)
{
    static const char *const arguments[] = {"--skip-grant-tables", "--skip-networking", NULL};
    TRY(error_wrap(mysqlctl_start(context->mysqlctl, cancel, arguments),
                   "start mysqld for its upgrade"));
    TRY(error_wrap(mysqlctl_run_upgrade(context->mysqlctl, cancel), "upgrade the server's tables"));
    return server_stop(context, cancel, shutdown_timeout_ms);
}

struct error *
server_put_semi_sync_back(struct db *db, struct cancel *cancel, const struct server_before *before)
{
    enum semi_sync_action action;
    bool was_on = before->semi_sync_primary || before->semi_sync_replica;
    TRY(semi_sync_action_of(db, cancel, was_on, &action));
    return semi_sync_fix(db, cancel, action, before->semi_sync_primary);
}

static struct error *
wait_until_running(struct db *db, struct cancel *cancel)
{
    int64_t end = clock_monotonic_ms() + RESUME_WAIT_MS;
    for (;;) {
        CLEANUP(replication_status_done) struct replication_status status = {0};
        TRY(replication_status_read(db, cancel, &status));
        if (status.io_state == REPLICATION_RUNNING && status.sql_state == REPLICATION_RUNNING)
            return NULL;
        if (clock_monotonic_ms() >= end) {
            const char *reason =
                str_is_empty(status.last_sql_error) ? status.last_io_error : status.last_sql_error;
            return error_new(ERROR_DEADLINE_EXCEEDED, "replication does not run after %d s: %s",
                             RESUME_WAIT_MS / 1000,
                             str_is_empty(reason) ? "the server names no error" : reason);
        }
        TRY(cancel_sleep_ms(cancel, RESUME_PAUSE_MS));
    }
}

struct error *
server_resume_replication(struct tablet_context *context, struct db *db, struct cancel *cancel)
{
    TRY(step_start(context, db, cancel));
    return wait_until_running(db, cancel);
}
