/* The start, as one job on the action thread: whoever changes the tablet waits behind it, while
 * Ping, FullStatus and the pages answer from the first moment. No step waits for ever without
 * saying for what, and SIGTERM ends each. */

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/trim.h"
#include "agent/daemon_private.h"
#include "replication/status.h"

#define COMPONENT "start"
#define FIRST_PAUSE_MS 500
#define SOURCE_RETRY_MS 10000
#define PATIENCE_MS 60000

static const struct start_step steps[] = {
    {"checking the backup storage", start_check_storage, 10000, 10000, true, false},
    {"answering an unfinished job", start_recover_job, 0, 10000, false, false},
    {"asking the topology for our record", start_check_record, 30000, 5000, true, true},
    {"asking the topology for the shard", start_take_shard, 30000, 5000, false, true},
    {"asking the topology for our role", start_take_role, 30000, 5000, false, true},
    {"looking for mysqld", start_try_server, 10000, 0, false, false},
    {"registering the tablet", start_register, 30000, 5000, true, true},
    {"waiting for mysqld", start_await_server, 30000, 2000, false, false},
    {"restoring from backup", start_restore, 0, 60000, false, false},
};

static int64_t
longest_pause(const struct daemon *daemon, const struct start_step *step)
{
    int64_t backup_wait_ms = daemon->config->wait_for_backup_interval_ms;
    bool waits_for_backup = step->function == start_restore && backup_wait_ms > 0;
    return waits_for_backup ? backup_wait_ms : step->longest_pause_ms;
}

/* One step's attempts. */
struct attempts {
    char *last_text; /* of the last error */
    int64_t began_ms;
    bool has_complained;
};

/* Logs an error when it is news, and once more, as something to act on, after a minute. */
static void
report_attempt(struct attempts *attempts, const struct start_step *step, const struct error *error)
{
    if (!str_equal(attempts->last_text, error->message))
        LOG_WARN(COMPONENT, "%s: %s; trying again", step->name, error->message);
    str_replace(&attempts->last_text, error->message);
    if (attempts->has_complained || clock_monotonic_ms() - attempts->began_ms < PATIENCE_MS)
        return;
    attempts->has_complained = true;
    LOG_ERROR(COMPONENT, "not started: still %s: %s", step->name, error->message);
}

/* Errors that end the process. */
static struct error *
check_hopeless(const struct daemon *daemon, const struct start_step *step,
               const struct error *error)
{
    int64_t limit_ms = daemon->config->init_timeout_ms;
    int64_t spent_ms = (clock_wall_ns() - daemon->start_time_ns) / 1000000;
    if (step->is_fatal && error_is(error, ERROR_FAILED_PRECONDITION))
        return error_copy(error);
    if (step->is_limited && limit_ms > 0 && spent_ms >= limit_ms)
        return error_wrap(error_copy(error), "not registered within --init-timeout");
    return NULL;
}

static struct error *
try_step(struct daemon *daemon, const struct start_step *step)
{
    int64_t limit_ms = step->attempt_ms != 0 ? step->attempt_ms : INT64_MAX;
    int64_t most_ms = daemon->config->init_timeout_ms;
    if (step->is_limited && most_ms > 0 && most_ms < limit_ms)
        limit_ms = most_ms;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(daemon->context.stop, limit_ms);
    return step->function(daemon, cancel);
}

/* Tries until it works, or until it is hopeless. */
static struct error *
repeat_step(struct daemon *daemon, const struct start_step *step, struct attempts *attempts)
{
    struct cancel *stop = daemon->context.stop;
    int64_t pause_ms = FIRST_PAUSE_MS, most_ms = longest_pause(daemon, step);
    for (;;) {
        TRY(cancel_check(stop));
        CLEANUP(error_freep) struct error *error = try_step(daemon, step);
        if (error == NULL)
            return NULL;
        TRY(cancel_check(stop));
        TRY(check_hopeless(daemon, step, error));
        report_attempt(attempts, step, error);
        TRY(cancel_sleep_ms(stop, pause_ms));
        pause_ms = pause_ms * 2 < most_ms ? pause_ms * 2 : most_ms;
    }
}

static struct error *
run_step(struct daemon *daemon, const struct start_step *step)
{
    struct attempts attempts = {.began_ms = clock_monotonic_ms()};
    atomic_store(&daemon->start_step, step->name);
    struct error *error = repeat_step(daemon, step, &attempts);
    freep(&attempts.last_text);
    return error;
}

