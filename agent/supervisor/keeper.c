#include "agent/supervisor/keeper.h"

#include <stdlib.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/supervisor/image_store.h"
#include "agent/supervisor/initialise.h"
#include "agent/supervisor/keeper_private.h"
#include "agent/supervisor/mycnf.h"
#include "agent/supervisor/vacancy.h"

#define UPGRADE_OUTPUT_BYTES (64 * 1024)

struct keeper *
keeper_new(struct loop *loop, struct worker *actions, const struct layout *layout,
           const struct server_binary *server, const struct supervisor_options *options)
{
    struct keeper *keeper = xcalloc(1, sizeof(*keeper));
    *keeper = (struct keeper){.loop = loop,
                              .actions = actions,
                              .layout = layout,
                              .server = server,
                              .options = options,
                              .stopping = cancel_new(INT64_MAX),
                              .watch_descriptor = -1};
    mysqld_init(&keeper->mysqld, layout, server, options->dba_user, options->dba_password);
    keeper->restart_timer = loop_timer_new(loop, "restart mysqld", keeper_on_restart_timer, keeper);
    keeper->status.last_exit = xstrdup("");
    keeper->status.socket = xstrdup(layout->socket);
    return keeper;
}

void
keeper_free(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    loop_unwatch(keeper->watch);
    closep(&keeper->watch_descriptor);
    loop_timer_free(keeper->restart_timer);
    mysqld_done(&keeper->mysqld);
    keeper_status_done(&keeper->status);
    free(keeper->freeze_problem);
    cancel_unref(keeper->stopping);
    free(keeper);
}

void
keeper_request_stop(struct keeper *keeper)
{
    cancel_request(keeper->stopping);
}

/* Finds a server that somebody else started, so that we never start a second one. */
static void
adopt(struct keeper *keeper)
{
    if (keeper->mysqld.pid != 0)
        return;
    mysqld_adopt(&keeper->mysqld);
    if (keeper->mysqld.pid == 0)
        return;
    LOG_INFO("mysqld", "adopted the running mysqld (pid %d)", (int)keeper->mysqld.pid);
    keeper_watch(keeper);
}

/* Notes a death that the wait found. */
static struct error *
wait_ready(struct keeper *keeper, int64_t timeout_ms)
{
    struct error *error = mysqld_wait_ready(&keeper->mysqld, keeper->stopping, timeout_ms);
    if (keeper->mysqld.pid == 0)
        keeper_watch(keeper);
    if (error == NULL)
        LOG_INFO("mysqld", "mysqld %s (pid %d) answers on '%s' after %lld ms",
                 keeper->server->version, (int)keeper->mysqld.pid, keeper->mysqld.socket,
                 (long long)(clock_monotonic_ms() - keeper->mysqld.started_ms));
    return error;
}

static struct error *
spawn_and_wait(struct keeper *keeper, char *const *arguments, size_t count, int64_t timeout_ms)
{
    TRY(mysqld_spawn(&keeper->mysqld, arguments, count));
    keeper_watch(keeper);
    return wait_ready(keeper, timeout_ms);
}

/* ---- deaths ---- */

static void
plan_restart(struct keeper *keeper, const char *why, int64_t lived_ms)
{
    int64_t delay_ms = restart_limit_next_ms(&keeper->limit, lived_ms);
    if (restart_limit_is_slow(&keeper->limit))
        LOG_ERROR("mysqld",
                  "%s; it died %d times in a row within a minute of its start: it stays down but "
                  "for a try every %d s",
                  why, RESTART_LIMIT_COUNT, RESTART_LIMIT_SLOW_MS / 1000);
    else
        LOG_ERROR("mysqld", "%s; starting it again in %lld ms", why, (long long)delay_ms);
    keeper_schedule_restart(keeper, delay_ms);
}

static void
answer_death(struct keeper *keeper, const char *why, int64_t lived_ms)
{
    keeper_publish_exit(keeper, why, false);
    if (cancel_is_requested(keeper->stopping))
        return;
    if (!keeper->wants_running)
        LOG_INFO("mysqld", "%s; not started again before somebody asks", why);
    else if (file_exists(keeper->layout->restore_marker))
        LOG_ERROR("mysqld", "%s; a restore is in progress, so it is not started again", why);
    else
        plan_restart(keeper, why, lived_ms);
}

/* ---- the first start ---- */

