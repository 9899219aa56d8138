/* Calls to many tablets at once: one thread each. */
#ifndef VTAGENT_CTL_PARALLEL_H
#define VTAGENT_CTL_PARALLEL_H

#include <stddef.h>

typedef void (*parallel_function)(size_t index, void *data);
struct parallel;

/* Starts function(i, data) for i < count, each on a thread of its own. */
struct parallel *parallel_start(size_t count, parallel_function function, void *data);
/* Waits for all and frees; NULL is fine. */
void parallel_join(struct parallel *parallel);
/* Both. */
void parallel_run(size_t count, parallel_function function, void *data);

#endif
