#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/job/journal.h"

static char *folder;

static void
make_folder(void)
{
    folder = xstrdup("/tmp/vtagent-journal-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void
drop_folder(void)
{
    cr_assert_null(file_remove_tree(folder));
    freep(&folder);
}

static void
check_code(struct error *error, enum error_code code)
{
    cr_assert(error_is(error, code));
    error_free(error);
}

Test(journal, what_was_written_is_read_back, .init = make_folder, .fini = drop_folder)
{
    struct journal written = {
        .kind = JOURNAL_RESTORE,
        .backup_name = xstrdup("2026-11-23.055542.zone1-0000000102"),
        .image_name = xstrdup("an image"),
        .is_copying = true,
        .original_type = 8,
        .was_replicating = true,
        .semi_sync_replica = true,
        .worker_pid = 1234,
        .worker_start_ticks = 9007199254740993u,
    };
    struct journal back = {.backup_name = NULL};
    cr_assert_null(journal_write(folder, &written));
    cr_assert_null(journal_read(folder, &back));
    cr_assert_eq(back.kind, JOURNAL_RESTORE);
    cr_assert_str_eq(back.backup_name, written.backup_name);
    cr_assert_str_eq(back.image_name, "an image");
    cr_assert(back.is_copying);
    cr_assert_eq(back.original_type, 8);
    cr_assert(back.was_replicating && back.semi_sync_replica);
    cr_assert(!back.was_writable && !back.semi_sync_primary);
    cr_assert_eq(back.worker_pid, 1234);
    cr_assert_eq(back.worker_start_ticks, 9007199254740993u);
    journal_done(&back);
    written.kind = JOURNAL_BACKUP;
    cr_assert_null(journal_write(folder, &written));
    cr_assert_null(journal_read(folder, &back));
    cr_assert_eq(back.kind, JOURNAL_BACKUP);
    journal_done(&back);
    journal_done(&written);
    cr_assert_null(journal_remove(folder));
    cr_assert_null(journal_remove(folder));
    check_code(journal_read(folder, &back), ERROR_NOT_FOUND);
}

Test(journal, torn_and_foreign_files_are_told_apart_from_none, .init = make_folder,
     .fini = drop_folder)
{
    static const char *const texts[] = {
        "", "{", "{}", "[1]", "{\"kind\": 3}", "{\"kind\": \"backup\", \"backup_name\": \"x\"}"};
    char *path = xasprintf("%s/" JOURNAL_NAME, folder);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct journal back;
        cr_assert_null(file_write_safely(path, texts[i], strlen(texts[i]), 0600));
        check_code(journal_read(folder, &back), ERROR_DATA_LOSS);
    }
    freep(&path);
}

Test(journal, a_folder_that_is_not_there_is_an_error, .init = make_folder, .fini = drop_folder)
{
    struct journal journal = {.backup_name = xstrdup("x")};
    char *missing = xasprintf("%s/missing", folder);
    check_code(journal_write(missing, &journal), ERROR_NOT_FOUND);
    freep(&missing);
    journal_done(&journal);
}
