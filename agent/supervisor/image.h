/* The image: a staging folder that shares the blocks of a server's files (reflinks, FICLONE), taken
 * while mysqld is paused. What it holds is what a power failure at that instant would have left.
 *
 * Blocking; one thread. Only the supervisor's: it runs as mysqld's user, beside it. */
#ifndef VTAGENT_SUPERVISOR_IMAGE_H
#define VTAGENT_SUPERVISOR_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/error.h"

/* Folders of the server, absolute, and where each goes below the staging folder. The last ones hold
 * the redo log: no page in the image may be newer than its redo. */
struct image_root {
    const char *source;
    const char *target; /* "data", "innodb/data", "innodb/logs" */
};

/* FAILED_PRECONDITION with the reason when files below `source` cannot be shared into `staging`
 * (tried with one small file). */
struct error *image_probe(const char *source, const char *staging) ERROR_MUST_CHECK;

/* Lists the files, makes the folders of the image, opens source and target of each: all that can be
 * done before the pause. Left out: temporary tablespaces, sockets, pid files. Modes are the
 * source's. The staging folder must not exist. */
struct image_plan;
struct error *image_plan_new(const struct image_root *roots, size_t root_count, const char *staging,
                             struct image_plan **ret_plan) ERROR_MUST_CHECK;
/* Shares every file's blocks: data first, redo last. ABORTED when a file appeared or vanished since
 * the plan was made: take a new one. */
struct error *image_plan_share(struct image_plan *plan) ERROR_MUST_CHECK;
size_t image_plan_file_count(const struct image_plan *plan);
uint64_t image_plan_bytes(const struct image_plan *plan);
void image_plan_free(struct image_plan *plan);
void image_plan_freep(struct image_plan **plan);

#endif
