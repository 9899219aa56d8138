/* Child processes by posix_spawn only (the gRPC core forbids fork). */
#ifndef VTAGENT_BASE_CHILD_H
#define VTAGENT_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/base/buffer.h"
#include "agent/base/cancel.h"
#include "agent/base/error.h"

struct child_options {
    const char *const *argv;        /* NULL-terminated; argv[0] is a path, or a name for PATH */
    const char *const *environment; /* NULL: ours */
    const char *working_directory;  /* NULL: ours */
    int stdin_descriptor;           /* -1: /dev/null */
    int stdout_descriptor;          /* -1: /dev/null */
    int stderr_descriptor;          /* -1: ours */
    bool wants_own_session;         /* setsid: outlives us, and its group can be signalled whole */
};

/* An initialised struct: all descriptors -1. */
struct child_options child_options_default(void);

/* Starts it: own process group, all signals default and unblocked, no other descriptors inherited.
 */
struct error *child_spawn(const struct child_options *options, pid_t *ret_pid) ERROR_MUST_CHECK;

struct child_status {
    bool is_signaled;
    int exit_code; /* or the signal's number */
};
/* Waits for our child; on the cancel's end: SIGTERM to its group, SIGKILL after 5 s, and the
 * cancel's error. */
struct error *child_wait(pid_t pid, struct cancel *cancel,
                         struct child_status *ret_status) ERROR_MUST_CHECK;
/* Runs to the end, collecting both outputs (each up to limit_bytes; more is dropped). `input` may
 * be NULL. A non-zero exit is not an error here. */
struct error *child_run(const struct child_options *options, const char *input, size_t limit_bytes,
                        struct cancel *cancel, struct child_status *ret_status,
                        struct buffer *stdout_buffer,
                        struct buffer *stderr_buffer) ERROR_MUST_CHECK;
/* "exited with 3" or "was killed by signal 9 (Killed)"; caller frees. */
char *child_status_text(const struct child_status *status);
/* True while a process with this pid lives (zombies do not). */
bool child_is_alive(pid_t pid);

#endif
