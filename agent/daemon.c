#include "agent/daemon.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/daemon_private.h"

#define COMPONENT "agent"
#define EXIT_USAGE 2

/* ---- On the loop ---- */

static void
on_terminate(void *data)
{
    daemon_stop(data, 0, "asked by signal");
}

static void
read_secrets_on_action_thread(void *data)
{
    daemon_read_secrets(data);
}

static void
on_hangup(void *data)
{
    struct daemon *daemon = data;
    worker_submit(daemon->context.action_worker, read_secrets_on_action_thread, daemon);
}

static void
on_loop_started(void *data)
{
    struct daemon *daemon = data;
    health_publisher_start(daemon->publisher, daemon->health);
    health_start(daemon->health);
    heartbeat_start(daemon->heartbeat);
    struct error *error = daemon_listen(daemon);
    if (error != NULL) {
        log_error_take(LOG_LEVEL_ERROR, COMPONENT, error, "cannot start");
        daemon_stop(daemon, 1, "a port is not free");
        return;
    }
    LOG_INFO(COMPONENT, "vtagent %s: tablet '%s' of '%s/%s', HTTP %d, gRPC %d", VTAGENT_VERSION,
             daemon->config->identity.alias_text, daemon->config->identity.keyspace,
             daemon->config->identity.shard, daemon->config->identity.http_port,
             daemon->config->identity.grpc_port);
    daemon_start(daemon);
}

static struct error *
handle_signals(struct daemon *daemon)
{
    struct loop *loop = daemon->context.loop;
    signal(SIGPIPE, SIG_IGN);
    TRY(loop_on_signal(loop, SIGTERM, on_terminate, daemon));
    TRY(loop_on_signal(loop, SIGINT, on_terminate, daemon));
    return loop_on_signal(loop, SIGHUP, on_hangup, daemon);
}

/* ---- Around the loop ---- */

static void
save_memory(void)
{
    mallopt(M_ARENA_MAX, 2); /* one per thread would cost more than it gives */
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

static void
log_ignored(const struct config *config)
{
    if (config->ignored.count == 0)
        return;
    CLEANUP(freep) char *names = strv_join(&config->ignored, ", --");
    LOG_INFO(COMPONENT, "flags without meaning here: --%s", names);
}

static struct error *
write_pid_file(const struct config *config)
{
    if (str_is_empty(config->pid_file))
        return NULL;
    CLEANUP(freep) char *text = xasprintf("%d\n", (int)getpid());
    return error_wrap(file_write_safely(config->pid_file, text, strlen(text), 0644), "--pid-file");
}

static struct error *
run_loop(struct daemon *daemon)
{
    TRY(daemon_create(daemon));
    TRY(handle_signals(daemon));
    TRY(write_pid_file(daemon->config));
    loop_post(daemon->context.loop, COMPONENT, on_loop_started, daemon);
    loop_run(daemon->context.loop);
    if (!str_is_empty(daemon->config->pid_file))
        error_free(file_remove(daemon->config->pid_file));
    return NULL;
}

static int
run(struct config *config)
{
    log_init(config->level, config->format);
    log_set_tablet(config->identity.alias_text);
    log_ignored(config);
    save_memory();
    struct daemon daemon = {
        .config = config, .start_time_ns = clock_wall_ns(), .lock_descriptor = -1};
    atomic_init(&daemon.start_step, "starting");
    struct error *error = daemon_lock(&daemon);
    if (error == NULL) {
        error = run_loop(&daemon);
        daemon_destroy(&daemon);
    }
    if (error == NULL)
        return daemon.exit_code;
    log_error_take(LOG_LEVEL_ERROR, COMPONENT, error, "cannot start");
    return 1;
}

static int
complain(struct error *take_error)
{
    fprintf(stderr, "vtagent tablet: %s\n", take_error->message);
    error_free(take_error);
    return EXIT_USAGE;
}

static int
run_with_config(struct config *config, int argc, char **argv)
{
    struct error *error = config_parse(config, argc, argv);
    if (error != NULL)
        return complain(error);
    if (config->shows_help) {
        config_print_help(stdout);
        return 0;
    }
    if (config->shows_version) {
        printf("vtagent %s\n", VTAGENT_VERSION);
        return 0;
    }
    if (config->prints_config) {
        config_print(config, stdout);
        return 0;
    }
    error = config_finish(config);
    return error != NULL ? complain(error) : run(config);
}

int
tablet_main(int argc, char **argv)
{
    struct config *config = xcalloc(1, sizeof(*config));
    int exit_code = run_with_config(config, argc, argv);
    config_done(config);
    freep(&config);
    return exit_code;
}
