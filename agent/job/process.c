#include "agent/job/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/buffer.h"
#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"

#define LINE_LIMIT_BYTES (64u * 1024)
#define POLL_MS 200
#define STUCK_KILL_MS 1000
#define END_POLL_MS 5 /* it has closed its output: its end is near */

const struct process_patience process_patience_default = {.term_ms = 20000, .kill_ms = 10000};

struct process {
    pid_t pid;
    int output; /* our end of the pipe; -1 at its end */
    struct buffer line;
    const struct worker_events *events;
    struct error *reported;
    struct child_status status;
    bool has_ended, is_stuck;
    bool is_killed;
    /* Once it was asked to end, or killed: */
    struct error *canceled;
    int64_t kill_at_ms, abandon_at_ms;
};

static void
process_done(struct process *process)
{
    closep(&process->output);
    buffer_done(&process->line);
    error_free(process->reported);
    error_free(process->canceled);
}

static void
take_bytes(struct process *process, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            process->is_stuck |= worker_output_read(buffer_text(&process->line), process->events,
                                                    &process->reported);
            buffer_clear(&process->line);
        } else if (process->line.length_bytes < LINE_LIMIT_BYTES) {
            buffer_append_char(&process->line, bytes[i]);
        }
    }
}

/* Reads what is there. */
static void
drain(struct process *process)
{
    char block[8192];
    while (process->output >= 0) {
        ssize_t count = read(process->output, block, sizeof(block));
        if (count > 0)
            take_bytes(process, block, (size_t)count);
        else if (count < 0 && errno == EINTR)
            continue;
        else if (count < 0 && errno == EAGAIN)
            return;
        else
            closep(&process->output);
    }
}

static void
reap(struct process *process)
{
    int status;
    pid_t result = waitpid(process->pid, &status, WNOHANG);
    if (result == 0 || (result < 0 && errno == EINTR))
        return;
    process->has_ended = true;
    if (result < 0)
        process->status = (struct child_status){.exit_code = -1};
    else if (WIFSIGNALED(status))
        process->status = (struct child_status){.is_signaled = true, .exit_code = WTERMSIG(status)};
    else
        process->status = (struct child_status){.exit_code = WEXITSTATUS(status)};
}

/* One that is stuck need not be asked. */
static void
begin_kill(struct process *process)
{
    if (!process->is_stuck || process->is_killed)
        return;
    process->is_killed = true;
    process->kill_at_ms = clock_monotonic_ms();
    process->abandon_at_ms = process->kill_at_ms + STUCK_KILL_MS;
}

/* Asks it to end when the cancel says so, then insists. False: it is given up. */
static bool
press(struct process *process, const struct process_patience *patience, struct cancel *cancel)
{
    int64_t now = clock_monotonic_ms();
    begin_kill(process);
    if (process->canceled == NULL && !process->is_killed) {
        process->canceled = cancel_check(cancel);
        if (process->canceled == NULL)
            return true;
        kill(-process->pid, SIGTERM);
        kill(-process->pid, SIGCONT); /* a stopped one could not hear it */
        process->kill_at_ms = now + patience->term_ms;
        process->abandon_at_ms = process->kill_at_ms + patience->kill_ms;
        return true;
    }
    if (now >= process->kill_at_ms)
        kill(-process->pid, SIGKILL);
    return now < process->abandon_at_ms;
}

static void
wait_for_news(const struct process *process, struct cancel *cancel)
{
    bool is_ending = process->canceled != NULL || process->is_killed;
    struct pollfd watched[2] = {
        {.fd = process->output, .events = POLLIN},
        {.fd = is_ending ? -1 : cancel_descriptor(cancel), .events = POLLIN}};
    int64_t left = is_ending ? POLL_MS : cancel_remaining_ms(cancel);
    int most = process->output < 0 ? END_POLL_MS : POLL_MS;
    poll(watched, 2, left < most ? (int)left : most);
}

