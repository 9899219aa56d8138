/* A few blocks between two threads, one that fills and one that empties: so that reading,
 * decompressing and writing of one stream overlap. */
#ifndef VTAGENT_BACKUP_BLOCK_QUEUE_H
#define VTAGENT_BACKUP_BLOCK_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/error.h"

#define BLOCK_QUEUE_BYTES (256u * 1024) /* of one block */
#define BLOCK_QUEUE_LENGTH 4u

struct block_queue {
    pthread_mutex_t lock; /* guards all but the bytes of blocks */
    pthread_cond_t changed;
    uint8_t *blocks[BLOCK_QUEUE_LENGTH];
    size_t sizes[BLOCK_QUEUE_LENGTH];
    size_t first, count;
    bool has_ended, is_stopped;
    struct error *error; /* of the side that gave up first */
};
void block_queue_init(struct block_queue *queue);
void block_queue_done(struct block_queue *queue);

/* The filling side. NULL: the other side stopped. */
uint8_t *block_queue_slot(struct block_queue *queue);
void block_queue_push(struct block_queue *queue, size_t size); /* of the slot */
void block_queue_end(struct block_queue *queue, struct error *take_error);

/* The emptying side. False: the end, or an error of the other side. */
bool block_queue_peek(struct block_queue *queue, const uint8_t **ret_bytes, size_t *ret_size);
void block_queue_pop(struct block_queue *queue);
void block_queue_stop(struct block_queue *queue, struct error *take_error);

/* What either side gave up for, once; NULL: nothing. */
struct error *block_queue_take_error(struct block_queue *queue) ERROR_MUST_CHECK;

#endif
