#include "backup/pipeline.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "agent/base/memory.h"
#include "backup/backup.h"

#define TICK_SECONDS 1

struct pipeline_state {
    const struct pipeline *pipeline;
    struct cancel *cancel;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t ended;
    size_t next_item;
    int running;
    struct error *error;
};

/* False when there is nothing to start any more. */
static bool
take_item(struct pipeline_state *state, size_t *ret_item)
{
    pthread_mutex_lock(&state->lock);
    bool has_item = state->error == NULL && state->next_item < state->pipeline->item_count;
    if (has_item)
        *ret_item = state->next_item++;
    pthread_mutex_unlock(&state->lock);
    return has_item;
}

static void
record_error(struct pipeline_state *state, struct error *take_error)
{
    if (take_error == NULL)
        return;
    pthread_mutex_lock(&state->lock);
    bool is_first = state->error == NULL;
    if (is_first)
        state->error = take_error;
    pthread_mutex_unlock(&state->lock);
    if (is_first)
        cancel_request(state->cancel);
    else
        error_free(take_error);
}

static void *
work(void *data)
{
    struct pipeline_state *state = data;
    const struct pipeline *pipeline = state->pipeline;
    void *worker = pipeline->worker_new == NULL ? NULL : pipeline->worker_new(pipeline->data);
    size_t item;
    while (take_item(state, &item)) {
        struct error *error = cancel_check(state->cancel);
        if (error == NULL)
            error = pipeline->run(item, worker, state->cancel, pipeline->data);
        record_error(state, error);
    }
    if (pipeline->worker_free != NULL)
        pipeline->worker_free(worker);
    pthread_mutex_lock(&state->lock);
    state->running--;
    pthread_cond_signal(&state->ended);
    pthread_mutex_unlock(&state->lock);
    return NULL;
}

/* Signals belong to the main thread, whose handler asks for the end. */
static int
start_thread(struct pipeline_state *state, pthread_t *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&state->lock);
    state->running++;
    pthread_mutex_unlock(&state->lock);
    int result = pthread_create(thread, NULL, work, state);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        return 0;
    pthread_mutex_lock(&state->lock);
    state->running--;
    pthread_mutex_unlock(&state->lock);
    return result;
}

static void
wait_with_ticks(struct pipeline_state *state)
{
    const struct pipeline *pipeline = state->pipeline;
    pthread_mutex_lock(&state->lock);
    while (state->running > 0) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += TICK_SECONDS;
        pthread_cond_timedwait(&state->ended, &state->lock, &until);
        if (pipeline->tick != NULL && state->running > 0) {
            pthread_mutex_unlock(&state->lock);
            pipeline->tick(pipeline->data);
            pthread_mutex_lock(&state->lock);
        }
    }
    pthread_mutex_unlock(&state->lock);
    if (pipeline->tick != NULL)
        pipeline->tick(pipeline->data);
}

static void
run_threads(struct pipeline_state *state, int count)
{
    pthread_t threads[BACKUP_THREADS_MOST];
    int started = 0, result = 0;
    while (started < count && (result = start_thread(state, &threads[started])) == 0)
        started++;
    if (started == 0)
        record_error(state, error_from_errno(result, "start a thread"));
    wait_with_ticks(state);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

struct error *
pipeline_run(const struct pipeline *pipeline, struct cancel *cancel)
{
    if (pipeline->threads < 1 || pipeline->threads > BACKUP_THREADS_MOST)
        return error_new(ERROR_INVALID_ARGUMENT, "concurrency %d: 1 to %d", pipeline->threads,
                         BACKUP_THREADS_MOST);
    struct pipeline_state state = {.pipeline = pipeline,
                                   .cancel = cancel_new_child(cancel, INT64_MAX)};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&state.ended, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&state.lock, NULL);
    size_t useful = pipeline->item_count < (size_t)pipeline->threads ? pipeline->item_count
                                                                     : (size_t)pipeline->threads;
    run_threads(&state, useful == 0 ? 1 : (int)useful);
    pthread_mutex_destroy(&state.lock);
    pthread_cond_destroy(&state.ended);
    cancel_unref(state.cancel);
    return state.error;
}
