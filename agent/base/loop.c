/* libevent is used from one thread only; other threads reach the loop through the mailbox: a list
 * under a mutex and an eventfd that libevent watches. So libevent needs no locking of its own. */
#include "agent/base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"

#define SLOW_CALLBACK_MS 100

struct task {
    const char *name;
    loop_function function;
    void *data;
    struct task *next;
};

struct loop_signal {
    struct event *event;
    loop_function function;
    void *data;
    struct loop_signal *next;
};

struct loop {
    struct event_base *base;
    struct event *mailbox_event;
    int mailbox_descriptor;
    pthread_mutex_t lock; /* guards first, last, has_ended, thread */
    struct task *first, **last;
    bool has_ended;
    pthread_t thread; /* the creator's until loop_run() */
    atomic_bool is_stopping;
    struct loop_signal *signals;
};

struct loop_timer {
    struct event *event;
    const char *name;
    loop_function function;
    void *data;
};

struct loop_watch {
    struct event *event;
    loop_function function;
    void *data;
};

static void
run_timed(const char *name, loop_function function, void *data)
{
    int64_t start = clock_monotonic_ms();
    function(data);
    int64_t spent = clock_monotonic_ms() - start;
    if (spent > SLOW_CALLBACK_MS)
        LOG_DEBUG("loop", "'%s' held the loop for %lld ms", name, (long long)spent);
}

static struct task *
take_tasks(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct task *tasks = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->lock);
    return tasks;
}

static void
run_tasks(struct loop *loop)
{
    struct task *task = take_tasks(loop);
    while (task != NULL) {
        struct task *next = task->next;
        run_timed(task->name, task->function, task->data);
        free(task);
        task = next;
    }
}

static void
on_mailbox(evutil_socket_t descriptor, short what, void *data)
{
    (void)what;
    uint64_t count;
    ssize_t ignored = read(descriptor, &count, sizeof(count));
    (void)ignored;
    run_tasks(data);
}

struct error *
loop_new(struct loop **ret_loop)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    pthread_mutex_init(&loop->lock, NULL);
    loop->last = &loop->first;
    loop->thread = pthread_self();
    loop->mailbox_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->base = event_base_new();
    if (loop->mailbox_descriptor < 0 || loop->base == NULL) {
        int value = errno;
        loop_free(loop);
        return error_from_errno(value, "create the event loop");
    }
    loop->mailbox_event =
        event_new(loop->base, loop->mailbox_descriptor, EV_READ | EV_PERSIST, on_mailbox, loop);
    event_add(loop->mailbox_event, NULL);
    *ret_loop = loop;
    return NULL;
}

void
loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    run_tasks(loop);
    while (loop->signals != NULL) {
        struct loop_signal *next = loop->signals->next;
        event_free(loop->signals->event);
        free(loop->signals);
        loop->signals = next;
    }
    if (loop->mailbox_event != NULL)
        event_free(loop->mailbox_event);
    if (loop->base != NULL)
        event_base_free(loop->base);
    closep(&loop->mailbox_descriptor);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

static void
set_phase(struct loop *loop, bool has_ended)
{
    pthread_mutex_lock(&loop->lock);
    loop->has_ended = has_ended;
    loop->thread = pthread_self();
    pthread_mutex_unlock(&loop->lock);
}

void
loop_run(struct loop *loop)
{
    set_phase(loop, false);
    while (!atomic_load(&loop->is_stopping))
        event_base_loop(loop->base, EVLOOP_ONCE);
    /* What was posted before the end still runs; loop_call() waits for it. */
    run_tasks(loop);
    set_phase(loop, true);
    run_tasks(loop);
}

/* Makes libevent look into the mailbox. */
static void
wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t ignored = write(loop->mailbox_descriptor, &one, sizeof(one));
    (void)ignored;
}

void
loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    wake(loop);
}

void
loop_post(struct loop *loop, const char *name, loop_function function, void *data)
{
    struct task *task = xcalloc(1, sizeof(*task));
    *task = (struct task){.name = name, .function = function, .data = data};
    pthread_mutex_lock(&loop->lock);
    *loop->last = task;
    loop->last = &task->next;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
}

