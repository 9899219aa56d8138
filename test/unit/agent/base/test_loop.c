#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>

#include "agent/base/loop.h"
#include "agent/base/worker.h"

static void
count_up(void *data)
{
    (*(int *)data)++;
}

static void
stop(void *data)
{
    loop_stop(data);
}

struct fixture {
    struct loop *loop;
    int count;
};

static void *
post_and_call(void *data)
{
    struct fixture *fixture = data;
    for (int i = 0; i < 1000; i++)
        loop_post(fixture->loop, "count", count_up, &fixture->count);
    loop_call(fixture->loop, "count", count_up, &fixture->count);
    loop_post(fixture->loop, "stop", stop, fixture->loop);
    return NULL;
}

Test(loop, posts_run_in_order_and_calls_wait)
{
    struct fixture fixture = {.count = 0};
    cr_assert_null(loop_new(&fixture.loop));
    pthread_t thread;
    pthread_create(&thread, NULL, post_and_call, &fixture);
    loop_run(fixture.loop);
    pthread_join(thread, NULL);
    cr_assert_eq(fixture.count, 1001);
    loop_call(fixture.loop, "after the end", count_up, &fixture.count);
    cr_assert_eq(fixture.count, 1002);
    loop_free(fixture.loop);
}

struct early {
    struct loop *loop;
    pthread_t runner;
    bool is_on_loop;
};

static void
note_thread(void *data)
{
    struct early *early = data;
    early->is_on_loop = pthread_equal(pthread_self(), early->runner);
}

static void *
call_before_the_run(void *data)
{
    struct early *early = data;
    loop_call(early->loop, "early", note_thread, early);
    loop_stop(early->loop);
    return NULL;
}

Test(loop, a_call_before_the_run_waits_for_it)
{
    struct early early = {.runner = pthread_self()};
    cr_assert_null(loop_new(&early.loop));
    pthread_t thread;
    pthread_create(&thread, NULL, call_before_the_run, &early);
    loop_run(early.loop);
    pthread_join(thread, NULL);
    cr_assert(early.is_on_loop);
    loop_free(early.loop);
}

Test(loop, timer_fires)
{
    struct loop *loop = NULL;
    cr_assert_null(loop_new(&loop));
    struct loop_timer *timer = loop_timer_new(loop, "stop", stop, loop);
    loop_timer_start(timer, 5);
    loop_run(loop);
    loop_timer_free(timer);
    loop_free(loop);
}

static void
add_one(void *data)
{
    atomic_fetch_add((atomic_int *)data, 1);
}

Test(worker, runs_all_jobs_before_it_ends)
{
    struct worker *worker = NULL;
    atomic_int count = 0;
    cr_assert_null(worker_new("test", 3, &worker));
    for (int i = 0; i < 500; i++)
        worker_submit(worker, add_one, &count);
    worker_free(worker);
    cr_assert_eq(atomic_load(&count), 500);
}

static void
check_order(void *data)
{
    int *next = data;
    next[1] += next[0] == next[1];
    next[0]++;
}

Test(worker, one_thread_keeps_the_order)
{
    struct worker *worker = NULL;
    int state[2] = {0, 0};
    cr_assert_null(worker_new("serial", 1, &worker));
    for (int i = 0; i < 100; i++)
        worker_submit(worker, check_order, state);
    worker_free(worker);
    cr_assert_eq(state[1], 100);
}
