#include <criterion/criterion.h>

#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "gcs_fixture.h"

static struct storage *storage;

static void
open_file_storage(void)
{
    fixture_open();
    cr_assert_null(storage_file_new(fixture_folder, true, NULL, &storage));
}

static void
close_storage(void)
{
    storage_freep(&storage);
    fixture_close();
}

static struct error *
write_object(const char *name, const char *object, const char *text)
{
    struct storage_writer *writer;
    TRY(storage->interface->open_write(storage, NULL, "ks/0", name, object, &writer));
    struct error *error = storage->interface->write(writer, text, strlen(text));
    if (error != NULL) {
        storage->interface->abort_write(writer);
        return error;
    }
    return storage->interface->close_write(writer);
}

static struct error *
put(const char *name, const char *text)
{
    return storage->interface->put(storage, NULL, "ks/0", name, "MANIFEST", text, strlen(text));
}

static void
check_range(uint64_t offset, uint64_t size, const char *expected)
{
    struct storage_reader *reader;
    char text[16];
    size_t length = 0, count = 1;
    cr_assert_null(
        storage->interface->open_range(storage, NULL, "ks/0", "a", "0", offset, size, &reader));
    while (count > 0) {
        cr_assert_null(storage->interface->read(reader, text + length, 2, &count));
        length += count;
    }
    storage->interface->close_read(reader);
    text[length] = '\0';
    cr_assert_str_eq(text, expected);
}

/* The rules that every storage keeps. */
static void
check_rules(void)
{
    struct strv names = {.items = NULL};
    struct buffer text = BUFFER_INIT;
    uint64_t size;
    const struct storage_interface *interface = storage->interface;
    cr_assert_null(interface->list(storage, NULL, "ks/0", &names));
    cr_assert_eq(names.count, 0);
    cr_assert_null(interface->start(storage, NULL, "ks/0", "b"));
    cr_assert_null(interface->start(storage, NULL, "ks/0", "a"));
    fixture_expect(interface->start(storage, NULL, "ks/0", "a"), ERROR_ALREADY_EXISTS, "a");
    cr_assert_null(write_object("a", "0", "hello"));
    if (strcmp(interface->name, "gcs") != 0) /* a bucket has no folders */
        fixture_expect(write_object("missing", "0", "hello"), ERROR_NOT_FOUND, "");
    cr_assert_null(put("a", "{}"));
    fixture_expect(put("a", "{\"other\":1}"), ERROR_ALREADY_EXISTS, "MANIFEST");
    cr_assert_null(interface->list(storage, NULL, "ks/0", &names));
    cr_assert_eq(names.count, 2);
    cr_assert_str_eq(names.items[0], "a");
    strv_done(&names);
    cr_assert_null(interface->list(storage, NULL, "ks/1", &names));
    cr_assert_eq(names.count, 0);
    cr_assert_null(interface->size(storage, NULL, "ks/0", "a", "0", &size));
    cr_assert_eq(size, 5);
    fixture_expect(interface->size(storage, NULL, "ks/0", "a", "1", &size), ERROR_NOT_FOUND, "1");
    cr_assert_null(storage_get(storage, NULL, "ks/0", "a", "0", 5, &text));
    cr_assert_str_eq(buffer_text(&text), "hello");
    buffer_clear(&text);
    check_range(0, 5, "hello");
    check_range(1, 3, "ell");
    check_range(4, UINT64_MAX, "o");
    check_range(2, 0, "");
    check_range(7, 10, "");
    fixture_expect(storage_get(storage, NULL, "ks/0", "a", "0", 4, &text), ERROR_RESOURCE_EXHAUSTED,
                   "larger than 4");
    fixture_expect(storage_get(storage, NULL, "ks/0", "b", "MANIFEST", 4, &text), ERROR_NOT_FOUND,
                   "");
    cr_assert_null(interface->remove(storage, NULL, "ks/0", "a"));
    fixture_expect(interface->remove(storage, NULL, "ks/0", "a"), ERROR_NOT_FOUND, "a");
    cr_assert_null(interface->list(storage, NULL, "ks/0", &names));
    cr_assert_eq(names.count, 1);
    strv_done(&names);
    buffer_done(&text);
}

/* An aborted object is gone; a canceled token stops everything. */
static void
check_abort_and_cancel(void)
{
    const struct storage_interface *interface = storage->interface;
    struct storage_writer *writer;
    struct strv names = {.items = NULL};
    uint64_t size;
    cr_assert_null(interface->start(storage, NULL, "ks/0", "c"));
    cr_assert_null(interface->open_write(storage, NULL, "ks/0", "c", "0", &writer));
    cr_assert_null(interface->write(writer, "x", 1));
    interface->abort_write(writer);
    fixture_expect(interface->size(storage, NULL, "ks/0", "c", "0", &size), ERROR_NOT_FOUND, "");
    struct cancel *cancel = cancel_new(INT64_MAX);
    cr_assert_null(interface->open_write(storage, cancel, "ks/0", "c", "0", &writer));
    cancel_request(cancel);
    fixture_expect(interface->write(writer, "x", 1), ERROR_CANCELED, "");
    interface->abort_write(writer);
    fixture_expect(interface->list(storage, cancel, "ks/0", &names), ERROR_CANCELED, "");
    fixture_expect(interface->start(storage, cancel, "ks/0", "d"), ERROR_CANCELED, "");
    cancel_unref(cancel);
}

