#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "backup/io_watch.h"

static atomic_int told;
static char *text_told;

static void
on_stuck(const char *text, void *data)
{
    (void)data;
    text_told = xstrdup(text);
    atomic_fetch_add(&told, 1);
}

static struct io_watch *
watch_new(int64_t timeout_ms, struct cancel *cancel)
{
    const struct io_watch_options options = {.name = "/b",
                                             .timeout_ms = timeout_ms,
                                             .cancel = cancel,
                                             .cancel_ms = 20,
                                             .on_stuck = on_stuck};
    struct io_watch *watch;
    atomic_store(&told, 0);
    cr_assert_null(io_watch_new(&options, &watch));
    return watch;
}

static bool
is_told_within(int64_t milliseconds)
{
    int64_t end = clock_monotonic_ms() + milliseconds;
    while (atomic_load(&told) == 0 && clock_monotonic_ms() < end)
        (void)!cancel_sleep_ms(NULL, 2);
    return atomic_load(&told) > 0;
}

Test(io_watch, a_call_that_does_not_return_is_told_once_with_what_it_waits_for)
{
    struct io_watch *watch = watch_new(40, NULL);
    struct io_call quick, slow;
    io_watch_begin(watch, &slow, "sync", "/b/ks/0/x/3");
    io_watch_begin(watch, &quick, "write", "/b/ks/0/x/4");
    io_watch_end(watch, &quick);
    cr_assert(is_told_within(5000));
    io_watch_end(watch, &slow);
    io_watch_free(watch);
    cr_assert_eq(atomic_load(&told), 1);
    cr_assert_not_null(
        strstr(text_told, "backup storage '/b' does not answer: sync '/b/ks/0/x/3' has taken"));
    freep(&text_told);
}

Test(io_watch, many_quick_calls_are_no_hang)
{
    struct io_watch *watch = watch_new(150, NULL);
    int64_t end = clock_monotonic_ms() + 400;
    while (clock_monotonic_ms() < end) {
        struct io_call first, second;
        io_watch_begin(watch, &first, "write", "/b/1");
        io_watch_begin(watch, &second, "write", "/b/2");
        io_watch_end(watch, &first);
        io_watch_end(watch, &second);
    }
    io_watch_free(watch);
    cr_assert_eq(atomic_load(&told), 0);
}

Test(io_watch, after_a_cancel_there_is_less_patience)
{
    struct cancel *cancel = cancel_new(INT64_MAX);
    struct io_watch *watch = watch_new(600000, cancel);
    struct io_call call;
    io_watch_begin(watch, &call, "write", "/b/1");
    cr_assert(!is_told_within(60));
    cancel_request(cancel);
    cr_assert(is_told_within(5000));
    io_watch_end(watch, &call);
    io_watch_free(watch);
    cancel_unref(cancel);
    freep(&text_told);
}

Test(io_watch, none_is_fine)
{
    struct io_call call;
    io_watch_begin(NULL, &call, "write", "/b/1");
    io_watch_end(NULL, &call);
    io_watch_free(NULL);
}