static struct error *
start(struct process *process, const struct strv *argv)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return error_from_errno(errno, "make a pipe");
    process->output = ends[0];
    CLEANUP(closep) int worker_end = ends[1];
    /* The worker's end blocks: it shall not lose lines. */
    if (fcntl(worker_end, F_SETFL, 0) != 0)
        return error_from_errno(errno, "make a pipe");
    struct child_options options = child_options_default();
    options.argv = (const char *const *)argv->items;
    options.stdout_descriptor = worker_end;
    TRY(child_spawn(&options, &process->pid));
    if (process->events->on_start != NULL)
        process->events->on_start((int)process->pid, process->events->data);
    return NULL;
}

static struct error *
outcome(struct process *process)
{
    struct error *error = process->canceled;
    process->canceled = NULL;
    if (error != NULL)
        return error;
    error = process->reported;
    process->reported = NULL;
    bool is_good = !process->status.is_signaled && process->status.exit_code == 0;
    if (error != NULL || is_good)
        return error;
    if (process->status.is_signaled && process->events->on_killed != NULL)
        process->events->on_killed(process->events->data);
    CLEANUP(freep) char *text = child_status_text(&process->status);
    return error_new(ERROR_INTERNAL, "the job's worker (pid %d) %s", (int)process->pid, text);
}

/* Its cause is what it told last, if it told anything. */
static struct error *
leave(struct process *process)
{
    const struct worker_events *events = process->events;
    const struct error *cause = process->reported != NULL ? process->reported : process->canceled;
    if (events->on_left != NULL)
        events->on_left((int)process->pid, cause->message, events->data);
    struct error *error = outcome(process);
    return error_wrap(error, "the job's worker (pid %d) hangs and is left behind",
                      (int)process->pid);
}

struct error *
process_run(const struct strv *argv, const struct worker_events *events,
            const struct process_patience *patience, struct cancel *cancel)
{
    CLEANUP(process_done) struct process process = {.output = -1, .events = events};
    TRY(cancel_check(cancel));
    TRY(start(&process, argv));
    while (!process.has_ended) {
        if (!press(&process, patience, cancel))
            return leave(&process);
        wait_for_news(&process, cancel);
        drain(&process);
        reap(&process);
    }
    drain(&process);
    return outcome(&process);
}

uint64_t
process_start_ticks(int pid)
{
    enum { START_TIME_FIELD = 22, FIELD_AFTER_NAME = 3 };
    CLEANUP(freep) char *path = xasprintf("/proc/%d/stat", pid);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    struct error *error = pid <= 0 ? NULL : file_read(path, 1 << 16, &text);
    error_free(error);
    /* The name in parentheses may hold blanks and parentheses. */
    const char *at = strrchr(buffer_text(&text), ')');
    if (at == NULL || error != NULL)
        return 0;
    at++;
    for (int field = FIELD_AFTER_NAME; field < START_TIME_FIELD && at != NULL; field++)
        at = strchr(at + 1, ' ');
    return at == NULL ? 0 : strtoull(at, NULL, 10);
}

static bool
is_that_one(int pid, uint64_t start_ticks)
{
    return child_is_alive(pid) && start_ticks != 0 && process_start_ticks(pid) == start_ticks;
}

struct error *
process_end_stray(int pid, uint64_t start_ticks, int64_t wait_ms, struct cancel *cancel)
{
    if (pid <= 1 || !is_that_one(pid, start_ticks))
        return NULL;
    kill(-pid, SIGKILL);
    int64_t end = clock_monotonic_ms() + wait_ms;
    while (is_that_one(pid, start_ticks)) {
        if (clock_monotonic_ms() >= end)
            return error_new(ERROR_DEADLINE_EXCEEDED,
                             "the last agent's worker (pid %d) does not "
                             "end after SIGKILL: does its storage hang",
                             pid);
        TRY(cancel_sleep_ms(cancel, 50));
    }
    return NULL;
}
