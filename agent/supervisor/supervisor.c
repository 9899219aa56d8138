#include "agent/supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/trim.h"
#include "agent/base/worker.h"
#include "agent/rpc/rpc.h"
#include "agent/supervisor/keeper.h"
#include "agent/supervisor/process.h"
#include "agent/supervisor/service.h"

#ifndef VTAGENT_VERSION
#define VTAGENT_VERSION "unknown"
#endif

struct supervisor {
    struct supervisor_options options;
    struct layout layout;
    struct server_binary server;
    int lock_descriptor;
    struct loop *loop;
    struct worker *actions, *quick, *closing;
    struct rpc_pump *pump;
    struct keeper *keeper;
    struct service *service;
    /* loop */
    bool is_stopping, is_reap_queued, is_configured;
    int exit_code;
};

/* ---- the end ---- */

static void
close_service(void *data)
{
    struct supervisor *supervisor = data;
    service_stop(supervisor->service);
    supervisor->service = NULL;
    loop_stop(supervisor->loop);
}

/* The service answers until mysqld is down; then a thread of its own waits for running calls, which
 * both workers still serve. */
static void
begin_close(void *data)
{
    struct supervisor *supervisor = data;
    worker_submit(supervisor->closing, close_service, supervisor);
}

static void
set_failed(void *data)
{
    struct supervisor *supervisor = data;
    supervisor->exit_code = 1;
}

static void
job_stop(void *data)
{
    struct supervisor *supervisor = data;
    struct error *error =
        keeper_stop(supervisor->keeper, supervisor->options.shutdown_wait_time_ms);
    if (error != NULL)
        loop_call(supervisor->loop, "failed stop", set_failed, supervisor);
    log_error_take(LOG_LEVEL_ERROR, "supervisor", error, "stop mysqld");
    loop_post(supervisor->loop, "close", begin_close, supervisor);
}

static void
begin_stop(struct supervisor *supervisor)
{
    if (supervisor->is_stopping)
        return;
    supervisor->is_stopping = true;
    keeper_request_stop(supervisor->keeper);
    worker_submit(supervisor->actions, job_stop, supervisor);
}

static void
on_terminate(void *data)
{
    struct supervisor *supervisor = data;
    if (!supervisor->is_stopping)
        LOG_INFO("supervisor", "asked to end: stopping mysqld first");
    begin_stop(supervisor);
}

/* ---- the beginning ---- */

static void
on_boot_failed(void *data)
{
    struct supervisor *supervisor = data;
    supervisor->exit_code = 1;
    begin_stop(supervisor);
}

/* What starting took is not needed any more. */
static void
on_booted(void *data)
{
    (void)data;
    trim_memory();
}

static void
job_boot(void *data)
{
    struct supervisor *supervisor = data;
    struct error *error = keeper_boot(supervisor->keeper);
    if (error == NULL || error_is(error, ERROR_CANCELED)) {
        error_free(error);
        loop_post(supervisor->loop, "booted", on_booted, supervisor);
        return;
    }
    log_error_take(LOG_LEVEL_ERROR, "supervisor", error, "cannot start");
    loop_post(supervisor->loop, "boot failed", on_boot_failed, supervisor);
}

/* ---- children of others, as PID 1 ---- */

static void
clear_reap(void *data)
{
    struct supervisor *supervisor = data;
    supervisor->is_reap_queued = false;
}

static void
job_reap(void *data)
{
    struct supervisor *supervisor = data;
    loop_call(supervisor->loop, "reap", clear_reap, supervisor);
    process_reap_orphans((pid_t)keeper_pid(supervisor->keeper));
}

static void
on_child(void *data)
{
    struct supervisor *supervisor = data;
    if (supervisor->is_reap_queued)
        return;
    supervisor->is_reap_queued = true;
    worker_submit(supervisor->actions, job_reap, supervisor);
}

/* ---- steps of the start ---- */

static void
ignore(void *data)
{
    (void)data;
}

static struct error *
catch_signals(struct supervisor *supervisor)
{
    signal(SIGPIPE, SIG_IGN);
    TRY(loop_on_signal(supervisor->loop, SIGTERM, on_terminate, supervisor));
    TRY(loop_on_signal(supervisor->loop, SIGINT, on_terminate, supervisor));
    TRY(loop_on_signal(supervisor->loop, SIGHUP, ignore, supervisor));
    if (getpid() == 1)
        TRY(loop_on_signal(supervisor->loop, SIGCHLD, on_child, supervisor));
    return NULL;
}

static struct error *
refuse_root(void)
{
    if (geteuid() != 0)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "mysqld does not run as root: start this program as an ordinary user that "
                     "owns VTDATAROOT (for instance with 'setpriv --reuid=mysql --regid=mysql "
                     "--clear-groups')");
}

static char *
absolute(const char *path)
{
    if (str_is_empty(path) || path[0] == '/')
        return xstrdup(path);
    CLEANUP(freep) char *here = getcwd(NULL, 0);
    return here == NULL ? xstrdup(path) : xasprintf("%s/%s", here, path);
}

static struct error *
check_socket_length(const char *path, const char *flag)
{
    if (strlen(path) < 108)
        return NULL;
    return error_new(ERROR_INVALID_ARGUMENT,
                     "'%s' is too long for a socket (at most 107 characters): set --%s or a "
                     "shorter VTDATAROOT",
                     path, flag);
}

