#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "backup/verdict.h"
#include "fixture.h"

static struct storage *storage;

static void
open_storage(void)
{
    storage = storage_memory_new();
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "b"));
}

static void
close_storage(void)
{
    storage_freep(&storage);
}

static struct verdict
verdict_of(enum verdict_mode mode, const char *problem)
{
    return (struct verdict){.time_ns = 1795413342000000000,
                            .mode = mode,
                            .is_good = problem == NULL,
                            .problem = (char *)(problem != NULL ? problem : ""),
                            .alias = (char *)"zone1-101",
                            .server_version = (char *)"Ver 9.7.4 MySQL \"x\"",
                            .program = (char *)"vtagent 1"};
}

Test(verdict, what_is_printed_is_read_back)
{
    struct buffer text = BUFFER_INIT;
    struct verdict first = verdict_of(VERDICT_RESTORE, "it's\nbroken");
    verdict_print(&first, &text);
    struct verdict second;
    cr_assert_null(verdict_parse(buffer_text(&text), text.length_bytes, &second));
    cr_assert_eq(second.time_ns, first.time_ns);
    cr_assert_eq(second.mode, VERDICT_RESTORE);
    cr_assert(!second.is_good);
    cr_assert_str_eq(second.problem, first.problem);
    cr_assert_str_eq(second.alias, first.alias);
    cr_assert_str_eq(second.server_version, first.server_version);
    cr_assert_str_eq(second.program, first.program);
    verdict_done(&second);
    buffer_done(&text);
}

Test(verdict, garbage_is_refused)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"Time\":\"2026-11-24T00:00:00Z\",\"Mode\":\"full\"}",
        "{\"Time\":\"2026-11-24T00:00:00Z\",\"Mode\":\"full\",\"Result\":\"fine\"}",
        "{\"Time\":\"2026-11-24T00:00:00Z\",\"Mode\":\"\",\"Result\":\"good\"}",
        "{\"Time\":\"2026-11-24T00:00:00Z\",\"Mode\":\"deep\",\"Result\":\"good\"}",
        "{\"Time\":\"yesterday\",\"Mode\":\"full\",\"Result\":\"good\"}",
        "{\"Time\":3,\"Mode\":\"full\",\"Result\":\"good\"}",
        "{\"Time\":\"2026-11-24T00:00:00Z\",\"Mode\":\"full\",\"Result\":\"good\",\"Problem\":{}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct verdict verdict;
        fixture_expect(verdict_parse(texts[i], strlen(texts[i]), &verdict), ERROR_INVALID_ARGUMENT,
                       "");
    }
}

static struct verdict_sum
read_sum(void)
{
    struct verdict_sum sum;
    cr_assert_null(verdict_read(storage, NULL, "ks/0", "b", &sum));
    return sum;
}

Test(verdict, each_is_written_behind_the_last, .init = open_storage, .fini = close_storage)
{
    for (int i = 1; i <= 40; i++) {
        char problem[32], object[64];
        snprintf(problem, sizeof(problem), "problem %d", i);
        struct verdict verdict = verdict_of(VERDICT_FULL, problem);
        cr_assert_null(verdict_write(storage, NULL, "ks/0", "b", &verdict));
        snprintf(object, sizeof(object), VERDICT_NAME_PREFIX "%d", i);
        cr_assert_not_null(storage_memory_object(storage, "ks/0", "b", object));
        struct verdict_sum sum = read_sum();
        cr_assert(sum.has_failed);
        cr_assert_str_eq(sum.problem, problem);
        verdict_sum_done(&sum);
    }
}

Test(verdict, none_is_no_failure, .init = open_storage, .fini = close_storage)
{
    struct verdict_sum sum = read_sum();
    cr_assert(!sum.has_failed);
    cr_assert_eq(sum.mode, VERDICT_NONE);
    verdict_sum_done(&sum);
}

Test(verdict, garbage_beside_a_backup_says_nothing, .init = open_storage, .fini = close_storage)
{
    struct verdict good = verdict_of(VERDICT_FULL, NULL);
    cr_assert_null(verdict_write(storage, NULL, "ks/0", "b", &good));
    cr_assert_null(
        storage->interface->put(storage, NULL, "ks/0", "b", VERDICT_NAME_PREFIX "2", "\0\1\2", 3));
    struct verdict_sum sum = read_sum();
    cr_assert_eq(sum.mode, VERDICT_FULL);
    verdict_sum_done(&sum);
}

Test(verdict, a_storage_that_refuses_is_an_error, .init = open_storage, .fini = close_storage)
{
    struct verdict good = verdict_of(VERDICT_FULL, NULL);
    storage_memory_fail_object(storage, VERDICT_NAME_PREFIX "1");
    fixture_expect(verdict_write(storage, NULL, "ks/0", "b", &good), ERROR_UNAVAILABLE,
                   "record the verdict on backup 'b'");
}

/* "f-" a full check that failed, "s+" one of sizes that passed, and so on. */
static void
expect_sum(const char *history, bool has_failed, enum verdict_mode mode)
{
    struct verdict_sum sum = {.problem = xstrdup("")};
    for (size_t i = 0; history[i] != '\0'; i += 2) {
        enum verdict_mode made = history[i] == 's'   ? VERDICT_SIZE
                                 : history[i] == 'f' ? VERDICT_FULL
                                                     : VERDICT_RESTORE;
        struct verdict verdict = verdict_of(made, history[i + 1] == '+' ? NULL : "broken");
        verdict_sum_add(&sum, &verdict);
    }
    cr_assert_eq(sum.has_failed, has_failed, "%s", history);
    cr_assert_eq(sum.mode, mode, "%s", history);
    cr_assert_str_eq(sum.problem, has_failed ? "broken" : "", "%s", history);
    verdict_sum_done(&sum);
}

Test(verdict, a_failure_counts_until_a_check_of_its_strength_passes)
{
    expect_sum("", false, VERDICT_NONE);
    expect_sum("s+", false, VERDICT_SIZE);
    expect_sum("s+f+", false, VERDICT_FULL);
    expect_sum("f+s+", false, VERDICT_FULL);
    expect_sum("r+f+s+", false, VERDICT_RESTORE);
    expect_sum("f-", true, VERDICT_FULL);
    expect_sum("f-s+", true, VERDICT_FULL);
    expect_sum("f-s-s+", true, VERDICT_FULL);
    expect_sum("s-r-f+", true, VERDICT_RESTORE);
    expect_sum("f-f+", false, VERDICT_FULL);
    expect_sum("f-r+", false, VERDICT_RESTORE);
    expect_sum("r+s-", true, VERDICT_SIZE);
    expect_sum("r+s-s+", false, VERDICT_SIZE);
}
