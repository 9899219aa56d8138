#include <criterion/criterion.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/file.h"
#include "backup/storage_check.h"
#include "fixture.h"

static struct strv told;

static void
report(const char *name, const struct check_result *result, void *data)
{
    (void)data;
    strv_addf(&told, "%s %s", check_verdict_name(result->verdict), name);
    if (result->verdict == CHECK_FAILED)
        cr_assert_not_null(result->error);
}

static void
good(void *subject, struct cancel *cancel, struct check_result *result)
{
    (void)subject, (void)cancel;
    check_ok(result, "fine");
}

static void
bad(void *subject, struct cancel *cancel, struct check_result *result)
{
    (void)subject, (void)cancel;
    check_fail(result, error_new(ERROR_UNAVAILABLE, "gone"), "");
}

static void
expect_told(const char *wanted)
{
    char *text = strv_join(&told, ", ");
    cr_assert_str_eq(text, wanted);
    freep(&text);
    strv_done(&told);
}

Test(check, what_needs_a_failed_row_is_skipped_and_the_rest_is_not)
{
    static const struct check rows[] = {{"a", NULL, false, bad},
                                        {"b", "a", false, good},
                                        {"c", "b", false, good},
                                        {"d", NULL, true, good}};
    const struct check_table table = {rows, 4};
    check_run(&table, NULL, true, NULL, report, NULL);
    expect_told("failed a, skipped b, skipped c, ok d");
    check_run(&table, NULL, false, NULL, report, NULL);
    expect_told("failed a, skipped b, skipped c");
}

Test(check, nothing_runs_after_a_cancel)
{
    static const struct check rows[] = {{"a", NULL, false, good}};
    const struct check_table table = {rows, 1};
    struct cancel *cancel = cancel_new(INT64_MAX);
    cancel_request(cancel);
    check_run(&table, NULL, true, cancel, report, NULL);
    expect_told("skipped a");
    cancel_unref(cancel);
}

static void
examine(struct storage *storage, uint64_t data_bytes)
{
    const struct storage_subject about = {
        .storage = storage, .directory = "ks/0", .data_bytes = data_bytes};
    storage_check_run(&about, false, NULL, report, NULL);
}

/* As a check that was killed yesterday has left it. */
static void
leave_old_probe(void)
{
    char *folder = fixture_path("ks/0"), *path = fixture_path("ks/0/.probe-1-1");
    const struct timespec times[] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    cr_assert_null(file_make_directories(folder, 0750));
    cr_assert_null(file_write_safely(path, "x", 1, 0600));
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    freep(&folder);
    freep(&path);
}

Test(check, a_good_folder_is_probed_and_nothing_stays, .init = fixture_open, .fini = fixture_close)
{
    struct storage *storage;
    struct strv names = {.items = NULL};
    char *folder = fixture_path("ks/0");
    cr_assert_null(storage_file_new(fixture_folder, true, NULL, &storage));
    leave_old_probe();
    examine(storage, 1000);
    char *text = strv_join(&told, ", ");
    cr_assert_not_null(strstr(text, "ok storage-list, ok storage-create, ok storage-read, "
                                    "ok storage-delete, ok storage-space"));
    freep(&text);
    strv_done(&told);
    cr_assert_null(file_list(folder, &names));
    cr_assert_eq(names.count, 0);
    examine(storage, UINT64_MAX / 2);
    text = strv_join(&told, ", ");
    cr_assert_not_null(strstr(text, "warning storage-space"));
    freep(&text);
    strv_done(&told);
    freep(&folder);
    storage_freep(&storage);
}
