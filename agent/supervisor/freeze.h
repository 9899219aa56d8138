/* Freezing mysqld for the moment in which an image of its files is taken.
 *
 * A guard process continues mysqld when this process dies in between or takes too long: SIGKILL at
 * any point leaves no stopped mysqld. Blocking; the supervisor's action thread. */
#ifndef VTAGENT_SUPERVISOR_FREEZE_H
#define VTAGENT_SUPERVISOR_FREEZE_H

#include <sys/types.h>

#include "agent/supervisor/image.h"

struct freeze_result {
    int64_t pause_us; /* from the stop until mysqld went on */
    size_t file_count;
    uint64_t bytes;
};

/* Pauses `pid` for at most most_pause_ms and shares its files into `staging`. On failure the
 * staging folder is removed and mysqld goes on in every case. DEADLINE_EXCEEDED when the pause got
 * too long, ABORTED when files kept changing. */
struct error *freeze_take(pid_t pid, const struct image_root *roots, size_t root_count,
                          const char *staging, int64_t most_pause_ms,
                          struct freeze_result *ret_result) ERROR_MUST_CHECK;

/* Continues a mysqld that was left stopped (after both the supervisor and its guard were killed).
 */
void freeze_release(pid_t pid);

/* `vtagent guard PID MILLISECONDS` (internal): waits for the end of its input or the time, then
 * continues PID. */
int guard_main(int argc, char **argv);

#endif
