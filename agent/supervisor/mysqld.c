#include "agent/supervisor/mysqld.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/supervisor/death.h"
#include "agent/supervisor/freeze.h"
#include "agent/supervisor/mycnf.h"
#include "agent/supervisor/process.h"
#include "agent/supervisor/vacancy.h"

#define DISMISS_MS 1000
#define CONNECT_TIMEOUT_MS 5000
#define FIRST_POLL_MS 10
#define MOST_POLL_MS 40

void
mysqld_init(struct mysqld *mysqld, const struct layout *layout, const struct server_binary *server,
            const char *user, const char *password)
{
    *mysqld = (struct mysqld){.layout = layout,
                              .server = server,
                              .socket = xstrdup(layout->socket),
                              .pid_file = xstrdup(layout->pid_file),
                              .error_log = xstrdup(layout->error_log),
                              .user = user,
                              .password = password,
                              .pidfd = -1};
}

void
mysqld_done(struct mysqld *mysqld)
{
    free(mysqld->socket);
    free(mysqld->pid_file);
    free(mysqld->error_log);
    free(mysqld->bind_address);
    closep(&mysqld->pidfd);
    *mysqld = (struct mysqld){.pidfd = -1};
}

static void
take_value(char **target, const char *my_cnf_text, const char *key)
{
    CLEANUP(freep) char *value = mycnf_value(my_cnf_text, key);
    if (!str_is_empty(value))
        str_replace(target, value);
}

void
mysqld_configure(struct mysqld *mysqld, const char *my_cnf_text)
{
    take_value(&mysqld->socket, my_cnf_text, "socket");
    take_value(&mysqld->pid_file, my_cnf_text, "pid-file");
    take_value(&mysqld->error_log, my_cnf_text, "log-error");
    take_value(&mysqld->bind_address, my_cnf_text, "bind-address");
    CLEANUP(freep) char *port = mycnf_value(my_cnf_text, "port");
    CLEANUP(freep) char *skip = mycnf_value(my_cnf_text, "skip-networking");
    mysqld->port = port != NULL && skip == NULL ? strtoll(port, NULL, 10) : 0;
}

static pid_t
read_pid_file(const char *path)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read(path, 64, &text);
    return error == NULL ? (pid_t)strtol(buffer_text(&text), NULL, 10) : 0;
}

static bool
is_server(pid_t pid)
{
    CLEANUP(freep) char *link = xasprintf("/proc/%d/exe", (int)pid);
    char path[4096];
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    const char *name = basename(path);
    return str_starts_with(name, "mysqld") || str_starts_with(name, "mariadbd");
}

/* Of the processes with our my.cnf, the one that the pid file names, or else the first that runs a
 * server's program (not the shell script around one). */
static pid_t
choose_server(const struct mysqld *mysqld)
{
    pid_t pids[16];
    size_t count = process_find(mysqld->layout->my_cnf, pids, ARRAY_LENGTH(pids));
    pid_t named = read_pid_file(mysqld->pid_file), chosen = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_server(pids[i]) && (chosen == 0 || pids[i] == named))
            chosen = pids[i];
    }
    return chosen;
}

void
mysqld_adopt(struct mysqld *mysqld)
{
    if (mysqld->pid != 0)
        return;
    pid_t pid = choose_server(mysqld);
    int pidfd = pid > 0 ? process_open(pid) : -1;
    if (pidfd < 0)
        return;
    freeze_release(pid);
    mysqld->pid = pid;
    mysqld->pidfd = pidfd;
    mysqld->is_child = false;
    mysqld->has_arguments =
        process_has_word(pid, "--skip-grant-tables") || process_has_word(pid, "--skip-networking");
    mysqld->started_ms = clock_monotonic_ms();
    mysqld->log_offset = death_log_size(mysqld->error_log);
    mysqld->memory_kills = death_memory_kills();
}

static void
add_arguments(const struct mysqld *mysqld, char *const *arguments, size_t count, struct strv *argv)
{
    strv_add(argv, mysqld->server->path);
    strv_addf(argv, "--defaults-file=%s", mysqld->layout->my_cnf);
    strv_addf(argv, "--basedir=%s", mysqld->server->base_directory);
    if (mysqld->server->plugin_directory != NULL)
        strv_addf(argv, "--plugin-dir=%s", mysqld->server->plugin_directory);
    for (size_t i = 0; i < count; i++)
        strv_add(argv, arguments[i]);
}

/* What it prints before it opens its log belongs there too. A log that is a terminal or a pipe
 * (/dev/stderr) is ours already. */