static struct error *
initialise(struct keeper *keeper)
{
    int64_t start_ms = clock_monotonic_ms();
    LOG_INFO("mysqld", "initialising '%s' with %s", keeper->layout->data,
             keeper->server->version_line);
    TRY(keeper_write_config(keeper, mycnf_random_server_id()));
    TRY(vacancy_check_port(keeper->mysqld.bind_address, keeper->mysqld.port));
    TRY(initialise_data(keeper->layout, keeper->server, keeper->options->init_db_sql_file,
                        keeper->stopping));
    LOG_INFO("mysqld", "initialised in %lld ms", (long long)(clock_monotonic_ms() - start_ms));
    return NULL;
}

static struct error *
prepare_data(struct keeper *keeper)
{
    if (file_exists(keeper->layout->initialise_marker)) {
        LOG_WARN("mysqld", "an earlier initialisation did not finish: starting it from scratch");
        return initialise(keeper);
    }
    enum layout_data found;
    TRY(layout_inspect(keeper->layout, &found));
    if (found == LAYOUT_DATA_EMPTY)
        return initialise(keeper);
    if (found == LAYOUT_DATA_OTHER)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "'%s' is not empty and holds no server's data: empty it, or choose "
                         "another folder",
                         keeper->layout->data);
    return keeper_refresh_config(keeper);
}

/* A server that is still starting (recovering) is only watched further. */
static struct error *
tolerate_slow_start(struct keeper *keeper, struct error *take_error)
{
    if (!error_is(take_error, ERROR_DEADLINE_EXCEEDED) || keeper->mysqld.pid == 0)
        return take_error;
    log_error_take(LOG_LEVEL_WARN, "mysqld", take_error, "waiting on");
    return NULL;
}

/* A server that dies in its first start is a death like any other. One that cannot even be
 * started, because its port is taken for instance, is for a person to mend. */
static struct error *
start_first(struct keeper *keeper)
{
    TRY(prepare_data(keeper));
    TRY(mysqld_spawn(&keeper->mysqld, NULL, 0));
    keeper_watch(keeper);
    keeper->wants_running = true;
    struct error *error = wait_ready(keeper, keeper->options->wait_time_ms);
    error = tolerate_slow_start(keeper, error);
    if (error == NULL || keeper->mysqld.pid != 0)
        return error;
    answer_death(keeper, error->message, 0);
    error_free(error);
    return NULL;
}

static struct error *
boot(struct keeper *keeper)
{
    keeper_load_config(keeper);
    bool is_initialising = file_exists(keeper->layout->initialise_marker);
    if (!is_initialising)
        adopt(keeper);
    log_error_take(LOG_LEVEL_WARN, "mysqld", image_store_clean(keeper->layout),
                   "an image that no job owns stays");
    if (!is_initialising && file_exists(keeper->layout->restore_marker)) {
        LOG_WARN("mysqld", "a restore is in progress ('%s'): mysqld is not started before it asks",
                 keeper->layout->restore_marker);
        return keeper->mysqld.pid == 0 ? keeper_refresh_config(keeper) : NULL;
    }
    if (keeper->mysqld.pid == 0)
        return start_first(keeper);
    keeper->wants_running = !keeper->mysqld.has_arguments;
    return NULL;
}

struct error *
keeper_boot(struct keeper *keeper)
{
    TRY(boot(keeper));
    atomic_store(&keeper->is_booted, true);
    return NULL;
}

/* ---- jobs of the watch and the timer ---- */

void
keeper_job_ended(void *data)
{
    struct keeper *keeper = data;
    if (keeper->mysqld.pid == 0 || !mysqld_has_ended(&keeper->mysqld))
        return;
    int64_t lived_ms = clock_monotonic_ms() - keeper->mysqld.started_ms;
    CLEANUP(freep) char *why = mysqld_bury(&keeper->mysqld);
    keeper_watch(keeper);
    answer_death(keeper, why, lived_ms);
}

void
keeper_job_restart(void *data)
{
    struct keeper *keeper = data;
    if (!keeper->wants_running || keeper->mysqld.pid != 0 ||
        cancel_is_requested(keeper->stopping) || file_exists(keeper->layout->restore_marker))
        return;
    adopt(keeper);
    if (keeper->mysqld.pid != 0)
        return;
    keeper_publish_exit(keeper, NULL, true);
    struct error *error = spawn_and_wait(keeper, NULL, 0, keeper->options->wait_time_ms);
    error = tolerate_slow_start(keeper, error);
    if (error != NULL)
        answer_death(keeper, error->message, 0);
    error_free(error);
}

/* ---- what callers ask for ---- */

