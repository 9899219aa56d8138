/* A token is asked to end through an eventfd, so that a poll() sees it. Children are linked below
 * their parent under the parent's lock; a request goes down the tree. */
#include "agent/base/cancel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"

struct cancel {
    atomic_int references;
    atomic_bool is_requested;
    int64_t deadline_ms;
    int descriptor;
    struct cancel *parent;
    pthread_mutex_t lock; /* guards the list of children and, below it, their links */
    struct cancel *first_child, *next, **link;
};

struct cancel *
cancel_new(int64_t deadline_monotonic_ms)
{
    struct cancel *cancel = xcalloc(1, sizeof(*cancel));
    atomic_init(&cancel->references, 1);
    cancel->deadline_ms = deadline_monotonic_ms;
    cancel->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&cancel->lock, NULL);
    return cancel;
}

struct cancel *
cancel_new_child(struct cancel *parent, int64_t timeout_ms)
{
    int64_t now = clock_monotonic_ms();
    int64_t deadline = timeout_ms >= INT64_MAX - now ? INT64_MAX : now + timeout_ms;
    if (parent == NULL)
        return cancel_new(deadline);
    struct cancel *child =
        cancel_new(deadline < parent->deadline_ms ? deadline : parent->deadline_ms);
    child->parent = cancel_ref(parent);
    pthread_mutex_lock(&parent->lock);
    child->next = parent->first_child;
    child->link = &parent->first_child;
    if (child->next != NULL)
        child->next->link = &child->next;
    parent->first_child = child;
    bool is_late = atomic_load(&parent->is_requested);
    pthread_mutex_unlock(&parent->lock);
    if (is_late)
        cancel_request(child);
    return child;
}

struct cancel *
cancel_ref(struct cancel *cancel)
{
    if (cancel != NULL)
        atomic_fetch_add(&cancel->references, 1);
    return cancel;
}

void
cancel_unref(struct cancel *cancel)
{
    if (cancel == NULL)
        return;
    struct cancel *parent = cancel->parent;
    if (parent != NULL)
        pthread_mutex_lock(&parent->lock); /* a request of the parent must not meet a dead child */
    bool is_last = atomic_fetch_sub(&cancel->references, 1) == 1;
    if (is_last && parent != NULL) {
        *cancel->link = cancel->next;
        if (cancel->next != NULL)
            cancel->next->link = cancel->link;
    }
    if (parent != NULL)
        pthread_mutex_unlock(&parent->lock);
    if (!is_last)
        return;
    if (cancel->descriptor >= 0)
        close(cancel->descriptor);
    pthread_mutex_destroy(&cancel->lock);
    free(cancel);
    cancel_unref(parent);
}

void
cancel_unrefp(struct cancel **cancel)
{
    cancel_unref(*cancel);
    *cancel = NULL;
}

void
cancel_request(struct cancel *cancel)
{
    if (cancel == NULL)
        return;
    pthread_mutex_lock(&cancel->lock);
    if (!atomic_exchange(&cancel->is_requested, true) && cancel->descriptor >= 0) {
        uint64_t one = 1;
        ssize_t ignored = write(cancel->descriptor, &one, sizeof(one));
        (void)ignored;
    }
    for (struct cancel *child = cancel->first_child; child != NULL; child = child->next)
        cancel_request(child);
    pthread_mutex_unlock(&cancel->lock);
}

int64_t
cancel_deadline_ms(const struct cancel *cancel)
{
    return cancel == NULL ? INT64_MAX : cancel->deadline_ms;
}

int64_t
cancel_remaining_ms(const struct cancel *cancel)
{
    if (cancel == NULL || cancel->deadline_ms == INT64_MAX)
        return INT64_MAX;
    int64_t left = cancel->deadline_ms - clock_monotonic_ms();
    return left > 0 ? left : 0;
}

bool
cancel_is_requested(const struct cancel *cancel)
{
    return cancel != NULL &&
           (atomic_load(&cancel->is_requested) || cancel_remaining_ms(cancel) == 0);
}

struct error *
cancel_check(const struct cancel *cancel)
{
    if (cancel == NULL)
        return NULL;
    if (cancel_remaining_ms(cancel) == 0)
        return error_new(ERROR_DEADLINE_EXCEEDED, "deadline exceeded");
    if (atomic_load(&cancel->is_requested))
        return error_new(ERROR_CANCELED, "canceled");
    return NULL;
}

int
cancel_descriptor(struct cancel *cancel)
{
    return cancel == NULL ? -1 : cancel->descriptor;
}

struct error *
cancel_sleep_ms(struct cancel *cancel, int64_t milliseconds)
{
    int64_t end = clock_monotonic_ms() + milliseconds;
    for (;;) {
        TRY(cancel_check(cancel));
        int64_t left = end - clock_monotonic_ms();
        if (left <= 0)
            return NULL;
        int64_t to_deadline = cancel_remaining_ms(cancel);
        if (to_deadline < left)
            left = to_deadline;
        struct pollfd watched = {.fd = cancel_descriptor(cancel), .events = POLLIN};
        poll(&watched, 1, left > 60000 ? 60000 : (int)left);
    }
}