/* ---- Replication: tried under the lock once, then again without holding up reparents ---- */

static void try_replication(void *data);

static void
on_source_timer(void *data)
{
    struct daemon *daemon = data;
    if (!daemon->is_stopping)
        worker_submit(daemon->context.action_worker, try_replication, daemon);
}

static void
start_source_timer(void *data)
{
    struct daemon *daemon = data;
    if (daemon->is_stopping)
        return;
    if (daemon->source_timer == NULL)
        daemon->source_timer =
            loop_timer_new(daemon->context.loop, COMPONENT, on_source_timer, daemon);
    loop_timer_start(daemon->source_timer, SOURCE_RETRY_MS);
}

/* Somebody else (a reparent, vtorc) may have given the server a source meanwhile, and started it.
 */
static bool
has_source(struct daemon *daemon, struct cancel *cancel, bool *ret_runs)
{
    struct db *db = NULL;
    CLEANUP(error_freep)
    struct error *error = db_pool_take(daemon->context.dba_pool, cancel, &db);
    if (error != NULL)
        return false;
    CLEANUP(replication_status_done) struct replication_status status = {0};
    error = replication_status_read(db, cancel, &status);
    db_pool_give(daemon->context.dba_pool, db);
    *ret_runs = error == NULL && status.sql_state == REPLICATION_RUNNING &&
                status.io_state != REPLICATION_STOPPED;
    return error == NULL;
}

static void
attempt_replication(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    /* A primary that is gone does not answer: an emergency reparent, which waits as long as one
     * remote operation, must find the tablet free. */
    CLEANUP(cancel_unrefp)
    struct cancel *cancel =
        cancel_new_child(context->stop, context->identity->remote_operation_timeout_ms / 2);
    struct error *error = start_replication(daemon, cancel);
    if (error == NULL)
        return;
    enum log_level level =
        error_is(error, ERROR_FAILED_PRECONDITION) ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
    log_error_take(level, COMPONENT, error, "replication is not set up; trying again");
    loop_call(context->loop, COMPONENT, start_source_timer, daemon);
}

static void
try_replication(void *data)
{
    struct daemon *daemon = data;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(daemon->context.stop,
                                             daemon->context.identity->remote_operation_timeout_ms);
    bool runs = false;
    if (!cancel_is_requested(cancel) && !has_source(daemon, cancel, &runs))
        attempt_replication(daemon);
}

/* A backup, a restore or a reparent that went before under the same lock has left things as they
 * should be. */
static void
replicate_again(void *data)
{
    struct daemon *daemon = data;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(daemon->context.stop,
                                             daemon->context.identity->remote_operation_timeout_ms);
    bool runs = false;
    if (cancel_is_requested(cancel) || !has_source(daemon, cancel, &runs) || runs)
        return;
    LOG_INFO(COMPONENT, "mysqld was started anew: replication is started again");
    attempt_replication(daemon);
}

void
daemon_on_server_restart(void *data)
{
    struct daemon *daemon = data;
    worker_submit(daemon->context.action_worker, replicate_again, daemon);
}

/* ---- All together ---- */

static void
finish_start(struct daemon *daemon)
{
    atomic_store(&daemon->start_step, NULL);
    trim_memory(); /* what the start needed is not needed again */
    health_poke(daemon->health);
    LOG_INFO(COMPONENT, "the tablet is up after %lld ms",
             (long long)((clock_wall_ns() - daemon->start_time_ns) / 1000000));
}

static void
start_on_action_thread(void *data)
{
    struct daemon *daemon = data;
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        CLEANUP(error_freep)
        struct error *error = run_step(daemon, &steps[i]);
        if (error == NULL)
            continue;
        if (cancel_is_requested(daemon->context.stop))
            return;
        LOG_ERROR(COMPONENT, "%s: %s", steps[i].name, error->message);
        daemon_request_stop(daemon, 1, "the tablet cannot start");
        return;
    }
    atomic_store(&daemon->start_step, "setting up replication");
    attempt_replication(daemon);
    finish_start(daemon);
}

void
daemon_start(struct daemon *daemon)
{
    worker_submit(daemon->context.action_worker, start_on_action_thread, daemon);
}
