#include "backup/gcs/gcs_lanes.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "agent/base/memory.h"
#include "agent/base/worker.h"

#define GLANCE_NS 100000000L

struct gcs_lanes {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* more room, or fewer errands */
    struct worker *worker;  /* NULL until something is submitted */
    size_t used_bytes, errands;
};
struct errand {
    struct gcs_lanes *lanes;
    void (*function)(void *);
    void *data;
};

struct gcs_lanes *
gcs_lanes_new(void)
{
    struct gcs_lanes *lanes = xcalloc(1, sizeof(*lanes));
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->changed, NULL);
    return lanes;
}

void
gcs_lanes_free(struct gcs_lanes *lanes)
{
    if (lanes == NULL)
        return;
    worker_free(lanes->worker);
    pthread_mutex_destroy(&lanes->lock);
    pthread_cond_destroy(&lanes->changed);
    free(lanes);
}

static void
run(void *data)
{
    struct errand *errand = data;
    struct gcs_lanes *lanes = errand->lanes;
    errand->function(errand->data);
    free(errand);
    pthread_mutex_lock(&lanes->lock);
    lanes->errands--;
    pthread_cond_broadcast(&lanes->changed);
    pthread_mutex_unlock(&lanes->lock);
}

struct error *
gcs_lanes_submit(struct gcs_lanes *lanes, void (*function)(void *), void *data)
{
    const struct errand errand = {lanes, function, data};
    struct error *error = NULL;
    pthread_mutex_lock(&lanes->lock);
    if (lanes->worker == NULL)
        error = worker_new("gcs", GCS_LANES, &lanes->worker);
    if (error == NULL)
        lanes->errands++;
    pthread_mutex_unlock(&lanes->lock);
    TRY(error);
    worker_submit(lanes->worker, run, xmemdup(&errand, sizeof(errand)));
    return NULL;
}

struct error *
gcs_lanes_wait_idle(struct gcs_lanes *lanes, struct cancel *cancel)
{
    struct error *error = NULL;
    pthread_mutex_lock(&lanes->lock);
    while (lanes->errands > 0 && (error = cancel_check(cancel)) == NULL) {
        struct timespec until = gcs_lanes_glance();
        pthread_cond_timedwait(&lanes->changed, &lanes->lock, &until);
    }
    pthread_mutex_unlock(&lanes->lock);
    return error;
}

struct timespec
gcs_lanes_glance(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += GLANCE_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

/* With the lock. */
static bool
take_if_room(struct gcs_lanes *lanes, size_t size)
{
    if (lanes->used_bytes > 0 && lanes->used_bytes + size > GCS_LANES_BYTES)
        return false;
    lanes->used_bytes += size;
    return true;
}

bool
gcs_lanes_try_take(struct gcs_lanes *lanes, size_t size)
{
    pthread_mutex_lock(&lanes->lock);
    bool is_taken = take_if_room(lanes, size);
    pthread_mutex_unlock(&lanes->lock);
    return is_taken;
}

struct error *
gcs_lanes_take(struct gcs_lanes *lanes, size_t size, struct cancel *cancel)
{
    struct error *error = NULL;
    pthread_mutex_lock(&lanes->lock);
    while (!take_if_room(lanes, size) && (error = cancel_check(cancel)) == NULL) {
        struct timespec until = gcs_lanes_glance();
        pthread_cond_timedwait(&lanes->changed, &lanes->lock, &until);
    }
    pthread_mutex_unlock(&lanes->lock);
    return error;
}

void
gcs_lanes_force(struct gcs_lanes *lanes, size_t size)
{
    pthread_mutex_lock(&lanes->lock);
    lanes->used_bytes += size;
    pthread_mutex_unlock(&lanes->lock);
}

void
gcs_lanes_give(struct gcs_lanes *lanes, size_t size)
{
    pthread_mutex_lock(&lanes->lock);
    lanes->used_bytes -= size;
    pthread_cond_broadcast(&lanes->changed);
    pthread_mutex_unlock(&lanes->lock);
}
