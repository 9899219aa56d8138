#include "backup/rate.h"

#include <time.h>

#define NS_PER_SECOND 1000000000LL
#define NS_PER_MS 1000000LL

void
rate_init(struct rate *rate, uint64_t bytes_per_second)
{
    rate->bytes_per_second = bytes_per_second;
    rate->free_at_ns = 0;
    pthread_mutex_init(&rate->lock, NULL);
}

void
rate_done(struct rate *rate)
{
    pthread_mutex_destroy(&rate->lock);
}

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

struct error *
rate_take(struct rate *rate, uint64_t bytes, struct cancel *cancel)
{
    if (rate->bytes_per_second == 0)
        return NULL;
    double seconds = (double)bytes / (double)rate->bytes_per_second;
    int64_t now = now_ns();
    pthread_mutex_lock(&rate->lock);
    int64_t start = rate->free_at_ns > now ? rate->free_at_ns : now;
    rate->free_at_ns = start + (int64_t)(seconds * (double)NS_PER_SECOND);
    pthread_mutex_unlock(&rate->lock);
    int64_t wait_ms = (start - now) / NS_PER_MS;
    return wait_ms > 0 ? cancel_sleep_ms(cancel, wait_ms) : NULL;
}
