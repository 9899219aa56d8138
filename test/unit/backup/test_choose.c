#include <criterion/criterion.h>

#include <string.h>

#include "fixture.h"

static struct storage *storage;

static void
open_storage(void)
{
    storage = storage_memory_new();
}

static void
close_storage(void)
{
    storage_freep(&storage);
}

/* A backup folder with this MANIFEST; NULL: none. */
static void
add_text(const char *name, const char *text)
{
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", name));
    if (text != NULL)
        cr_assert_null(storage->interface->put(storage, NULL, "ks/0", name, MANIFEST_NAME, text,
                                               strlen(text)));
}

static void
add(const char *name, const char *version, const char *time, const char *more)
{
    char *text =
        xasprintf("{\"BackupName\":\"elsewhere\",\"Keyspace\":\"other\",\"Position\":\"MySQL56/\","
                  "\"MySQLVersion\":\"%s\",\"BackupTime\":\"%s\"%s,"
                  "\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\",\"Hash\":\"\"}]}",
                  version, time, more);
    add_text(name, text);
    freep(&text);
}

static void
expect_choice(int64_t not_after_ns, const char *version, const char *name, const char *notes)
{
    struct manifest *manifest;
    struct strv told = {.items = NULL};
    cr_assert_null(
        restore_choose(storage, "ks", "0", not_after_ns, version, NULL, &told, &manifest));
    cr_assert_str_eq(manifest->backup_name, name);
    cr_assert_str_eq(manifest->keyspace, "ks");
    char *text = strv_join(&told, "\n");
    cr_assert_str_eq(text, notes);
    freep(&text);
    strv_done(&told);
    manifest_free(manifest);
}

Test(choose, nothing_there_and_nothing_usable_are_different, .init = open_storage,
     .fini = close_storage)
{
    struct manifest *manifest;
    fixture_expect(restore_choose(storage, "ks", "0", 0, "", NULL, NULL, &manifest),
                   ERROR_NOT_FOUND, "no backup of 'ks/0'");
    add_text("a", NULL);
    fixture_expect(restore_choose(storage, "ks", "0", 0, "", NULL, NULL, &manifest),
                   ERROR_FAILED_PRECONDITION, "no complete backup of 'ks/0'");
}

Test(choose, newest_usable_full_one_by_name, .init = open_storage, .fini = close_storage)
{
    add("1", "Ver 8.0.40 MySQL", "2026-01-01T00:00:00Z", "");
    add("2", "Ver 8.0.40 MySQL", "2025-01-01T00:00:00Z", ",\"BackupMethod\":\"builtin\"");
    add("3", "Ver 9.7.4 MySQL", "2026-01-03T00:00:00Z", "");
    add("4", "Ver 8.0.40 MySQL", "2026-01-04T00:00:00Z", ",\"Incremental\":true");
    add("5", "Ver 8.0.40 MySQL", "2026-01-05T00:00:00Z", ",\"BackupMethod\":\"xtrabackup\"");
    add_text("6", "{\"Position\":3}");
    add_text("7", NULL);
    expect_choice(0, "Ver 8.0.41 MySQL", "2",
                  "backup '7' is skipped: it is incomplete: no MANIFEST\n"
                  "backup '6' is skipped: MANIFEST: 'Position' is not a string\n"
                  "backup '5' is skipped: engine 'xtrabackup' is not supported\n"
                  "backup '4' is skipped: it is incremental\n"
                  "backup '3' is skipped: written by mysql 9.7.4, we run mysql 8.0.41: that is not "
                  "the next long-term series");
    expect_choice(0, "Ver 9.7.5 MySQL", "3",
                  "backup '7' is skipped: it is incomplete: no MANIFEST\n"
                  "backup '6' is skipped: MANIFEST: 'Position' is not a string\n"
                  "backup '5' is skipped: engine 'xtrabackup' is not supported\n"
                  "backup '4' is skipped: it is incremental");
}

Test(choose, not_after_a_time, .init = open_storage, .fini = close_storage)
{
    const int64_t new_year_2026 = 1767225600LL * 1000000000LL;
    add("1", "", "2026-01-01T00:00:00Z", "");
    add("2", "", "2026-01-01T00:00:01Z", "");
    expect_choice(new_year_2026, "", "1",
                  "backup '2' is skipped: it is newer than asked for (2026-01-01T00:00:01Z)");
    expect_choice(new_year_2026 + 1000000000, "", "2", "");
    struct manifest *manifest;
    fixture_expect(restore_choose(storage, "ks", "0", new_year_2026 - 1, "", NULL, NULL, &manifest),
                   ERROR_FAILED_PRECONDITION, "no complete backup");
}

Test(choose, without_position_or_files_it_is_useless, .init = open_storage, .fini = close_storage)
{
    struct manifest *manifest;
    struct strv notes = {.items = NULL};
    add_text("1", "{\"Position\":\"MySQL56/\"}");
    add_text("2", "{}");
    fixture_expect(restore_choose(storage, "ks", "0", 0, "", NULL, &notes, &manifest),
                   ERROR_FAILED_PRECONDITION, "none of the 2");
    cr_assert_str_eq(notes.items[0], "backup '2' is skipped: it has no position");
    cr_assert_str_eq(notes.items[1], "backup '1' is skipped: it has no files");
    strv_done(&notes);
}