struct waiting_call {
    loop_function function;
    void *data;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

static void
run_waiting_call(void *data)
{
    struct waiting_call *call = data;
    call->function(call->data);
    pthread_mutex_lock(&call->lock);
    call->is_done = true;
    pthread_cond_signal(&call->done);
    pthread_mutex_unlock(&call->lock);
}

/* Queues the call unless the loop has ended or the caller is its thread. Before loop_run() the
 * caller waits for it: libevent must not be touched from two threads. */
static bool
queue_call(struct loop *loop, struct task *task)
{
    pthread_mutex_lock(&loop->lock);
    bool is_queued = !loop->has_ended && !pthread_equal(loop->thread, pthread_self());
    if (is_queued) {
        *loop->last = task;
        loop->last = &task->next;
    }
    pthread_mutex_unlock(&loop->lock);
    return is_queued;
}

void
loop_call(struct loop *loop, const char *name, loop_function function, void *data)
{
    struct waiting_call call = {.function = function, .data = data};
    struct task *task = xcalloc(1, sizeof(*task));
    *task = (struct task){.name = name, .function = run_waiting_call, .data = &call};
    pthread_mutex_init(&call.lock, NULL);
    pthread_cond_init(&call.done, NULL);
    if (queue_call(loop, task)) {
        wake(loop);
        pthread_mutex_lock(&call.lock);
        while (!call.is_done)
            pthread_cond_wait(&call.done, &call.lock);
        pthread_mutex_unlock(&call.lock);
    } else {
        free(task);
        function(data);
    }
    pthread_cond_destroy(&call.done);
    pthread_mutex_destroy(&call.lock);
}

static void
on_timer(evutil_socket_t descriptor, short what, void *data)
{
    (void)descriptor;
    (void)what;
    struct loop_timer *timer = data;
    run_timed(timer->name, timer->function, timer->data);
}

struct loop_timer *
loop_timer_new(struct loop *loop, const char *name, loop_function function, void *data)
{
    struct loop_timer *timer = xcalloc(1, sizeof(*timer));
    *timer = (struct loop_timer){.name = name, .function = function, .data = data};
    timer->event = event_new(loop->base, -1, 0, on_timer, timer);
    return timer;
}

void
loop_timer_start(struct loop_timer *timer, int64_t delay_ms)
{
    struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};
    event_add(timer->event, &delay);
}

void
loop_timer_stop(struct loop_timer *timer)
{
    event_del(timer->event);
}

void
loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL)
        return;
    event_free(timer->event);
    free(timer);
}

static void
on_signal(evutil_socket_t signal_number, short what, void *data)
{
    (void)signal_number;
    (void)what;
    struct loop_signal *handler = data;
    handler->function(handler->data);
}

struct error *
loop_on_signal(struct loop *loop, int signal_number, loop_function function, void *data)
{
    struct loop_signal *handler = xcalloc(1, sizeof(*handler));
    *handler = (struct loop_signal){.function = function, .data = data, .next = loop->signals};
    handler->event = evsignal_new(loop->base, signal_number, on_signal, handler);
    if (handler->event == NULL || evsignal_add(handler->event, NULL) != 0) {
        free(handler);
        return error_new(ERROR_INTERNAL, "cannot handle signal %d", signal_number);
    }
    loop->signals = handler;
    return NULL;
}

static void
on_readable(evutil_socket_t descriptor, short what, void *data)
{
    (void)descriptor;
    (void)what;
    struct loop_watch *watch = data;
    watch->function(watch->data);
}

struct loop_watch *
loop_watch_readable(struct loop *loop, int descriptor, loop_function function, void *data)
{
    struct loop_watch *watch = xcalloc(1, sizeof(*watch));
    *watch = (struct loop_watch){.function = function, .data = data};
    watch->event = event_new(loop->base, descriptor, EV_READ | EV_PERSIST, on_readable, watch);
    event_add(watch->event, NULL);
    return watch;
}

void
loop_unwatch(struct loop_watch *watch)
{
    if (watch == NULL)
        return;
    event_free(watch->event);
    free(watch);
}

bool
loop_is_current(const struct loop *loop)
{
    struct loop *mutable_loop = (struct loop *)loop;
    pthread_mutex_lock(&mutable_loop->lock);
    bool is_current = loop->has_ended || pthread_equal(loop->thread, pthread_self());
    pthread_mutex_unlock(&mutable_loop->lock);
    return is_current;
}

void
loop_assert(const struct loop *loop)
{
#ifdef VTAGENT_DEBUG
    if (!loop_is_current(loop))
        abort();
#else
    (void)loop;
#endif
}

struct event_base *
loop_event_base(struct loop *loop)
{
    return loop->base;
}
