#include "agent/base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"

#define TERM_GRACE_MS 5000

extern char **environ;

struct child_options
child_options_default(void)
{
    return (struct child_options){
        .stdin_descriptor = -1, .stdout_descriptor = -1, .stderr_descriptor = -1};
}

static void
redirect(posix_spawn_file_actions_t *actions, int target, int descriptor, int open_flags)
{
    if (descriptor < 0)
        posix_spawn_file_actions_addopen(actions, target, "/dev/null", open_flags, 0);
    else
        posix_spawn_file_actions_adddup2(actions, descriptor, target);
}

static void
prepare_actions(posix_spawn_file_actions_t *actions, const struct child_options *options)
{
    posix_spawn_file_actions_init(actions);
    redirect(actions, STDIN_FILENO, options->stdin_descriptor, O_RDONLY);
    redirect(actions, STDOUT_FILENO, options->stdout_descriptor, O_WRONLY);
    if (options->stderr_descriptor >= 0)
        posix_spawn_file_actions_adddup2(actions, options->stderr_descriptor, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (options->working_directory != NULL)
        posix_spawn_file_actions_addchdir_np(actions, options->working_directory);
}

static void
prepare_attributes(posix_spawnattr_t *attributes, const struct child_options *options)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    short group = options->wants_own_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(attributes,
                             (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group));
}

struct error *
child_spawn(const struct child_options *options, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    prepare_actions(&actions, options);
    prepare_attributes(&attributes, options);
    char *const *environment =
        options->environment != NULL ? (char *const *)options->environment : environ;
    int result = posix_spawnp(ret_pid, options->argv[0], &actions, &attributes,
                              (char *const *)options->argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0)
        return error_from_errno(result, "start '%s'", options->argv[0]);
    return NULL;
}

/* Reaps; true when the child has ended. */
static bool
reap(pid_t pid, struct child_status *ret_status)
{
    int status;
    pid_t result;
    do
        result = waitpid(pid, &status, WNOHANG);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return false;
    if (result < 0) /* not ours any more: nothing more to learn */
        *ret_status = (struct child_status){.exit_code = -1};
    else if (WIFSIGNALED(status))
        *ret_status = (struct child_status){.is_signaled = true, .exit_code = WTERMSIG(status)};
    else
        *ret_status = (struct child_status){.exit_code = WEXITSTATUS(status)};
    return true;
}

static int
pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Waits until the pidfd or the cancel is readable, or the time is over. */
static void
wait_readable(int descriptor, int cancel_fd, int64_t milliseconds)
{
    struct pollfd watched[2] = {{.fd = descriptor, .events = POLLIN},
                                {.fd = cancel_fd, .events = POLLIN}};
    int timeout = milliseconds > 1000 ? 1000 : (int)milliseconds;
    poll(watched, 2, timeout);
}

static void
end_group(pid_t pid, int pidfd, struct child_status *ret_status)
{
    kill(-pid, SIGTERM);
    int64_t end = clock_monotonic_ms() + TERM_GRACE_MS;
    while (!reap(pid, ret_status)) {
        int64_t left = end - clock_monotonic_ms();
        if (left <= 0) {
            kill(-pid, SIGKILL);
            left = 1000;
        }
        wait_readable(pidfd, -1, left);
    }
    kill(-pid, SIGKILL); /* what it left behind in its group */
}

struct error *
child_wait(pid_t pid, struct cancel *cancel, struct child_status *ret_status)
{
    CLEANUP(closep) int pidfd = pidfd_of(pid);
    struct child_status status;
    while (!reap(pid, &status)) {
        struct error *error = cancel_check(cancel);
        if (error != NULL) {
            end_group(pid, pidfd, &status);
            return error;
        }
        wait_readable(pidfd, cancel_descriptor(cancel), cancel_remaining_ms(cancel));
    }
    *ret_status = status;
    return NULL;
}

