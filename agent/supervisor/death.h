/* Why mysqld ended, in one line for people. */
#ifndef VTAGENT_SUPERVISOR_DEATH_H
#define VTAGENT_SUPERVISOR_DEATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/child.h"

struct death_facts {
    pid_t pid;
    bool has_status; /* false: not our child, its exit status went to somebody else */
    struct child_status status;
    bool has_memory_kill; /* the control group killed for memory since the start */
    bool is_disk_full;
    const char *data_directory;
    const char *log_text; /* what mysqld wrote to its error log since it was started; may be NULL */
};

/* "mysqld (pid 12) was killed by signal 9 (Killed): out of memory …; its log says: …". Caller
 * frees. Pure. */
char *death_explain(const struct death_facts *facts);
/* The log line that tells most: the last with an error, else, with takes_last, the last that is not
 * blank; "" when there is none. Caller frees. Pure. */
char *death_telling_line(const char *log_text, bool takes_last);

/* Processes killed so far for lack of memory in our control group (version 1 or 2); 0 when the
 * kernel does not say. */
int64_t death_memory_kills(void);
/* The "oom_kill" count of a memory.events or memory.oom_control file's text. Pure. */
int64_t death_parse_memory_kills(const char *text);
bool death_is_disk_full(const char *data_directory, const char *log_text);

/* The size of a log file now, and later what was appended to it since (at most the last 64 kB).
 * Missing files and files that are not regular count as empty. Caller frees. */
int64_t death_log_size(const char *path);
char *death_log_since(const char *path, int64_t offset);

#endif
