#include "agent/supervisor/death.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"

#define LOG_TAIL_BYTES (64 * 1024)
#define LINE_MOST 400
#define DISK_FULL_BYTES (4u << 20)

static bool
is_error_line(const char *line)
{
    return strstr(line, "[ERROR]") != NULL || strstr(line, "[FATAL]") != NULL ||
           strstr(line, "Assertion") != NULL;
}

/* The last lines of an abort say only that there was one. */
static bool
is_empty_talk(const char *line)
{
    return strstr(line, "Aborting") != NULL || strstr(line, "signal handler") != NULL ||
           strstr(line, "is unusable. You can remove") != NULL;
}

char *
death_telling_line(const char *log_text, bool takes_last)
{
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    if (log_text != NULL)
        strv_split(&lines, log_text, '\n');
    const char *best = "";
    if (takes_last && lines.count > 0)
        best = lines.items[lines.count - 1];
    for (size_t i = lines.count; i > 0; i--) {
        if (is_error_line(lines.items[i - 1]) && !is_empty_talk(lines.items[i - 1])) {
            best = lines.items[i - 1];
            break;
        }
    }
    return xstrndup(best, strnlen(best, LINE_MOST));
}

static const char *
likely_cause(const struct death_facts *facts)
{
    if (facts->has_memory_kill)
        return ": out of memory in its control group: raise the memory limit or lower "
               "innodb_buffer_pool_size";
    if (facts->is_disk_full)
        return ": the disk is full";
    if (facts->has_status && facts->status.is_signaled && facts->status.exit_code == SIGKILL)
        return ": by somebody's hand or the kernel's out-of-memory killer (see dmesg)";
    return "";
}

char *
death_explain(const struct death_facts *facts)
{
    CLEANUP(freep)
    char *how = facts->has_status ? child_status_text(&facts->status)
                                  : xstrdup("ended (its exit status is not known here)");
    bool ended_by_itself = facts->has_status && !facts->status.is_signaled;
    CLEANUP(freep) char *line = death_telling_line(facts->log_text, ended_by_itself);
    return xasprintf("mysqld (pid %d) %s%s%s%s%s%s", (int)facts->pid, how, likely_cause(facts),
                     facts->is_disk_full ? " at " : "",
                     facts->is_disk_full ? facts->data_directory : "",
                     line[0] != '\0' ? "; its log says: " : "", line);
}

int64_t
death_parse_memory_kills(const char *text)
{
    const char *found = text;
    while ((found = strstr(found, "oom_kill ")) != NULL) {
        if (found == text || found[-1] == '\n')
            return strtoll(found + strlen("oom_kill "), NULL, 10);
        found++;
    }
    return 0;
}

static int64_t
memory_kills_in(const char *path)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read(path, 64 * 1024, &text);
    return error == NULL ? death_parse_memory_kills(buffer_text(&text)) : 0;
}

/* One line of /proc/self/cgroup: "0::/path" (version 2) or "5:memory:/path" (version 1). */
static int64_t
memory_kills_of_group(const char *line)
{
    const char *controllers = strchr(line, ':');
    const char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL)
        return 0;
    CLEANUP(freep) char *names = xstrndup(controllers, (size_t)(path - controllers));
    CLEANUP(freep) char *file = NULL;
    if (str_equal(names, ":"))
        file = xasprintf("/sys/fs/cgroup%s/memory.events", path + 1);
    else if (strstr(names, "memory") != NULL)
        file = xasprintf("/sys/fs/cgroup/memory%s/memory.oom_control", path + 1);
    return file == NULL ? 0 : memory_kills_in(file);
}

int64_t
death_memory_kills(void)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read("/proc/self/cgroup", 64 * 1024, &text);
    if (error != NULL)
        return 0;
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    strv_split(&lines, buffer_text(&text), '\n');
    int64_t kills = 0;
    for (size_t i = 0; i < lines.count; i++)
        kills += memory_kills_of_group(lines.items[i]);
    return kills;
}

bool
death_is_disk_full(const char *data_directory, const char *log_text)
{
    if (log_text != NULL &&
        (strstr(log_text, "No space left on device") != NULL ||
         strstr(log_text, "OS errno 28") != NULL || strstr(log_text, "Errcode: 28") != NULL))
        return true;
    uint64_t free_bytes = 0, total_bytes = 0;
    CLEANUP(error_freep)
    struct error *error = file_system_space(data_directory, &free_bytes, &total_bytes);
    return error == NULL && total_bytes > 0 && free_bytes < DISK_FULL_BYTES;
}

int64_t
death_log_size(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    return status.st_size;
}

char *
death_log_since(const char *path, int64_t offset)
{
    int64_t size = death_log_size(path);
    if (offset > size) /* rotated meanwhile */
        offset = 0;
    if (size - offset > LOG_TAIL_BYTES)
        offset = size - LOG_TAIL_BYTES;
    CLEANUP(closep) int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (size == 0 || descriptor < 0)
        return xstrdup("");
    char *text = xmalloc(LOG_TAIL_BYTES + 1);
    ssize_t count = pread(descriptor, text, (size_t)(size - offset), offset);
    text[count > 0 ? count : 0] = '\0';
    return text;
}
