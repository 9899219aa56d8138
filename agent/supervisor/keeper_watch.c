/* The loop's side: a descriptor that tells of mysqld's end, the restart timer, the status. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/supervisor/keeper_private.h"

static void
stop_watching(struct keeper *keeper)
{
    loop_unwatch(keeper->watch);
    keeper->watch = NULL;
    closep(&keeper->watch_descriptor);
    keeper->watch_descriptor = -1;
}

static void
on_ended(void *data)
{
    struct keeper *keeper = data;
    stop_watching(keeper);
    worker_submit(keeper->actions, keeper_job_ended, keeper);
}

struct watch_request {
    struct keeper *keeper;
    int64_t pid;
    int descriptor;
    const char *socket;
};

static void
apply_watch(void *data)
{
    struct watch_request *request = data;
    struct keeper *keeper = request->keeper;
    stop_watching(keeper);
    keeper->status.pid = request->pid;
    str_replace(&keeper->status.socket, request->socket);
    if (request->descriptor < 0)
        return;
    keeper->watch_descriptor = request->descriptor;
    keeper->watch = loop_watch_readable(keeper->loop, request->descriptor, on_ended, keeper);
}

void
keeper_watch(struct keeper *keeper)
{
    struct watch_request request = {.keeper = keeper,
                                    .pid = keeper->mysqld.pid,
                                    .socket = keeper->mysqld.socket,
                                    .descriptor = -1};
    if (keeper->mysqld.pid != 0)
        request.descriptor = fcntl(keeper->mysqld.pidfd, F_DUPFD_CLOEXEC, 3);
    loop_call(keeper->loop, "watch mysqld", apply_watch, &request);
}

struct exit_report {
    struct keeper *keeper;
    const char *why;
    bool is_restarted;
};

static void
apply_exit(void *data)
{
    const struct exit_report *report = data;
    if (report->why != NULL)
        str_replace(&report->keeper->status.last_exit, report->why);
    if (report->is_restarted)
        report->keeper->status.restarts++;
}

void
keeper_publish_exit(struct keeper *keeper, const char *why, bool is_restarted)
{
    struct exit_report report = {.keeper = keeper, .why = why, .is_restarted = is_restarted};
    loop_call(keeper->loop, "note mysqld's end", apply_exit, &report);
}

void
keeper_on_restart_timer(void *data)
{
    struct keeper *keeper = data;
    worker_submit(keeper->actions, keeper_job_restart, keeper);
}

struct timer_request {
    struct keeper *keeper;
    int64_t delay_ms;
};

static void
apply_timer(void *data)
{
    const struct timer_request *request = data;
    if (request->delay_ms < 0)
        loop_timer_stop(request->keeper->restart_timer);
    else
        loop_timer_start(request->keeper->restart_timer, request->delay_ms);
}

void
keeper_schedule_restart(struct keeper *keeper, int64_t delay_ms)
{
    struct timer_request request = {.keeper = keeper, .delay_ms = delay_ms};
    loop_call(keeper->loop, "schedule mysqld's restart", apply_timer, &request);
}

struct status_request {
    struct keeper *keeper;
    struct keeper_status *target;
};

static void
copy_status(void *data)
{
    const struct status_request *request = data;
    const struct keeper_status *status = &request->keeper->status;
    bool is_booted = atomic_load(&request->keeper->is_booted);
    *request->target = (struct keeper_status){.is_booted = is_booted,
                                              .pid = status->pid,
                                              .restarts = status->restarts,
                                              .last_exit = xstrdup(status->last_exit),
                                              .socket = xstrdup(status->socket)};
}

void
keeper_get_status(struct keeper *keeper, struct keeper_status *ret_status)
{
    struct status_request request = {.keeper = keeper, .target = ret_status};
    loop_call(keeper->loop, "status", copy_status, &request);
}

void
keeper_status_done(struct keeper_status *status)
{
    free(status->last_exit);
    free(status->socket);
    *status = (struct keeper_status){.pid = 0};
}
