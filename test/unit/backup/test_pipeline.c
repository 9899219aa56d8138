#include <criterion/criterion.h>

#include <stdatomic.h>
#include <string.h>

#include "backup/pipeline.h"
#include "fixture.h"

struct tally {
    atomic_size_t runs, seen[100];
    size_t failing_item;
    int ticks;
    bool waits_for_cancel;
};

static struct error *
run_item(size_t item, void *worker, struct cancel *cancel, void *data)
{
    (void)worker;
    struct tally *tally = data;
    atomic_fetch_add(&tally->runs, 1);
    atomic_fetch_add(&tally->seen[item], 1);
    if (item == tally->failing_item)
        return error_new(ERROR_DATA_LOSS, "item %zu", item);
    if (tally->waits_for_cancel)
        return cancel_sleep_ms(cancel, 600000);
    return NULL;
}

static void
tick(void *data)
{
    ((struct tally *)data)->ticks++;
}

Test(pipeline, every_item_runs_once)
{
    struct tally tally = {.failing_item = SIZE_MAX};
    struct pipeline pipeline = {
        .threads = 5, .item_count = 100, .run = run_item, .tick = tick, .data = &tally};
    cr_assert_null(pipeline_run(&pipeline, NULL));
    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(atomic_load(&tally.seen[i]), 1);
    cr_assert_geq(tally.ticks, 1);
    pipeline.item_count = 0;
    cr_assert_null(pipeline_run(&pipeline, NULL));
}

Test(pipeline, the_first_error_stops_all_and_is_the_one_returned)
{
    struct tally tally = {.failing_item = 3, .waits_for_cancel = true};
    struct pipeline pipeline = {.threads = 4, .item_count = 100, .run = run_item, .data = &tally};
    fixture_expect(pipeline_run(&pipeline, NULL), ERROR_DATA_LOSS, "item 3");
    cr_assert_leq(atomic_load(&tally.runs), 8);
}

Test(pipeline, a_cancel_ends_it)
{
    struct tally tally = {.failing_item = SIZE_MAX, .waits_for_cancel = true};
    struct pipeline pipeline = {.threads = 2, .item_count = 10, .run = run_item, .data = &tally};
    struct cancel *cancel = cancel_new(INT64_MAX);
    cancel_request(cancel);
    fixture_expect(pipeline_run(&pipeline, cancel), ERROR_CANCELED, "");
    cancel_unref(cancel);
    cr_assert_eq(atomic_load(&tally.runs), 0);
}

Test(pipeline, thread_counts_are_bounded)
{
    struct pipeline pipeline = {.threads = 0, .item_count = 1, .run = run_item};
    fixture_expect(pipeline_run(&pipeline, NULL), ERROR_INVALID_ARGUMENT, "concurrency 0");
    pipeline.threads = BACKUP_THREADS_MOST + 1;
    fixture_expect(pipeline_run(&pipeline, NULL), ERROR_INVALID_ARGUMENT, "concurrency 65");
}