static int
open_log(const char *path)
{
    if (str_starts_with(path, "/dev/"))
        return -1;
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

struct error *
mysqld_spawn(struct mysqld *mysqld, char *const *arguments, size_t count)
{
    CLEANUP(strv_done) struct strv argv = {.items = NULL};
    add_arguments(mysqld, arguments, count, &argv);
    TRY(vacancy_clear_socket(mysqld->socket, mysqld->pid_file));
    if (mysqld->port > 0 && !strv_contains(&argv, "--skip-networking"))
        TRY(vacancy_check_port(mysqld->bind_address, mysqld->port));
    mysqld->log_offset = death_log_size(mysqld->error_log);
    mysqld->memory_kills = death_memory_kills();
    CLEANUP(closep) int log = open_log(mysqld->error_log);
    struct child_options options = child_options_default();
    options.argv = (const char *const *)argv.items;
    options.stdout_descriptor = options.stderr_descriptor = log;
    options.wants_own_session = true; /* outlives us */
    TRY(child_spawn(&options, &mysqld->pid));
    mysqld->pidfd = process_open(mysqld->pid);
    mysqld->is_child = true;
    mysqld->has_arguments = count > 0;
    mysqld->started_ms = clock_monotonic_ms();
    return NULL;
}

/* The client library's own errors (2000 to 2999) say that nobody answered, but for those about the
 * account's plugin. */
static bool
is_answer(const struct error *error)
{
    int number = error->mysql_errno;
    return (number >= 1000 && number < 2000) || number >= 3000 || number == 2059 || number == 2061;
}

static struct error *
connect_to(const char *socket, const char *user, const char *password, struct cancel *cancel,
           struct db **ret_db)
{
    const struct db_params params = {.socket = (char *)socket,
                                     .user = (char *)user,
                                     .password = (char *)(password != NULL ? password : ""),
                                     .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    return db_open(&params, cancel, ret_db);
}

bool
mysqld_answers(const char *socket, const char *user, const char *password, struct cancel *cancel)
{
    CLEANUP(db_closep) struct db *db = NULL;
    CLEANUP(error_freep)
    struct error *error = connect_to(socket, user, password, cancel, &db);
    return error == NULL || is_answer(error);
}

bool
mysqld_has_ended(const struct mysqld *mysqld)
{
    if (mysqld->pid == 0)
        return true;
    CLEANUP(error_freep) struct error *error = process_wait_end(mysqld->pidfd, NULL, 1);
    return error == NULL;
}

static struct error *
death_error(struct mysqld *mysqld)
{
    CLEANUP(freep) char *why = mysqld_bury(mysqld);
    return error_new(ERROR_FAILED_PRECONDITION, "%s", why);
}

struct error *
mysqld_wait_ready(struct mysqld *mysqld, struct cancel *cancel, int64_t timeout_ms)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    for (int64_t delay = FIRST_POLL_MS;; delay = delay < MOST_POLL_MS ? delay * 2 : delay) {
        CLEANUP(error_freep) struct error *alive = process_wait_end(mysqld->pidfd, cancel, delay);
        if (alive == NULL)
            return death_error(mysqld);
        TRY(cancel_check(cancel));
        if (file_exists(mysqld->socket) &&
            mysqld_answers(mysqld->socket, mysqld->user, mysqld->password, cancel))
            return NULL;
        if (clock_monotonic_ms() > end)
            return error_new(ERROR_DEADLINE_EXCEEDED,
                             "mysqld (pid %d) does not answer on '%s' after %lld s; it goes on "
                             "starting, see '%s'",
                             (int)mysqld->pid, mysqld->socket, (long long)(timeout_ms / 1000),
                             mysqld->error_log);
    }
}

static struct error *
end_idle(struct db *db, struct cancel *cancel)
{
    CLEANUP(db_result_freep) struct db_result *list = NULL;
    TRY(db_query(db, cancel, DB_NO_LIMIT, "SHOW PROCESSLIST", &list));
    for (size_t i = 0; i < list->row_count; i++) {
        const char *id = db_result_text(list, i, "Id");
        if (id == NULL || !str_equal(db_result_text(list, i, "Command"), "Sleep"))
            continue;
        error_free(db_executef(db, cancel, "KILL %s", id)); /* it may be gone already */
        TRY(cancel_check(cancel));
    }
    return NULL;
}

void
mysqld_dismiss_idle(const struct mysqld *mysqld)
{
    if (mysqld->pid == 0 || mysqld->has_arguments)
        return;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + DISMISS_MS);
    CLEANUP(db_closep) struct db *db = NULL;
    CLEANUP(error_freep)
    struct error *error = connect_to(mysqld->socket, mysqld->user, mysqld->password, cancel, &db);
    if (error == NULL)
        error = end_idle(db, cancel);
}

void
mysqld_terminate(struct mysqld *mysqld)
{
    if (mysqld->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, mysqld->pidfd, SIGTERM, NULL, 0);
}

struct error *
mysqld_wait_stopped(struct mysqld *mysqld, struct cancel *cancel, int64_t timeout_ms)
{
    if (mysqld->pid != 0) {
        struct error *error = process_wait_end(mysqld->pidfd, cancel, timeout_ms);
        if (error != NULL)
            return error_wrap(error, "mysqld (pid %d) is still shutting down, see '%s'",
                              (int)mysqld->pid, mysqld->error_log);
        CLEANUP(freep) char *why = mysqld_bury(mysqld);
    }
    return vacancy_clear_socket(mysqld->socket, mysqld->pid_file);
}

char *
mysqld_bury(struct mysqld *mysqld)
{
    struct death_facts facts = {.pid = mysqld->pid,
                                .data_directory = mysqld->layout->data,
                                .has_memory_kill = death_memory_kills() > mysqld->memory_kills};
    int status = 0;
    if (mysqld->is_child && waitpid(mysqld->pid, &status, 0) == mysqld->pid) {
        facts.has_status = true;
        facts.status.is_signaled = WIFSIGNALED(status);
        facts.status.exit_code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    }
    CLEANUP(freep) char *log = death_log_since(mysqld->error_log, mysqld->log_offset);
    facts.log_text = log;
    facts.is_disk_full = death_is_disk_full(mysqld->layout->data, log);
    closep(&mysqld->pidfd);
    mysqld->pidfd = -1;
    mysqld->pid = 0;
    return death_explain(&facts);
}
