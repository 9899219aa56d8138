/* Lines from the worker to the agent, on the worker's standard output:
 *   progress DONE TOTAL TEXT    bytes
 *   log LEVEL TEXT              logutil.Level's number
 *   result KEY VALUE
 *   check VERDICT NAME SEEN\tADVICE
 *   error CODE TEXT             an error_code's number; the last line
 *   stuck TEXT                  UNAVAILABLE, and the worker cannot end: a call to its storage does
 *                               not return
 * Newlines in texts become blanks. */
#ifndef VTAGENT_JOB_WORKER_OUTPUT_H
#define VTAGENT_JOB_WORKER_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "backup/check.h"

struct worker_output {
    int descriptor;
    struct cancel *cancel; /* asked to end when the agent does not read any more */
};
void worker_output_progress(const struct worker_output *output, uint64_t done, uint64_t total,
                            const char *text);
void worker_output_log(const struct worker_output *output, int level, const char *text);
void worker_output_result(const struct worker_output *output, const char *key, const char *value);
void worker_output_check(const struct worker_output *output, const char *name,
                         const struct check_result *result);
void worker_output_error(const struct worker_output *output, const struct error *error);
void worker_output_stuck(const struct worker_output *output, const char *text);

/* What the agent does with them; any function may be NULL. */
struct worker_events {
    void (*on_start)(int pid, void *data);
    void (*on_progress)(uint64_t done, uint64_t total, const char *text, void *data);
    void (*on_log)(int level, const char *text, void *data);
    void (*on_result)(const char *key, const char *value, void *data);
    void (*on_check)(const char *name, const struct check_result *result, void *data);
    /* It ended by a signal that was not ours, and told no error. */
    void (*on_killed)(void *data);
    /* It does not end, not even by SIGKILL: the kernel holds it. `text` says for what. */
    void (*on_left)(int pid, const char *text, void *data);
    void *data;
};
/* One line without its newline. An error line replaces *error; a line that makes no sense is
 * dropped: the worker is our own program, but it may die in the middle of one. True: it is stuck,
 * and *error says in what. */
bool worker_output_read(const char *line, const struct worker_events *events, struct error **error);

#endif
