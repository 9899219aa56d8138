#include "agent/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/mysql/dialect.h"
#include "replication/control.h"

#define COMPONENT "health"
#define PROBE_TIMEOUT_MS 5000

struct health {
    struct health_options options;
    struct worker *worker; /* one thread: a slow probe holds up nothing else */
    /* loop thread */
    struct loop_timer *timer;
    bool is_running, is_stopped, is_wanted_again;
    struct health_view view;
    /* the probing thread */
    struct health_memory memory;
    struct health_restart restart;
    bool was_broken;
    bool knows_server;
};

static void
copy_text(char *target, size_t size, const char *text)
{
    snprintf(target, size, "%s", text != NULL ? text : "");
}

/* ---- The probe, on its thread ---- */

static void
take_status(const struct replication_status *status, struct health_probe *probe)
{
    probe->is_replica = true;
    probe->io_state = status->io_state;
    probe->sql_state = status->sql_state;
    probe->is_lag_unknown = status->is_lag_unknown;
    probe->lag_seconds = status->lag_seconds;
    snprintf(probe->source, sizeof(probe->source), "%s:%d", status->source_host,
             (int)status->source_port);
    const char *problem =
        !str_is_empty(status->last_sql_error) ? status->last_sql_error : status->last_io_error;
    copy_text(probe->replication_error, sizeof(probe->replication_error), problem);
}

static struct error *
probe_server(struct db *db, struct cancel *cancel, struct health_probe *probe)
{
    TRY(server_is_read_only(db, cancel, &probe->is_read_only));
    CLEANUP(replication_status_done) struct replication_status status = {0};
    struct error *error = replication_status_read(db, cancel, &status);
    if (error_is_not_a_replica(error)) {
        error_free(error);
        return NULL;
    }
    TRY(error);
    take_status(&status, probe);
    return NULL;
}

/* The port and dialect, once; the record shows them. */
static struct error *
learn_server(struct health *health, struct db *db, struct cancel *cancel)
{
    struct tablet_context *context = health->options.context;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    int port = snapshot.mysql_port;
    if (port == 0) {
        CLEANUP(freep) char *text = NULL;
        TRY(db_query_text(db, cancel, "SELECT @@global.port", &text));
        port = (int)strtol(text != NULL ? text : "0", NULL, 10);
    }
    tablet_set_server(context, port, db_dialect(db)->flavor == DIALECT_MARIADB);
    tablet_publish_later(context);
    health->knows_server = true;
    return NULL;
}

static struct error *
probe_with_db(struct health *health, struct db *db, struct cancel *cancel,
              struct health_probe *probe)
{
    if (!health->knows_server)
        TRY(learn_server(health, db, cancel));
    return probe_server(db, cancel, probe);
}

static struct error *
probe_once(struct health *health, struct health_probe *probe)
{
    struct tablet_context *context = health->options.context;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(context->stop, PROBE_TIMEOUT_MS);
    struct db *db = NULL;
    TRY(db_pool_take(context->dba_pool, cancel, &db));
    struct error *error = probe_with_db(health, db, cancel, probe);
    db_pool_give(context->dba_pool, db);
    return error;
}

/* ---- Back on the loop ---- */

struct done_call {
    struct health *health;
    struct health_view view;
};

static void
store_view(void *data)
{
    struct done_call *call = data;
    struct health *health = call->health;
    health->view = call->view;
    health->is_running = false;
    if (health->is_stopped)
        return;
    loop_timer_start(health->timer, health->is_wanted_again ? 0 : health->options.interval_ms);
    health->is_wanted_again = false;
}

/* Serving goes on with old data, so this is told apart from it. */
static void
log_replication(struct health *health, const struct health_verdict *verdict)
{
    if (verdict->is_broken && !health->was_broken)
        LOG_WARN(COMPONENT, "%s", verdict->reason);
    if (!verdict->is_broken && health->was_broken)
        LOG_INFO(COMPONENT, "replication is no longer broken: %s", verdict->reason);
    health->was_broken = verdict->is_broken;
}

static void
check_on_thread(void *data)
{
    struct health *health = data;
    struct tablet_context *context = health->options.context;
    struct done_call call = {.health = health, .view = {.checked_at_ns = clock_wall_ns()}};
    struct health_probe *probe = &call.view.probe;
    CLEANUP(error_freep) struct error *error = probe_once(health, probe);
    probe->is_known = true;
    probe->server_answers = error == NULL;
    copy_text(probe->error, sizeof(probe->error), error != NULL ? error->message : "");
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    bool is_catching_up = tablet_is_catching_up(context->tablet);
    call.view.verdict = health_decide(probe, snapshot.type, is_catching_up, &health->options.rules,
                                      clock_monotonic_ms(), &health->memory);
    log_replication(health, &call.view.verdict);
    if (is_catching_up && call.view.verdict.has_caught_up && call.view.verdict.is_serving)
        tablet_set_caught_up(context);
    if (call.view.verdict.is_lag_known && !call.view.verdict.is_broken)
        tablet_set_lag(context, call.view.verdict.lag_seconds);
    tablet_set_health(context, call.view.verdict.is_serving, call.view.verdict.reason);
    if (health_has_restarted(probe, &health->restart))
        health->options.on_restart(health->options.restart_data);
    loop_call(context->loop, "health", store_view, &call);
}

static void
on_timer(void *data)
{
    struct health *health = data;
    if (health->is_stopped)
        return;
    if (health->is_running) {
        health->is_wanted_again = true;
        return;
    }
    health->is_running = true;
    worker_submit(health->worker, check_on_thread, health);
}

struct error *
health_new(const struct health_options *options, struct health **ret_health)
{
    struct worker *worker = NULL;
    TRY(worker_new("health", 1, &worker));
    struct health *health = xcalloc(1, sizeof(*health));
    health->options = *options;
    health->worker = worker;
    *ret_health = health;
    return NULL;
}

void
health_start(struct health *health)
{
    health->timer = loop_timer_new(health->options.context->loop, "health", on_timer, health);
    loop_timer_start(health->timer, 0);
}

void
health_poke(struct health *health)
{
    loop_post(health->options.context->loop, "health", on_timer, health);
}

void
health_get_view(const struct health *health, struct health_view *ret_view)
{
    *ret_view = health->view;
}

void
health_end(struct health *health)
{
    health->is_stopped = true;
    loop_timer_free(health->timer);
    health->timer = NULL;
}

void
health_free(struct health *health)
{
    if (health == NULL)
        return;
    worker_free(health->worker);
    freep(&health);
}