Test(storage, file_keeps_the_rules, .init = open_file_storage, .fini = close_storage)
{
    check_rules();
    check_abort_and_cancel();
}

Test(storage, memory_keeps_the_rules)
{
    storage = storage_memory_new();
    check_rules();
    check_abort_and_cancel();
    storage_freep(&storage);
}

/* An unfinished object goes on behind its first bytes. */
static void
check_resume(void)
{
    struct storage_writer *writer;
    struct buffer text = BUFFER_INIT;
    const struct storage_interface *interface = storage->interface;
    cr_assert_null(interface->start(storage, NULL, "ks/0", "a"));
    cr_assert_null(write_object("a", "0", "abcdef"));
    fixture_expect(interface->open_resume(storage, NULL, "ks/0", "a", "1", 0, &writer),
                   ERROR_NOT_FOUND, "");
    fixture_expect(interface->open_resume(storage, NULL, "ks/0", "a", "0", 7, &writer),
                   ERROR_OUT_OF_RANGE, "shorter");
    fixture_expect(interface->open_resume(storage, NULL, "ks/0", "..", "0", 0, &writer),
                   ERROR_INVALID_ARGUMENT, "");
    cr_assert_null(interface->open_resume(storage, NULL, "ks/0", "a", "0", 4, &writer));
    cr_assert_null(interface->write(writer, "XYZ", 3));
    cr_assert_null(interface->close_write(writer));
    cr_assert_null(storage_get(storage, NULL, "ks/0", "a", "0", 100, &text));
    cr_assert_str_eq(buffer_text(&text), "abcdXYZ");
    buffer_done(&text);
}

Test(storage, file_objects_can_be_resumed, .init = open_file_storage, .fini = close_storage)
{
    check_resume();
}

Test(storage, memory_objects_can_be_resumed)
{
    storage = storage_memory_new();
    check_resume();
    storage_freep(&storage);
}

Test(storage, gcs_keeps_the_rules, .init = gcs_open, .fini = gcs_close)
{
    storage = gcs_storage;
    check_rules();
    check_abort_and_cancel();
}

Test(storage, names_that_leave_the_root_are_refused, .init = open_file_storage,
     .fini = close_storage)
{
    const struct storage_interface *interface = storage->interface;
    struct strv names = {.items = NULL};
    uint64_t size;
    static const char *const directories[] = {"..", "../x", "ks/..", "/etc", "ks//0", "", "ks/./0"};
    for (size_t i = 0; i < ARRAY_LENGTH(directories); i++)
        fixture_expect(interface->list(storage, NULL, directories[i], &names),
                       ERROR_INVALID_ARGUMENT, "backup directory");
    fixture_expect(interface->start(storage, NULL, "ks/0", "../a"), ERROR_INVALID_ARGUMENT,
                   "backup '../a'");
    fixture_expect(interface->remove(storage, NULL, "ks/0", ".."), ERROR_INVALID_ARGUMENT, "'..'");
    fixture_expect(interface->size(storage, NULL, "ks/0", "a", "b/c", &size),
                   ERROR_INVALID_ARGUMENT, "object");
}

Test(storage, file_ignores_plain_files_and_leaves_no_temporary_ones, .init = open_file_storage,
     .fini = close_storage)
{
    struct strv names = {.items = NULL};
    fixture_write("ks/0/lock", "x");
    fixture_write("ks/0/.snapshot/a", "x");
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "a"));
    cr_assert_null(put("a", "{}"));
    fixture_expect(put("a", "{}"), ERROR_ALREADY_EXISTS, "");
    cr_assert_null(storage->interface->list(storage, NULL, "ks/0", &names));
    cr_assert_eq(names.count, 1);
    strv_done(&names);
    char *folder = fixture_path("ks/0/a");
    cr_assert_null(file_list(folder, &names));
    cr_assert_eq(names.count, 1);
    cr_assert_str_eq(names.items[0], "MANIFEST");
    strv_done(&names);
    freep(&folder);
}

