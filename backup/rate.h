/* A limit of bytes per second that several threads share. */
#ifndef VTAGENT_BACKUP_RATE_H
#define VTAGENT_BACKUP_RATE_H

#include <pthread.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

struct rate {
    uint64_t bytes_per_second; /* 0: no limit */
    pthread_mutex_t lock;
    int64_t free_at_ns; /* when what was granted so far is used up */
};
void rate_init(struct rate *rate, uint64_t bytes_per_second);
void rate_done(struct rate *rate);
/* Waits for the turn of these bytes. */
struct error *rate_take(struct rate *rate, uint64_t bytes, struct cancel *cancel) ERROR_MUST_CHECK;

#endif
