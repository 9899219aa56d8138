#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "fixture.h"

static struct backup_directories source, target;
static struct storage *storage;

static void
open_server(void)
{
    fixture_open();
    fixture_make_server("s", &source);
    storage = storage_memory_new();
}

static void
close_server(void)
{
    storage_freep(&storage);
    backup_directories_done(&source);
    fixture_close();
}

static char *
take(const struct backup_take_options *options)
{
    char *name;
    struct error *error = backup_take(storage, &source, options, NULL, &name);
    if (error != NULL)
        fixture_expect(error, ERROR_OK, "");
    return name;
}

static void
expect_no_backup(void)
{
    struct strv names = {.items = NULL};
    cr_assert_null(storage->interface->list(storage, NULL, "ks/-80", &names));
    cr_assert_eq(names.count, 0);
}

Test(take, manifest_says_everything, .init = open_server, .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    char *name = take(&options);
    cr_assert_str_eq(name, "2026-11-23.055542.zone1-0000000102");
    struct manifest *manifest;
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    cr_assert_str_eq(manifest->backup_name, name);
    cr_assert_str_eq(manifest->backup_method, "builtin");
    cr_assert_str_eq(manifest->position, options.position);
    cr_assert_str_eq(manifest->purged_position, options.purged_position);
    cr_assert_str_eq(manifest->backup_time, "2026-11-23T05:55:42Z");
    cr_assert_str_neq(manifest->finished_time, "");
    cr_assert_str_eq(manifest->mysql_version, options.mysql_version);
    cr_assert_str_eq(manifest->compression_engine, "pgzip");
    cr_assert(!manifest->skips_compress);
    cr_assert(!manifest->is_incremental);
    cr_assert_eq(manifest->entry_count, 8);
    cr_assert_str_eq(manifest->entries[0].base, "InnoDBData");
    cr_assert_str_eq(manifest->entries[0].name, "ibdata1");
    cr_assert_str_eq(manifest->entries[6].name, "vt_ks/big.ibd");
    cr_assert_eq(manifest->entries[6].plain_bytes, 3000000);
    cr_assert_str_eq(manifest->empty_directories.items[0], "vt_empty");
    for (size_t i = 0; i < manifest->entry_count; i++) {
        char *object = xasprintf("%zu", i);
        struct buffer *stored = storage_memory_object(storage, "ks/-80", name, object);
        cr_assert_not_null(stored);
        cr_assert_eq(stored->length_bytes, manifest->entries[i].stored_bytes);
        cr_assert_eq(strlen(manifest->entries[i].hash), 8);
        freep(&object);
    }
    manifest_free(manifest);
    freep(&name);
}

struct progress {
    uint64_t done, total;
    char *text;
    int calls;
};

static void
on_progress(uint64_t done, uint64_t total, const char *text, void *data)
{
    struct progress *progress = data;
    progress->done = done;
    progress->total = total;
    str_replace(&progress->text, text);
    progress->calls++;
}

/* Takes a backup, restores it to another server's directories and compares all. */
static void
check_there_and_back(const char *compression, int level, int threads)
{
    struct progress taken = {.text = NULL}, restored = {.text = NULL};
    struct backup_take_options options = fixture_take_options();
    options.compression = compression;
    options.compression_level = level;
    options.concurrency = threads;
    options.on_progress = on_progress;
    options.progress_data = &taken;
    char *name = take(&options);
    cr_assert_eq(taken.done, taken.total);
    cr_assert_eq(taken.total, 4220501);
    cr_assert_str_eq(taken.text, "8 of 8 files copied");

    struct manifest *manifest;
    cr_assert_null(
        restore_choose(storage, "ks", "-80", 0, options.mysql_version, NULL, NULL, &manifest));
    fixture_write("t/data/old/garbage.ibd", "old");
    fixture_make_server("t", &target);
    struct restore_options restore = {
        .concurrency = threads, .on_progress = on_progress, .progress_data = &restored};
    cr_assert_null(restore_check(storage, manifest, &target, NULL));
    cr_assert_null(restore_wipe(&target, NULL));
    cr_assert_null(restore_copy(storage, manifest, &target, &restore, NULL));
    cr_assert_eq(restored.done, restored.total);
    cr_assert_str_eq(restored.text, "8 of 8 files restored");
    /* What is not part of a backup is not there; the rest is equal. */
    char *auto_cnf = fixture_path("s/data/auto.cnf"),
         *temporary = fixture_path("s/innodb/data/ibtmp1");
    cr_assert_null(file_remove(auto_cnf));
    cr_assert_null(file_remove(temporary));
    cr_assert(fixture_trees_are_equal("s/data", "t/data"));
    cr_assert(fixture_trees_are_equal("s/innodb", "t/innodb"));
    freep(&auto_cnf);
    freep(&temporary);
    freep(&taken.text);
    freep(&restored.text);
    freep(&name);
    manifest_free(manifest);
    backup_directories_done(&target);
}

