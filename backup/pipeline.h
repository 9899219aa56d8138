/* Many items, a few threads, the first error stops all. */
#ifndef VTAGENT_BACKUP_PIPELINE_H
#define VTAGENT_BACKUP_PIPELINE_H

#include <stddef.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

struct pipeline {
    int threads;       /* 1 to BACKUP_THREADS_MOST */
    size_t item_count; /* run() is called once for each, in this order of starting */
    /* What a thread keeps between items; both NULL: nothing. On that thread. */
    void *(*worker_new)(void *data);
    void (*worker_free)(void *worker);
    /* On one of the threads; `cancel` also ends when another item failed. */
    struct error *(*run)(size_t item, void *worker, struct cancel *cancel, void *data);
    void (*tick)(void *data); /* on the caller's thread, about once a second and at the end */
    void *data;
};
/* Returns when no thread runs any more. The first failure is the result, not its echoes. */
struct error *pipeline_run(const struct pipeline *pipeline, struct cancel *cancel) ERROR_MUST_CHECK;

#endif
