/* The threads that carry a storage's bytes, and the memory these bytes may take while they wait for
 * their turn: a bound for all of its streams together. Any thread. */
#ifndef VTAGENT_BACKUP_GCS_LANES_H
#define VTAGENT_BACKUP_GCS_LANES_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/cancel.h"

#define GCS_LANES 8u
#define GCS_LANES_BYTES (24u << 20)

struct gcs_lanes;
struct gcs_lanes *gcs_lanes_new(void);
/* Waits until nothing runs. */
void gcs_lanes_free(struct gcs_lanes *lanes);
/* Runs function(data) on one of the threads, in the order of submitting. It must never wait for
 * something that another one has to do. Starts the threads the first time. */
struct error *gcs_lanes_submit(struct gcs_lanes *lanes, void (*function)(void *),
                               void *data) ERROR_MUST_CHECK;
/* Waits until nothing of what was submitted is left. */
struct error *gcs_lanes_wait_idle(struct gcs_lanes *lanes, struct cancel *cancel) ERROR_MUST_CHECK;
/* Takes memory if there is room, or if nobody has any. */
bool gcs_lanes_try_take(struct gcs_lanes *lanes, size_t size);
/* Waits for room. */
struct error *gcs_lanes_take(struct gcs_lanes *lanes, size_t size,
                             struct cancel *cancel) ERROR_MUST_CHECK;
/* Takes it in any case. */
void gcs_lanes_force(struct gcs_lanes *lanes, size_t size);
void gcs_lanes_give(struct gcs_lanes *lanes, size_t size);

/* For a wait on a condition: some time from now, after which a cancel is looked at again. */
struct timespec gcs_lanes_glance(void);

#endif