Test(take, gzip_there_and_back, .init = open_server, .fini = close_server)
{
    check_there_and_back("pgzip", 1, 4);
}

Test(take, zlib_level_there_and_back, .init = open_server, .fini = close_server)
{
    check_there_and_back("pargzip", 6, 1);
}

Test(take, zstd_there_and_back, .init = open_server, .fini = close_server)
{
    check_there_and_back("zstd", 3, 2);
}

Test(take, lz4_there_and_back, .init = open_server, .fini = close_server)
{
    check_there_and_back("lz4", 1, 2);
}

Test(take, raw_there_and_back, .init = open_server, .fini = close_server)
{
    check_there_and_back("none", 1, 2);
}

Test(take, there_and_back_through_a_file_system, .init = open_server, .fini = close_server)
{
    char *root = fixture_path("backups");
    cr_assert_null(file_make_directories(root, 0770));
    storage_freep(&storage);
    cr_assert_null(storage_file_new(root, true, NULL, &storage));
    check_there_and_back("pgzip", 1, 2);
    freep(&root);
}

Test(take, a_full_storage_leaves_no_folder, .init = open_server, .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    char *name;
    storage_memory_set_limit(storage, 500000);
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_RESOURCE_EXHAUSTED,
                   "backup storage is full");
    expect_no_backup();
}

Test(take, a_failing_object_or_manifest_leaves_no_folder, .init = open_server, .fini = close_server)
{
    static const char *const objects[] = {"0", "7", "MANIFEST"};
    struct backup_take_options options = fixture_take_options();
    char *name;
    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++) {
        storage_memory_fail_object(storage, objects[i]);
        fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_UNAVAILABLE,
                       objects[i]);
        expect_no_backup();
    }
}

static void
cancel_on_progress(uint64_t done, uint64_t total, const char *text, void *data)
{
    (void)done, (void)total, (void)text;
    cancel_request(data);
}

Test(take, a_cancel_leaves_no_folder, .init = open_server, .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    struct cancel *cancel = cancel_new(INT64_MAX);
    char *name;
    options.on_progress = cancel_on_progress;
    options.progress_data = cancel;
    /* The last report comes before the MANIFEST. */
    fixture_expect(backup_take(storage, &source, &options, cancel, &name), ERROR_CANCELED,
                   "canceled");
    expect_no_backup();
    cancel_unref(cancel);
}

Test(take, an_existing_name_is_refused_and_left_alone, .init = open_server, .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    char *name = take(&options), *second;
    fixture_expect(backup_take(storage, &source, &options, NULL, &second), ERROR_ALREADY_EXISTS,
                   "");
    struct manifest *manifest;
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    manifest_free(manifest);
    freep(&name);
}

Test(take, nonsense_is_refused_before_anything_is_made, .init = open_server, .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    char *name;
    options.compression = "external";
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_UNIMPLEMENTED, "");
    options.compression = "zstd";
    options.compression_level = 19;
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_INVALID_ARGUMENT,
                   "1 to 4");
    options = fixture_take_options();
    options.concurrency = 0;
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_INVALID_ARGUMENT,
                   "concurrency");
    options = fixture_take_options();
    options.keyspace = "..";
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_INVALID_ARGUMENT,
                   "");
    expect_no_backup();
}

Test(take, a_position_that_vitess_cannot_read_makes_no_backup, .init = open_server,
     .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    char *name;
    options.position = "MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:1-5";
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_INVALID_ARGUMENT,
                   "Position");
    expect_no_backup();
}