static struct error *
check_start(struct keeper *keeper, size_t count)
{
    if (cancel_is_requested(keeper->stopping))
        return error_new(ERROR_UNAVAILABLE, "the supervisor is stopping");
    adopt(keeper);
    keeper_job_ended(keeper); /* a death that was not answered yet */
    if (keeper->mysqld.pid == 0 || (count == 0 && !keeper->mysqld.has_arguments))
        return NULL;
    return error_new(
        ERROR_FAILED_PRECONDITION, "mysqld (pid %d) is running%s: shut it down before this start",
        (int)keeper->mysqld.pid, keeper->mysqld.has_arguments ? " with arguments of its own" : "");
}

struct error *
keeper_start(struct keeper *keeper, char *const *arguments, size_t count, int64_t timeout_ms)
{
    TRY(check_start(keeper, count));
    keeper_schedule_restart(keeper, -1);
    restart_limit_reset(&keeper->limit);
    keeper->wants_running = count == 0;
    struct error *error = keeper->mysqld.pid == 0
                              ? spawn_and_wait(keeper, arguments, count, timeout_ms)
                              : wait_ready(keeper, timeout_ms);
    if (error != NULL && keeper->mysqld.pid == 0)
        answer_death(keeper, error->message, 0);
    return error;
}

struct error *
keeper_shutdown(struct keeper *keeper, bool waits, int64_t timeout_ms)
{
    keeper->wants_running = false;
    keeper_schedule_restart(keeper, -1);
    adopt(keeper);
    bool was_running = keeper->mysqld.pid != 0;
    if (was_running)
        LOG_INFO("mysqld", "shutting down mysqld (pid %d)", (int)keeper->mysqld.pid);
    mysqld_dismiss_idle(&keeper->mysqld);
    mysqld_terminate(&keeper->mysqld);
    if (!waits)
        return NULL;
    int64_t start_ms = clock_monotonic_ms();
    struct error *error = mysqld_wait_stopped(&keeper->mysqld, NULL, timeout_ms);
    if (was_running && keeper->mysqld.pid == 0) {
        keeper_watch(keeper);
        LOG_INFO("mysqld", "mysqld is down after %lld ms",
                 (long long)(clock_monotonic_ms() - start_ms));
    }
    return error;
}

struct error *
keeper_stop(struct keeper *keeper, int64_t timeout_ms)
{
    adopt(keeper);
    if (keeper->mysqld.pid == 0)
        return NULL;
    return keeper_shutdown(keeper, true, timeout_ms);
}

/* MySQL does it while starting since 8.0.16. */
struct error *
keeper_upgrade(struct keeper *keeper, struct cancel *cancel)
{
    if (keeper->server->flavor == DIALECT_MYSQL &&
        server_binary_is_at_least(keeper->server, 8, 0, 16))
        return NULL;
    CLEANUP(freep)
    char *tool = server_binary_tool(keeper->server, keeper->server->flavor == DIALECT_MARIADB
                                                        ? "mariadb-upgrade"
                                                        : "mysql_upgrade");
    if (tool == NULL)
        return error_new(ERROR_NOT_FOUND, "mariadb-upgrade or mysql_upgrade is missing beside '%s'",
                         keeper->server->path);
    CLEANUP(freep) char *socket = xasprintf("--socket=%s", keeper->mysqld.socket);
    CLEANUP(freep) char *user = xasprintf("--user=%s", keeper->options->dba_user);
    const char *const argv[] = {tool, "--no-defaults", "--protocol=socket", socket, user, NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    CLEANUP(buffer_done) struct buffer output = BUFFER_INIT;
    CLEANUP(buffer_done) struct buffer errors = BUFFER_INIT;
    struct child_status status;
    TRY(child_run(&options, NULL, UPGRADE_OUTPUT_BYTES, cancel, &status, &output, &errors));
    if (!status.is_signaled && status.exit_code == 0)
        return NULL;
    CLEANUP(freep) char *how = child_status_text(&status);
    return error_new(ERROR_INTERNAL, "'%s' %s: %s%s", tool, how, buffer_text(&output),
                     buffer_text(&errors));
}

int64_t
keeper_pid(struct keeper *keeper)
{
    return keeper->mysqld.pid;
}

const struct layout *
keeper_layout(const struct keeper *keeper)
{
    return keeper->layout;
}

const struct server_binary *
keeper_server(const struct keeper *keeper)
{
    return keeper->server;
}

const struct supervisor_options *
keeper_options(const struct keeper *keeper)
{
    return keeper->options;
}
