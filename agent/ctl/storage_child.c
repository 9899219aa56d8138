/* A mount that hangs holds whoever asks it, past SIGKILL: so a child of ours does, with our words
 * and our output, and we wait for its end or for its word that it will not come to one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/file.h"
#include "agent/ctl/backup_private.h"

#define CHILD_VARIABLE "VTAGENT_CTL_STORAGE_CHILD"
#define WORDS_LIMIT_BYTES (1u << 20)
#define POLL_MS 500
#define EXIT_STUCK 1

/* Its standard input is the pipe on which it tells that it is stuck. */
struct child {
    pid_t pid;
    int news;
};

static struct error *
read_own_words(struct strv *ret_words)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read("/proc/self/cmdline", WORDS_LIMIT_BYTES, &text));
    for (size_t at = 0; at < text.length_bytes; at += strlen((char *)text.data + at) + 1)
        strv_add(ret_words, (char *)text.data + at);
    str_replace(&ret_words->items[0], "/proc/self/exe");
    return NULL;
}

static struct error *
start(struct child *child)
{
    int ends[2];
    CLEANUP(strv_done) struct strv words = {.items = NULL};
    TRY(read_own_words(&words));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_from_errno(errno, "make a pipe");
    child->news = ends[0];
    CLEANUP(closep) int child_end = ends[1];
    setenv(CHILD_VARIABLE, "1", 1);
    struct child_options options = child_options_default();
    options.argv = (const char *const *)words.items;
    options.stdin_descriptor = child_end;
    options.stdout_descriptor = STDOUT_FILENO;
    return child_spawn(&options, &child->pid);
}

/* Whether it says that it is stuck; false at its end. */
static bool
is_stuck(const struct child *child, struct cancel *cancel)
{
    struct pollfd watched = {.fd = child->news, .events = POLLIN};
    bool was_told = false;
    char byte;
    while (poll(&watched, 1, POLL_MS) <= 0) {
        if (was_told || !cancel_is_requested(cancel))
            continue;
        was_told = true;
        kill(child->pid, SIGTERM);
    }
    return read(child->news, &byte, 1) == 1;
}

static int
exit_code_of(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_STUCK;
}

struct error *
storage_child_run(struct ctl *ctl)
{
    struct child child = {.news = -1};
    if (!ctl->may_have_child || getenv(CHILD_VARIABLE) != NULL)
        return NULL;
    fflush(ctl->out);
    TRY(error_wrap(start(&child), "start a process for the storage"));
    _exit(is_stuck(&child, ctl->cancel) ? EXIT_STUCK : exit_code_of(child.pid));
}

void
storage_child_end_stuck(const char *text, void *data)
{
    struct ctl *ctl = data;
    fprintf(ctl->err, "vtagent ctl: %s\n", text);
    fflush(ctl->err);
    if (getenv(CHILD_VARIABLE) != NULL)
        (void)!write(STDIN_FILENO, "s", 1);
    _exit(EXIT_STUCK);
}
