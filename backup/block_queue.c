#include "backup/block_queue.h"

#include <stdlib.h>

#include "agent/base/memory.h"

void
block_queue_init(struct block_queue *queue)
{
    *queue = (struct block_queue){.first = 0};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    for (size_t i = 0; i < BLOCK_QUEUE_LENGTH; i++)
        queue->blocks[i] = xmalloc(BLOCK_QUEUE_BYTES);
}

void
block_queue_done(struct block_queue *queue)
{
    for (size_t i = 0; i < BLOCK_QUEUE_LENGTH; i++)
        free(queue->blocks[i]);
    error_free(queue->error);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

uint8_t *
block_queue_slot(struct block_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == BLOCK_QUEUE_LENGTH && !queue->is_stopped)
        pthread_cond_wait(&queue->changed, &queue->lock);
    size_t slot = (queue->first + queue->count) % BLOCK_QUEUE_LENGTH;
    uint8_t *block = queue->is_stopped ? NULL : queue->blocks[slot];
    pthread_mutex_unlock(&queue->lock);
    return block;
}

void
block_queue_push(struct block_queue *queue, size_t size)
{
    pthread_mutex_lock(&queue->lock);
    queue->sizes[(queue->first + queue->count) % BLOCK_QUEUE_LENGTH] = size;
    queue->count++;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void
block_queue_end(struct block_queue *queue, struct error *take_error)
{
    pthread_mutex_lock(&queue->lock);
    queue->has_ended = true;
    queue->error = error_first(queue->error, take_error);
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

bool
block_queue_peek(struct block_queue *queue, const uint8_t **ret_bytes, size_t *ret_size)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->has_ended)
        pthread_cond_wait(&queue->changed, &queue->lock);
    bool has_block = queue->count > 0 && queue->error == NULL;
    if (has_block) {
        *ret_bytes = queue->blocks[queue->first];
        *ret_size = queue->sizes[queue->first];
    }
    pthread_mutex_unlock(&queue->lock);
    return has_block;
}

void
block_queue_pop(struct block_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->first = (queue->first + 1) % BLOCK_QUEUE_LENGTH;
    queue->count--;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void
block_queue_stop(struct block_queue *queue, struct error *take_error)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_stopped = true;
    queue->error = error_first(queue->error, take_error);
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

struct error *
block_queue_take_error(struct block_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct error *error = queue->error;
    queue->error = NULL;
    pthread_mutex_unlock(&queue->lock);
    return error;
}
