#include "agent/supervisor/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"

#define MOST_ATTEMPTS 5

struct guard {
    pid_t pid;
    int pipe; /* closed: the guard continues mysqld and ends */
};

static struct error *
guard_start(pid_t pid, int64_t most_pause_ms, struct guard *ret_guard)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_from_errno(errno, "create the guard's pipe");
    CLEANUP(freep) char *pid_text = xasprintf("%d", (int)pid);
    CLEANUP(freep) char *time_text = xasprintf("%lld", (long long)most_pause_ms);
    const char *const argv[] = {"/proc/self/exe", "guard", pid_text, time_text, NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    options.stdin_descriptor = ends[0];
    options.wants_own_session = true;
    struct error *error = child_spawn(&options, &ret_guard->pid);
    close(ends[0]);
    if (error != NULL) {
        close(ends[1]);
        return error_wrap(error, "start the guard of the pause");
    }
    ret_guard->pipe = ends[1];
    return NULL;
}

static void
guard_end(struct guard *guard)
{
    closep(&guard->pipe);
    struct child_status status;
    error_free(child_wait(guard->pid, NULL, &status));
}

static bool
thread_is_stopped(const char *folder, const char *thread)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s/stat", folder, thread);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read(path, 4096, &text);
    if (error != NULL)
        return true; /* the thread has ended */
    const char *after_name = strrchr(buffer_text(&text), ')');
    return after_name != NULL && (after_name[2] == 'T' || after_name[2] == 't');
}

/* A thread inside a write ends that call first. */
static struct error *
wait_until_stopped(pid_t pid, int64_t end_ms)
{
    CLEANUP(freep) char *folder = xasprintf("/proc/%d/task", (int)pid);
    for (;;) {
        CLEANUP(strv_done) struct strv threads = {.items = NULL};
        TRY(file_list(folder, &threads));
        bool is_stopped = true;
        for (size_t i = 0; i < threads.count && is_stopped; i++)
            is_stopped = thread_is_stopped(folder, threads.items[i]);
        if (is_stopped)
            return NULL;
        if (clock_monotonic_ms() > end_ms)
            return error_new(ERROR_DEADLINE_EXCEEDED, "mysqld's threads did not stop in time");
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

/* Between the stop and the end of the guard. mysqld goes on on every path. */
static struct error *
share_while_stopped(pid_t pid, struct image_plan *plan, int64_t most_pause_ms,
                    struct freeze_result *result)
{
    int64_t start_us = clock_monotonic_us();
    if (kill(pid, SIGSTOP) != 0)
        return error_from_errno(errno, "pause mysqld (pid %d)", (int)pid);
    struct error *error = wait_until_stopped(pid, start_us / 1000 + most_pause_ms);
    if (error == NULL)
        error = image_plan_share(plan);
    /* Past the limit the guard may have continued mysqld while files were shared. */
    int64_t spent_us = clock_monotonic_us() - start_us;
    kill(pid, SIGCONT);
    result->pause_us = clock_monotonic_us() - start_us;
    if (error == NULL && spent_us > most_pause_ms * 1000)
        error = error_new(ERROR_DEADLINE_EXCEEDED, "the pause took more than %lld ms",
                          (long long)most_pause_ms);
    return error;
}

static struct error *
take_once(pid_t pid, const struct image_root *roots, size_t root_count, const char *staging,
          int64_t most_pause_ms, struct freeze_result *result)
{
    CLEANUP(image_plan_freep) struct image_plan *plan = NULL;
    TRY(image_plan_new(roots, root_count, staging, &plan));
    result->file_count = image_plan_file_count(plan);
    result->bytes = image_plan_bytes(plan);
    struct guard guard;
    TRY(guard_start(pid, most_pause_ms, &guard));
    struct error *error = share_while_stopped(pid, plan, most_pause_ms, result);
    guard_end(&guard);
    return error;
}

struct error *
freeze_take(pid_t pid, const struct image_root *roots, size_t root_count, const char *staging,
            int64_t most_pause_ms, struct freeze_result *ret_result)
{
    struct error *error = NULL;
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        error_free(error);
        error = take_once(pid, roots, root_count, staging, most_pause_ms, ret_result);
        if (error == NULL)
            return NULL;
        struct error *cleanup = file_remove_tree(staging);
        if (cleanup != NULL)
            return error_first(error, cleanup);
        if (!error_is(error, ERROR_ABORTED))
            break;
    }
    return error_wrap(error, "take an image of the running server");
}

void
freeze_release(pid_t pid)
{
    if (pid > 0)
        kill(pid, SIGCONT);
}

int
guard_main(int argc, char **argv)
{
    long pid = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long most_ms = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (pid <= 1 || most_ms <= 0) {
        fprintf(stderr,
                "vtagent guard: expected PID MILLISECONDS (it is started by the supervisor)\n");
        return 2;
    }
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int64_t end_ms = clock_monotonic_ms() + most_ms;
    for (;;) {
        int64_t left = end_ms - clock_monotonic_ms();
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        int ready = left > 0 ? poll(&input, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        break;
    }
    return kill((pid_t)pid, SIGCONT) == 0 || errno == ESRCH ? 0 : 1;
}