Test(storage, file_modes_are_vitess_modes, .init = open_file_storage, .fini = close_storage)
{
    mode_t before = umask(0);
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "a"));
    cr_assert_null(write_object("a", "0", "x"));
    cr_assert_null(put("a", "{}"));
    umask(before);
    static const char *const paths[] = {"ks", "ks/0", "ks/0/a", "ks/0/a/0", "ks/0/a/MANIFEST"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct stat status;
        char *path = fixture_path(paths[i]);
        cr_assert_eq(stat(path, &status), 0);
        cr_assert_eq(status.st_mode & 07777, S_ISDIR(status.st_mode) ? 0770 : 0660);
        freep(&path);
    }
}

Test(storage, root_must_be_there_and_be_a_folder, .init = fixture_open, .fini = fixture_close)
{
    fixture_write("file", "x");
    char *file = fixture_path("file"), *missing = fixture_path("missing");
    fixture_expect(storage_file_new(missing, false, NULL, &storage), ERROR_FAILED_PRECONDITION,
                   "is not there");
    fixture_expect(storage_file_new(file, false, NULL, &storage), ERROR_FAILED_PRECONDITION,
                   "is not a folder");
    fixture_expect(storage_file_new("relative", false, NULL, &storage), ERROR_INVALID_ARGUMENT,
                   "absolute");
    freep(&file);
    freep(&missing);
}

Test(storage, root_that_went_away_is_not_an_empty_storage, .init = fixture_open,
     .fini = fixture_close)
{
    struct strv names = {.items = NULL};
    char *root = fixture_path("root");
    cr_assert_eq(mkdir(root, 0700), 0);
    cr_assert_null(storage_file_new(root, true, NULL, &storage));
    cr_assert_eq(rmdir(root), 0);
    fixture_expect(storage->interface->list(storage, NULL, "ks/0", &names), ERROR_NOT_FOUND,
                   "is not there");
    fixture_expect(storage->interface->start(storage, NULL, "ks/0", "a"), ERROR_NOT_FOUND,
                   "is not there");
    cr_assert(!file_exists(root));
    storage_freep(&storage);
    freep(&root);
}

Test(storage, unwritable_root_is_refused_with_the_uid, .init = fixture_open, .fini = fixture_close)
{
    char *root = fixture_path("root");
    cr_assert_eq(mkdir(root, 0555), 0);
    uid_t before = geteuid();
    if (before == 0) {
        cr_assert_eq(chmod(fixture_folder, 0755), 0);
        cr_assert_eq(seteuid(65534), 0);
    }
    struct error *error = storage_file_new(root, true, NULL, &storage);
    struct error *read_error = storage_file_new(root, false, NULL, &storage);
    if (before == 0)
        cr_assert_eq(seteuid(before), 0);
    cr_assert_null(read_error);
    storage_freep(&storage);
    fixture_expect(error, ERROR_FAILED_PRECONDITION, "not writable for uid");
    freep(&root);
}

Test(storage, full_storage_is_named, .init = open_file_storage, .fini = close_storage)
{
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "a"));
    struct rlimit before, limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 3;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct error *error = write_object("a", "0", "hello");
    struct error *put_error = put("a", "{      }");
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    fixture_expect(error, ERROR_RESOURCE_EXHAUSTED, "backup storage is full");
    fixture_expect(put_error, ERROR_RESOURCE_EXHAUSTED, "backup storage is full");
    struct strv names = {.items = NULL};
    char *folder = fixture_path("ks/0/a");
    cr_assert_null(file_list(folder, &names));
    cr_assert_eq(names.count, 1);
    cr_assert_str_eq(names.items[0], ".owner");
    strv_done(&names);
    freep(&folder);
}

Test(storage, full_file_system_is_named, .init = fixture_open, .fini = fixture_close)
{
    char *root = fixture_path("root");
    cr_assert_eq(mkdir(root, 0700), 0);
    if (mount("tmpfs", root, "tmpfs", 0, "size=64k") == 0) { /* needs root: elsewhere not tried */
        cr_assert_null(storage_file_new(root, true, NULL, &storage));
        cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "a"));
        char *text = xmalloc(100001);
        memset(text, 'x', 100000);
        text[100000] = '\0';
        fixture_expect(write_object("a", "0", text), ERROR_RESOURCE_EXHAUSTED,
                       "backup storage is full");
        freep(&text);
        storage_freep(&storage);
        cr_assert_eq(umount(root), 0);
    }
    freep(&root);
}

Test(storage, options_choose_and_explain)
{
    struct storage_options options = {.implementation = NULL};
    fixture_expect(storage_open(&options, true, &storage), ERROR_FAILED_PRECONDITION,
                   "--backup-storage-implementation");
    options.implementation = "s3";
    fixture_expect(storage_open(&options, true, &storage), ERROR_NOT_FOUND, "'s3'");
    options.implementation = "file";
    fixture_expect(storage_open(&options, true, &storage), ERROR_FAILED_PRECONDITION,
                   "--file-backup-storage-root");
    options.file_root = "/";
    cr_assert_null(storage_open(&options, false, &storage));
    storage_freep(&storage);
}
