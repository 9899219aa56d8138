/* A named pool of threads with a FIFO queue. One thread makes it a serial queue: the action lock.
 */
#ifndef VTAGENT_BASE_WORKER_H
#define VTAGENT_BASE_WORKER_H

#include <stddef.h>

#include "agent/base/error.h"

struct worker;
typedef void (*worker_function)(void *data);

/* All signals are blocked in its threads. */
struct error *worker_new(const char *name, size_t thread_count,
                         struct worker **ret_worker) ERROR_MUST_CHECK;
/* Any thread. Runs function(data) on one of the threads. */
void worker_submit(struct worker *worker, worker_function function, void *data);
/* Jobs waiting and running. Any thread. */
size_t worker_pending(const struct worker *worker);
/* Runs what is queued, joins, frees. NULL is fine. */
void worker_free(struct worker *worker);

#endif
