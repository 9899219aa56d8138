/* The clean stop: say so, stop taking calls, take our address out of the topology, end. A thread
 * makes sure that it ends, whatever hangs. */
#include <stdio.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/daemon_private.h"
#include "agent/handlers/handlers.h"
#include "agent/job/registry.h"

#define COMPONENT "stop"
#define UNPUBLISH_TIMEOUT_MS 3000

/* The last resort: a mount or a server that hangs must not keep the process. */
static void
end_by_force(void *data)
{
    struct daemon *daemon = data;
    const struct config *config = daemon->config;
    error_free(cancel_sleep_ms(NULL, config->onterm_timeout_ms + config->lameduck_ms));
    LOG_WARN(COMPONENT, "the clean stop took longer than --onterm-timeout: ending without it");
    _exit(daemon->exit_code);
}

static void
end_loop(void *data)
{
    struct daemon *daemon = data;
    health_end(daemon->health);
    health_publisher_end(daemon->publisher);
    heartbeat_end(daemon->heartbeat);
    shard_sync_stop(daemon->shard_sync);
    tablet_stop_publishing(daemon->context.tablet);
    lookout_end(daemon->lookout);
    http_stop(daemon->http);
    daemon->http = NULL;
    loop_timer_free(daemon->lameduck_timer);
    loop_timer_free(daemon->source_timer);
    daemon->source_timer = daemon->lameduck_timer = NULL;
    loop_stop(daemon->context.loop);
}

/* A job that ends puts mysqld and the type back: before our address is taken out, and while its
 * followers still hear of it. */
static void
await_jobs(struct daemon *daemon)
{
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(NULL, daemon->config->onterm_timeout_ms / 2);
    if (job_registry_drain(daemon->context.jobs, cancel) > 0)
        LOG_WARN(COMPONENT, "a job did not end in time: the next start answers it");
}

static void
stop_on_worker(void *data)
{
    struct daemon *daemon = data;
    struct tablet_context *context = &daemon->context;
    cancel_request(context->stop); /* the start, jobs and background work end */
    stream_health_stop(handlers_streams(daemon->methods));
    await_jobs(daemon);
    if (daemon->server != NULL)
        rpc_server_stop(daemon->server, daemon->config->onterm_timeout_ms / 4);
    daemon->server = NULL;
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, UNPUBLISH_TIMEOUT_MS);
    log_error_take(LOG_LEVEL_WARN, COMPONENT, tablet_unpublish(context, cancel),
                   "others learn from their health checks that we are gone");
    health_publisher_stop(daemon->publisher);
    loop_post(context->loop, COMPONENT, end_loop, daemon);
}

static void
on_lameduck_over(void *data)
{
    struct daemon *daemon = data;
    worker_submit(daemon->stop_worker, stop_on_worker, daemon);
}

void
daemon_stop(struct daemon *daemon, int exit_code, const char *why)
{
    if (daemon->is_stopping)
        return;
    daemon->is_stopping = true;
    daemon->exit_code = exit_code;
    LOG_INFO(COMPONENT, "stopping: %s", why);
    struct worker *watchdog = NULL;
    struct error *error = worker_new("watchdog", 1, &watchdog);
    if (error == NULL)
        worker_submit(watchdog, end_by_force, daemon); /* never joined: it ends with the process */
    error_free(error);
    error_free(tablet_walk(&daemon->context, EVENT_STOP, TOPODATA__TABLET_TYPE__UNKNOWN, 0));
    daemon->lameduck_timer =
        loop_timer_new(daemon->context.loop, COMPONENT, on_lameduck_over, daemon);
    loop_timer_start(daemon->lameduck_timer, daemon->config->lameduck_ms);
}

struct stop_request {
    struct daemon *daemon;
    int exit_code;
    const char *why;
};

static void
stop_on_loop(void *data)
{
    struct stop_request *request = data;
    daemon_stop(request->daemon, request->exit_code, request->why);
    freep(&request);
}

void
daemon_request_stop(struct daemon *daemon, int exit_code, const char *why)
{
    struct stop_request *request = xcalloc(1, sizeof(*request));
    *request = (struct stop_request){daemon, exit_code, why};
    loop_post(daemon->context.loop, COMPONENT, stop_on_loop, request);
}
