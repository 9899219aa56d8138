#include <criterion/criterion.h>

#include <poll.h>
#include <pthread.h>

#include "agent/base/cancel.h"
#include "agent/base/clock.h"

Test(cancel, request_reaches_children_and_descriptors)
{
    struct cancel *parent = cancel_new(INT64_MAX);
    struct cancel *child = cancel_new_child(parent, 60000);
    struct cancel *grandchild = cancel_new_child(child, INT64_MAX);
    cr_assert_null(cancel_check(grandchild));
    cancel_request(parent);
    struct pollfd watched = {.fd = cancel_descriptor(grandchild), .events = POLLIN};
    cr_assert_eq(poll(&watched, 1, 0), 1);
    struct error *error = cancel_check(grandchild);
    cr_assert(error_is(error, ERROR_CANCELED));
    error_free(error);
    struct cancel *late = cancel_new_child(parent, 60000);
    cr_assert(cancel_is_requested(late));
    cancel_unref(late);
    cancel_unref(grandchild);
    cancel_unref(child);
    cancel_unref(parent);
}

Test(cancel, child_cannot_outlive_the_parents_deadline)
{
    struct cancel *parent = cancel_new(clock_monotonic_ms() + 20);
    struct cancel *child = cancel_new_child(parent, 60000);
    cr_assert_leq(cancel_remaining_ms(child), 20);
    struct error *error = cancel_sleep_ms(child, 60000);
    cr_assert(error_is(error, ERROR_DEADLINE_EXCEEDED));
    error_free(error);
    cancel_unref(child);
    cancel_unref(parent);
}

static void *
request_later(void *data)
{
    cancel_request(data);
    return NULL;
}

Test(cancel, sleep_ends_at_a_request_of_another_thread)
{
    struct cancel *cancel = cancel_new(INT64_MAX);
    pthread_t thread;
    pthread_create(&thread, NULL, request_later, cancel);
    struct error *error = cancel_sleep_ms(cancel, 60000);
    cr_assert(error_is(error, ERROR_CANCELED));
    error_free(error);
    pthread_join(thread, NULL);
    cancel_unref(cancel);
}

Test(cancel, null_never_ends)
{
    cr_assert_null(cancel_check(NULL));
    cr_assert_eq(cancel_remaining_ms(NULL), INT64_MAX);
    cr_assert_null(cancel_sleep_ms(NULL, 1));
    cancel_request(NULL);
    cancel_unref(NULL);
}

static void *
make_and_drop_children(void *data)
{
    for (int i = 0; i < 200; i++)
        cancel_unref(cancel_new_child(data, 1000));
    return NULL;
}

Test(cancel, children_may_come_and_go_during_a_request)
{
    struct cancel *parent = cancel_new(INT64_MAX);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, make_and_drop_children, parent);
    cancel_request(parent);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cancel_unref(parent);
}
