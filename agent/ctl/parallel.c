#include "agent/ctl/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/base/memory.h"

struct item {
    const struct parallel *parallel;
    size_t index;
    pthread_t thread;
    bool has_thread;
};

struct parallel {
    parallel_function function;
    void *data;
    size_t count;
    struct item items[];
};

static void *
run_item(void *data)
{
    const struct item *item = data;
    item->parallel->function(item->index, item->parallel->data);
    return NULL;
}

struct parallel *
parallel_start(size_t count, parallel_function function, void *data)
{
    struct parallel *parallel = xcalloc(1, sizeof(*parallel) + count * sizeof(struct item));
    parallel->function = function;
    parallel->data = data;
    parallel->count = count;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    for (size_t i = 0; i < count; i++) {
        struct item *item = &parallel->items[i];
        item->parallel = parallel;
        item->index = i;
        item->has_thread = pthread_create(&item->thread, NULL, run_item, item) == 0;
        if (!item->has_thread)
            run_item(item); /* slower, but done */
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return parallel;
}

void
parallel_join(struct parallel *parallel)
{
    if (parallel == NULL)
        return;
    for (size_t i = 0; i < parallel->count; i++) {
        if (parallel->items[i].has_thread)
            pthread_join(parallel->items[i].thread, NULL);
    }
    free(parallel);
}

void
parallel_run(size_t count, parallel_function function, void *data)
{
    parallel_join(parallel_start(count, function, data));
}