struct pipe_end {
    int descriptor;
    struct buffer *buffer;
};

/* Reads what is there; closes at the end of file. */
static void
drain(struct pipe_end *end, size_t limit_bytes)
{
    char block[8192];
    ssize_t count = read(end->descriptor, block, sizeof(block));
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        closep(&end->descriptor);
        return;
    }
    size_t room = limit_bytes - (end->buffer->length_bytes < limit_bytes ? end->buffer->length_bytes
                                                                         : limit_bytes);
    buffer_append(end->buffer, block, (size_t)count < room ? (size_t)count : room);
}

static void
feed(int *descriptor, const char **input)
{
    ssize_t count = write(*descriptor, *input, strlen(*input));
    if (count > 0)
        *input += count;
    if ((count < 0 && errno != EAGAIN && errno != EINTR) || **input == '\0')
        closep(descriptor);
}

/* Moves bytes until both outputs are closed or the cancel ends. */
static void
pump_pipes(int *input_fd, const char *input, struct pipe_end ends[2], size_t limit_bytes,
           struct cancel *cancel)
{
    while ((ends[0].descriptor >= 0 || ends[1].descriptor >= 0) && !cancel_is_requested(cancel)) {
        struct pollfd watched[4] = {{.fd = ends[0].descriptor, .events = POLLIN},
                                    {.fd = ends[1].descriptor, .events = POLLIN},
                                    {.fd = *input_fd, .events = POLLOUT},
                                    {.fd = cancel_descriptor(cancel), .events = POLLIN}};
        int64_t left = cancel_remaining_ms(cancel);
        poll(watched, 4, left > 1000 ? 1000 : (int)left);
        for (size_t i = 0; i < 2; i++) {
            if (watched[i].revents != 0)
                drain(&ends[i], limit_bytes);
        }
        if (watched[2].revents != 0)
            feed(input_fd, &input);
    }
    closep(input_fd);
}

static struct error *
open_pipe(int ends[2], int our_end)
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_from_errno(errno, "create a pipe");
    fcntl(ends[our_end], F_SETFL, O_NONBLOCK);
    return NULL;
}

struct error *
child_run(const struct child_options *options, const char *input, size_t limit_bytes,
          struct cancel *cancel, struct child_status *ret_status, struct buffer *stdout_buffer,
          struct buffer *stderr_buffer)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    struct error *error = open_pipe(in, 1);
    if (error == NULL)
        error = open_pipe(out, 0);
    if (error == NULL)
        error = open_pipe(err, 0);
    struct child_options piped = *options;
    piped.stdin_descriptor = in[0];
    piped.stdout_descriptor = out[1];
    piped.stderr_descriptor = err[1];
    pid_t pid = -1;
    if (error == NULL)
        error = child_spawn(&piped, &pid);
    closep(&in[0]);
    closep(&out[1]);
    closep(&err[1]);
    if (error == NULL) {
        struct pipe_end ends[2] = {{out[0], stdout_buffer}, {err[0], stderr_buffer}};
        if (str_is_empty(input))
            closep(&in[1]);
        pump_pipes(&in[1], input, ends, limit_bytes, cancel);
        out[0] = ends[0].descriptor;
        err[0] = ends[1].descriptor;
        error = child_wait(pid, cancel, ret_status);
    }
    closep(&in[1]);
    closep(&out[0]);
    closep(&err[0]);
    return error;
}

char *
child_status_text(const struct child_status *status)
{
    if (status->is_signaled)
        return xasprintf("was killed by signal %d (%s)", status->exit_code,
                         strsignal(status->exit_code));
    return xasprintf("exited with %d", status->exit_code);
}

bool
child_is_alive(pid_t pid)
{
    if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH))
        return false;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read(path, 4096, &text);
    if (error != NULL)
        return false;
    const char *after_name = strrchr(buffer_text(&text), ')');
    return after_name != NULL && strncmp(after_name, ") Z", 3) != 0;
}
