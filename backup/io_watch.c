#include "backup/io_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"

#define LOOKS 20
#define LOOK_MOST_MS 250

struct io_watch {
    struct io_watch_options options;
    char *name;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_ending;
    struct io_call *calls; /* under way */
    int64_t canceled_ms;   /* when the token was first seen to have ended; 0: not yet */
};

/* The call that has waited longest. */
static const struct io_call *
oldest(const struct io_watch *watch)
{
    const struct io_call *found = watch->calls;
    for (const struct io_call *call = watch->calls; call != NULL; call = call->next) {
        if (call->start_ms < found->start_ms)
            found = call;
    }
    return found;
}

static bool
is_overdue(const struct io_watch *watch, const struct io_call *call, int64_t now_ms)
{
    if (now_ms - call->start_ms >= watch->options.timeout_ms)
        return true;
    int64_t since_ms = watch->canceled_ms > call->start_ms ? watch->canceled_ms : call->start_ms;
    return watch->canceled_ms != 0 && now_ms - since_ms >= watch->options.cancel_ms;
}

/* NULL: all is well. Caller frees. */
static char *
complaint(struct io_watch *watch)
{
    int64_t now_ms = clock_monotonic_ms();
    if (watch->canceled_ms == 0 && cancel_is_requested(watch->options.cancel))
        watch->canceled_ms = now_ms;
    const struct io_call *call = oldest(watch);
    if (call == NULL || !is_overdue(watch, call, now_ms))
        return NULL;
    return xasprintf("backup storage '%s' does not answer: %s '%s' has taken %.1f s so far: see "
                     "whether its mount hangs",
                     watch->name, call->verb, call->path,
                     (double)(now_ms - call->start_ms) / 1000.0);
}

static void
sleep_until_next_look(struct io_watch *watch)
{
    struct timespec until;
    int64_t pause_ms = watch->options.timeout_ms / LOOKS + 1;
    if (pause_ms > LOOK_MOST_MS)
        pause_ms = LOOK_MOST_MS;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += pause_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&watch->ended, &watch->lock, &until);
}

static void *
look(void *data)
{
    struct io_watch *watch = data;
    char *text = NULL;
    pthread_mutex_lock(&watch->lock);
    while (!watch->is_ending && text == NULL) {
        text = complaint(watch);
        if (text == NULL)
            sleep_until_next_look(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    if (text != NULL)
        watch->options.on_stuck(text, watch->options.data);
    free(text);
    return NULL;
}

static void
watch_done(struct io_watch *watch)
{
    pthread_cond_destroy(&watch->ended);
    pthread_mutex_destroy(&watch->lock);
    free(watch->name);
    free(watch);
}

struct error *
io_watch_new(const struct io_watch_options *options, struct io_watch **ret_watch)
{
    pthread_condattr_t attributes;
    struct io_watch *watch = xcalloc(1, sizeof(*watch));
    watch->options = *options;
    watch->name = xstrdup(options->name);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    int value = pthread_create(&watch->thread, NULL, look, watch);
    if (value != 0) {
        watch_done(watch);
        return error_from_errno(value, "start the thread that watches the backup storage");
    }
    *ret_watch = watch;
    return NULL;
}

void
io_watch_free(struct io_watch *watch)
{
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->is_ending = true;
    pthread_cond_signal(&watch->ended);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    watch_done(watch);
}

void
io_watch_begin(struct io_watch *watch, struct io_call *call, const char *verb, const char *path)
{
    if (watch == NULL)
        return;
    int value = errno;
    *call = (struct io_call){.verb = verb, .path = path, .start_ms = clock_monotonic_ms()};
    pthread_mutex_lock(&watch->lock);
    call->next = watch->calls;
    if (call->next != NULL)
        call->next->previous = call;
    watch->calls = call;
    pthread_mutex_unlock(&watch->lock);
    errno = value;
}

void
io_watch_end(struct io_watch *watch, struct io_call *call)
{
    if (watch == NULL)
        return;
    int value = errno;
    pthread_mutex_lock(&watch->lock);
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        watch->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    pthread_mutex_unlock(&watch->lock);
    errno = value;
}