static struct error *
lay_out(struct supervisor *supervisor)
{
    const char *given = getenv("VTDATAROOT");
    CLEANUP(freep) char *root = absolute(str_is_empty(given) ? "/vt" : given);
    CLEANUP(freep) char *socket = absolute(supervisor->options.mysql_socket);
    CLEANUP(freep) char *control = absolute(supervisor->options.socket_file);
    layout_init(&supervisor->layout, root, (uint32_t)supervisor->options.tablet_uid,
                supervisor->options.tablet_dir, socket, control);
    TRY(check_socket_length(supervisor->layout.socket, "mysql-socket"));
    TRY(check_socket_length(supervisor->layout.control_socket, "socket-file"));
    return layout_create(&supervisor->layout);
}

/* One supervisor for a folder; the kernel frees the lock when this process ends, however. */
static struct error *
lock_folder(struct supervisor *supervisor)
{
    const char *path = supervisor->layout.lock_file;
    supervisor->lock_descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (supervisor->lock_descriptor < 0)
        return error_from_errno(errno, "open '%s'", path);
    if (flock(supervisor->lock_descriptor, LOCK_EX | LOCK_NB) == 0)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "another supervisor works in '%s': stop it, or choose another --tablet-uid or "
                     "VTDATAROOT",
                     supervisor->layout.directory);
}

static struct error *
write_pid_file(const struct supervisor *supervisor)
{
    const char *path = supervisor->options.pid_file;
    if (str_is_empty(path))
        return NULL;
    char text[32];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    return error_wrap(file_write_safely(path, text, (size_t)length, 0644), "--pid-file");
}

static struct error *
start_parts(struct supervisor *supervisor)
{
    TRY(loop_new(&supervisor->loop));
    TRY(catch_signals(supervisor));
    TRY(worker_new("action", 1, &supervisor->actions));
    TRY(worker_new("quick", 1, &supervisor->quick));
    TRY(worker_new("closing", 1, &supervisor->closing));
    supervisor->keeper = keeper_new(supervisor->loop, supervisor->actions, &supervisor->layout,
                                    &supervisor->server, &supervisor->options);
    TRY(rpc_pump_start(&supervisor->pump));
    return service_start(supervisor->keeper, supervisor->pump, supervisor->actions,
                         supervisor->quick, &supervisor->service);
}

static struct error *
run(struct supervisor *supervisor)
{
    TRY(refuse_root());
    TRY(server_binary_find(&supervisor->server));
    TRY(lay_out(supervisor));
    TRY(lock_folder(supervisor));
    TRY(write_pid_file(supervisor));
    TRY(start_parts(supervisor));
    LOG_INFO("supervisor", "tablet %lld in '%s', serving on '%s'",
             (long long)supervisor->options.tablet_uid, supervisor->layout.directory,
             supervisor->layout.control_socket);
    worker_submit(supervisor->actions, job_boot, supervisor);
    loop_run(supervisor->loop);
    return NULL;
}

static void
finish(struct supervisor *supervisor)
{
    worker_free(supervisor->closing);
    service_stop(supervisor->service);
    worker_free(supervisor->actions);
    worker_free(supervisor->quick);
    if (supervisor->pump != NULL)
        rpc_pump_stop(supervisor->pump);
    keeper_free(supervisor->keeper);
    loop_free(supervisor->loop);
    if (!str_is_empty(supervisor->options.pid_file) && supervisor->lock_descriptor >= 0)
        error_free(file_remove(supervisor->options.pid_file));
    closep(&supervisor->lock_descriptor);
    layout_done(&supervisor->layout);
    server_binary_done(&supervisor->server);
    supervisor_options_done(&supervisor->options);
}

static void
set_up_log(const struct supervisor_options *options, const struct strv *ignored)
{
    enum log_level level = LOG_LEVEL_INFO;
    enum log_format format = LOG_FORMAT_AUTO;
    error_free(log_level_parse(options->log_level, &level));
    error_free(supervisor_options_log_format(options, &format));
    log_init(level, format);
    if (ignored->count == 0)
        return;
    CLEANUP(freep) char *names = strv_join(ignored, ", ");
    LOG_INFO("supervisor", "flags of mysqlctld without effect here: %s", names);
}

/* True when the flags asked only for a text. */
static bool
answer_text_flags(const struct supervisor_options *options)
{
    if (options->wants_help)
        supervisor_options_print_help();
    else if (options->wants_version)
        printf("vtagent %s\n", VTAGENT_VERSION);
    return options->wants_help || options->wants_version;
}

int
supervisor_main(int argc, char **argv)
{
    mallopt(M_ARENA_MAX, 2);
    struct supervisor supervisor = {.lock_descriptor = -1};
    CLEANUP(strv_done) struct strv ignored = {.items = NULL};
    struct error *error = supervisor_options_parse(argc, argv, &supervisor.options, &ignored);
    if (error == NULL && answer_text_flags(&supervisor.options)) {
        supervisor_options_done(&supervisor.options);
        return 0;
    }
    if (error == NULL) {
        supervisor.is_configured = true;
        set_up_log(&supervisor.options, &ignored);
        error = run(&supervisor);
    }
    if (error != NULL)
        supervisor.exit_code = supervisor.is_configured ? 1 : 2;
    log_error_take(LOG_LEVEL_ERROR, "supervisor", error, "vtagent mysqld");
    finish(&supervisor);
    return supervisor.exit_code;
}
