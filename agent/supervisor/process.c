#include "agent/supervisor/process.h"

#include <ctype.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"

#define COMMAND_LINE_LIMIT_BYTES (256 * 1024)
#define KILL_POLL_MS 50

/* Words of a command line are separated by NULs. */
static bool
has_word(const struct buffer *command, const char *word)
{
    size_t length = strlen(word);
    bool is_prefix = length > 0 && word[length - 1] == '=';
    const char *at = buffer_text(command);
    const char *end = at + command->length_bytes;
    while (at < end) {
        if (is_prefix ? strncmp(at, word, length) == 0 : strcmp(at, word) == 0)
            return true;
        at += strlen(at) + 1;
    }
    return false;
}

bool
process_has_word(pid_t pid, const char *word)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    CLEANUP(buffer_done) struct buffer command = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read(path, COMMAND_LINE_LIMIT_BYTES, &command);
    return error == NULL && has_word(&command, word);
}

static bool
is_of_this_user(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    struct stat status;
    return stat(path, &status) == 0 && status.st_uid == geteuid();
}

static pid_t
pid_of_entry(const struct dirent *entry)
{
    if (!isdigit((unsigned char)entry->d_name[0]))
        return 0;
    return (pid_t)strtol(entry->d_name, NULL, 10);
}

size_t
process_find(const char *my_cnf, pid_t *pids, size_t most)
{
    CLEANUP(closedirp) DIR *directory = opendir("/proc");
    CLEANUP(freep) char *word = xasprintf("--defaults-file=%s", my_cnf);
    size_t count = 0;
    const struct dirent *entry;
    while (directory != NULL && count < most && (entry = readdir(directory)) != NULL) {
        pid_t pid = pid_of_entry(entry);
        if (pid > 0 && pid != getpid() && is_of_this_user(pid) && process_has_word(pid, word) &&
            child_is_alive(pid))
            pids[count++] = pid;
    }
    return count;
}

int
process_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

struct error *
process_wait_end(int pidfd, struct cancel *cancel, int64_t timeout_ms)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        TRY(cancel_check(cancel));
        int64_t left = end - clock_monotonic_ms();
        if (left <= 0)
            return error_new(ERROR_DEADLINE_EXCEEDED, "not ended within %lld s",
                             (long long)(timeout_ms / 1000));
        if (left > cancel_remaining_ms(cancel))
            left = cancel_remaining_ms(cancel);
        struct pollfd watched[2] = {{.fd = pidfd, .events = POLLIN},
                                    {.fd = cancel_descriptor(cancel), .events = POLLIN}};
        poll(watched, 2, left > 60000 ? 60000 : (int)left);
        if (watched[0].revents != 0)
            return NULL;
    }
}

struct error *
process_kill_all(const char *my_cnf, int64_t timeout_ms)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        pid_t pids[16];
        size_t count = process_find(my_cnf, pids, ARRAY_LENGTH(pids));
        if (count == 0)
            return NULL;
        for (size_t i = 0; i < count; i++)
            kill(pids[i], SIGKILL);
        if (clock_monotonic_ms() > end)
            return error_new(ERROR_DEADLINE_EXCEEDED,
                             "process %d of an earlier initialisation does not end: kill it",
                             (int)pids[0]);
        TRY(cancel_sleep_ms(NULL, KILL_POLL_MS));
    }
}

/* True for a zombie whose parent we are. */
static bool
is_our_zombie(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read(path, 4096, &text);
    const char *after_name = error == NULL ? strrchr(buffer_text(&text), ')') : NULL;
    int parent = 0;
    return after_name != NULL && sscanf(after_name, ") Z %d", &parent) == 1 && parent == getpid();
}

void
process_reap_orphans(pid_t known)
{
    CLEANUP(closedirp) DIR *directory = opendir("/proc");
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        pid_t pid = pid_of_entry(entry);
        if (pid > 1 && pid != known && is_our_zombie(pid))
            waitpid(pid, NULL, WNOHANG);
    }
}
