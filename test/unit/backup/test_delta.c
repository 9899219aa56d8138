#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isa-l/crc64.h>

#include "agent/base/file.h"
#include "fixture.h"

#define CHUNK 65536u

static struct backup_directories source, target;
static struct storage *storage;
static char *name;
static struct manifest *manifest;
static uint64_t plain_bytes, kept_bytes;

static void
expect_ok(struct error *error)
{
    if (error != NULL)
        fixture_expect(error, ERROR_OK, "");
}

static void
open_backup(void)
{
    fixture_open();
    fixture_make_server("s", &source);
    fixture_make_server("t", &target);
    char *auto_cnf = fixture_path("s/data/auto.cnf");
    char *temporary = fixture_path("s/innodb/data/ibtmp1");
    cr_assert_null(file_remove(auto_cnf));
    cr_assert_null(file_remove(temporary));
    freep(&auto_cnf);
    freep(&temporary);
    storage = storage_memory_new();
    struct backup_take_options options = fixture_take_options();
    options.chunk_bytes = CHUNK;
    expect_ok(backup_take(storage, &source, &options, NULL, &name));
    expect_ok(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    plain_bytes = 0;
    for (size_t i = 0; i < manifest->entry_count; i++)
        plain_bytes += manifest->entries[i].plain_bytes;
}

static void
close_backup(void)
{
    manifest_freep(&manifest);
    freep(&name);
    storage_freep(&storage);
    backup_directories_done(&source);
    backup_directories_done(&target);
    fixture_close();
}

static struct error *
restore_with(struct cancel *cancel, backup_progress on_progress)
{
    struct restore_options options = {.concurrency = 3,
                                      .keeps_matching = true,
                                      .kept_bytes = &kept_bytes,
                                      .on_progress = on_progress,
                                      .progress_data = cancel};
    TRY(restore_wipe(&target, manifest));
    return restore_copy(storage, manifest, &target, &options, cancel);
}

static void
restore(void)
{
    expect_ok(restore_with(NULL, NULL));
    cr_assert(fixture_trees_are_equal("s/data", "t/data"));
    cr_assert(fixture_trees_are_equal("s/innodb", "t/innodb"));
}

static void
overwrite(const char *file, off_t at, const char *bytes)
{
    char *path = fixture_path(file);
    int descriptor = open(path, O_WRONLY);
    cr_assert(descriptor >= 0);
    cr_assert_eq(pwrite(descriptor, bytes, strlen(bytes), at), (ssize_t)strlen(bytes));
    close(descriptor);
    freep(&path);
}

static void
set_size(const char *file, off_t size)
{
    char *path = fixture_path(file);
    cr_assert_eq(truncate(path, size), 0);
    freep(&path);
}

static ino_t
inode_of(const char *file)
{
    struct stat status;
    char *path = fixture_path(file);
    cr_assert_eq(stat(path, &status), 0);
    freep(&path);
    return status.st_ino;
}

static void
write_nothing_new(void)
{
    restore();
    restore();
    cr_assert_eq(kept_bytes, plain_bytes);
}

Test(delta, the_second_checksum_is_xzs, .init = open_backup, .fini = close_backup)
{
    const unsigned char *digits = (const unsigned char *)"123456789";
    cr_assert_eq(crc64_ecma_refl(0, digits, 9), 0x995DC9BBDF1939FAu);
    cr_assert_eq(crc64_ecma_refl(crc64_ecma_refl(0, digits, 4), digits + 4, 5),
                 0x995DC9BBDF1939FAu);
    for (size_t i = 0; i < manifest->entry_count; i++)
        cr_assert(manifest->entries[i].has_crc64);
}

Test(delta, what_is_right_is_not_read_from_the_storage, .init = open_backup, .fini = close_backup)
{
    write_nothing_new();
    for (size_t i = 0; i < manifest->entry_count; i++) {
        char object[24];
        snprintf(object, sizeof(object), "%zu", i);
        struct buffer *stored = storage_memory_object(storage, "ks/-80", name, object);
        memset(stored->data, 'x', stored->length_bytes);
    }
    restore();
    cr_assert_eq(kept_bytes, plain_bytes);
}

Test(delta, one_changed_byte_costs_one_chunk, .init = open_backup, .fini = close_backup)
{
    restore();
    ino_t inode = inode_of("t/data/vt_ks/big.ibd");
    overwrite("t/data/vt_ks/big.ibd", 1000000, "x");
    restore();
    cr_assert_eq(kept_bytes, plain_bytes - CHUNK);
    cr_assert_eq(inode_of("t/data/vt_ks/big.ibd"), inode);
}

Test(delta, every_flipped_byte_of_a_chunk_is_found, .init = open_backup, .fini = close_backup)
{
    restore();
    for (off_t at = 7; at < 2900000; at += 660001) {
        char *before = fixture_read("t/data/vt_ks/big.ibd");
        char flipped[2] = {(char)(before[at] ^ 1), '\0'};
        if (flipped[0] == '\0')
            flipped[0] = (char)0x80;
        overwrite("t/data/vt_ks/big.ibd", at, flipped);
        restore();
        cr_assert_eq(kept_bytes, plain_bytes - CHUNK);
        freep(&before);
    }
}

Test(delta, files_that_are_shorter_or_longer_get_their_size, .init = open_backup,
     .fini = close_backup)
{
    restore();
    set_size("t/data/vt_ks/big.ibd", 10 * CHUNK + 5);
    set_size("t/innodb/data/ibdata1", 4000000);
    set_size("t/data/vt_ks/small.ibd", 0);
    set_size("t/data/mysql/general_log.CSV", 100);
    restore();
    cr_assert_eq(kept_bytes, plain_bytes - (3000000 - 10 * CHUNK) - 1);
}

Test(delta, a_hole_is_no_data, .init = open_backup, .fini = close_backup)
{
    restore();
    set_size("t/data/vt_ks/big.ibd", CHUNK);
    set_size("t/data/vt_ks/big.ibd", 3000000);
    restore();
    cr_assert_eq(kept_bytes, plain_bytes - (3000000 - CHUNK));
}

Test(delta, files_that_are_not_in_the_backup_go, .init = open_backup, .fini = close_backup)
{
    fixture_write("t/data/vt_ks/dropped.ibd", "x");
    fixture_write("t/data/vt_dropped/a.ibd", "x");
    fixture_write("t/data/vt_ks/big.ibd.old/a", "x");
    fixture_write("t/innodb/logs/#innodb_redo/#ib_redo99", "x");
    restore();
    char *log = fixture_path("t/bin-logs/vt-bin.000001");
    cr_assert(!file_exists(log));
    freep(&log);
}

Test(delta, what_is_no_plain_file_is_written_anew, .init = open_backup, .fini = close_backup)
{
    restore();
    char *victim = fixture_path("victim"), *other = fixture_path("other");
    char *big = fixture_path("t/data/vt_ks/big.ibd"), *small = fixture_path("t/data/mysql.ibd");
    fixture_write("victim", "precious");
    cr_assert_eq(link(big, other), 0);
    overwrite("t/data/vt_ks/big.ibd", 5, "precious");
    cr_assert_eq(unlink(small), 0);
    cr_assert_eq(symlink(victim, small), 0);
    char *folder = fixture_path("t/data/undo_001");
    cr_assert_eq(unlink(folder), 0);
    fixture_write("t/data/undo_001/inside", "x");
    restore();
    char *text = fixture_read("victim"), *kept = fixture_read("other");
    cr_assert_str_eq(text, "precious");
    cr_assert_eq(memcmp(kept + 5, "precious", 8), 0);
    freep(&text);
    freep(&kept);
    freep(&victim);
    freep(&other);
    freep(&big);
    freep(&small);
    freep(&folder);
}

Test(delta, without_checksums_all_is_written_anew, .init = open_backup, .fini = close_backup)
{
    restore();
    for (size_t i = 0; i < manifest->entry_count; i++)
        manifest->entries[i].has_crc64 = false;
    restore();
    cr_assert_eq(kept_bytes, 0);
}

Test(delta, one_checksum_alone_does_not_keep_a_chunk, .init = open_backup, .fini = close_backup)
{
    restore();
    for (size_t i = 0; i < manifest->entry_count; i++) {
        manifest->entries[i].plain_crc64 ^= 1;
        for (size_t c = 0; c < manifest->entries[i].chunk_count; c++)
            manifest->entries[i].chunks[c].plain_crc64 ^= 1;
    }
    restore();
    cr_assert_eq(kept_bytes, 0);
}

Test(delta, the_option_is_needed, .init = open_backup, .fini = close_backup)
{
    restore();
    struct restore_options options = {.concurrency = 1, .kept_bytes = &kept_bytes};
    expect_ok(restore_copy(storage, manifest, &target, &options, NULL));
    cr_assert_eq(kept_bytes, 0);
}

Test(delta, what_differs_is_read_before_and_nothing_is_written, .init = open_backup,
     .fini = close_backup)
{
    const struct backup_verify_options all = {.mode = BACKUP_VERIFY_FULL, .concurrency = 2};
    const struct backup_verify_options differing = {
        .mode = BACKUP_VERIFY_FULL, .concurrency = 2, .present = &target};
    restore();
    struct buffer *stored = storage_memory_object(storage, "ks/-80", name, "6");
    stored->data[stored->length_bytes / 2] ^= 1;
    fixture_expect(backup_verify(storage, manifest, &all, NULL), ERROR_DATA_LOSS, "big.ibd");
    expect_ok(backup_verify(storage, manifest, &differing, NULL));
    set_size("t/data/vt_ks/big.ibd", 1000);
    char *small = fixture_path("t/data/vt_ks/small.ibd");
    cr_assert_eq(unlink(small), 0);
    fixture_expect(backup_verify(storage, manifest, &differing, NULL), ERROR_DATA_LOSS, "big.ibd");
    char *text = fixture_read("t/data/vt_ks/small.ibd");
    cr_assert_null(text);
    freep(&small);
}

/* ---- Killed at any object: the next attempt finishes what is missing ---- */
Test(delta, an_attempt_that_failed_anywhere_is_finished, .init = open_backup, .fini = close_backup)
{
    for (size_t i = 0; i < manifest->entry_count; i++) {
        char object[24];
        snprintf(object, sizeof(object), "%zu", i);
        struct buffer *stored = storage_memory_object(storage, "ks/-80", name, object);
        if (manifest->entries[i].plain_bytes == 0)
            continue;
        cr_assert_null(restore_wipe(&target, NULL));
        size_t at = stored->length_bytes / 2;
        stored->data[at] ^= 16;
        struct error *error = restore_with(NULL, NULL);
        cr_assert(error_is(error, ERROR_DATA_LOSS));
        error_free(error);
        stored->data[at] ^= 16;
        restore();
    }
    restore();
    cr_assert_eq(kept_bytes, plain_bytes);
}

Test(delta, the_index_survives_the_manifests_text, .init = open_backup, .fini = close_backup)
{
    struct buffer text = BUFFER_INIT;
    struct manifest *again;
    manifest_print(manifest, &text);
    expect_ok(manifest_parse(text.data, text.length_bytes, &again));
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *left = &manifest->entries[i], *right = &again->entries[i];
        cr_assert(right->has_crc64 && left->plain_crc64 == right->plain_crc64);
        for (size_t c = 0; c < left->chunk_count; c++)
            cr_assert_eq(left->chunks[c].plain_crc64, right->chunks[c].plain_crc64);
    }
    manifest_free(again);
    memcpy(strstr(text.data, "ManifestCrc32"), "-", 1); /* else that one finds it first */
    char *digits = strstr(text.data, "\"PlainCrc64\": \"");
    digits[strlen("\"PlainCrc64\": \"")] = 'X';
    fixture_expect(manifest_parse(text.data, text.length_bytes, &again), ERROR_INVALID_ARGUMENT,
                   "PlainCrc64");
    digits[strlen("\"PlainCrc64\": \"")] = '"';
    struct error *error = manifest_parse(text.data, text.length_bytes, &again);
    cr_assert_not_null(error);
    error_free(error);
    buffer_done(&text);
}

/* ---- What is known is not read again, what is right is not written again ---- */
static uint64_t
written_so_far(void)
{
    struct buffer text = BUFFER_INIT;
    cr_assert_null(file_read("/proc/self/io", 4096, &text));
    const char *row = strstr(buffer_text(&text), "wchar: ");
    cr_assert_not_null(row);
    uint64_t bytes = strtoull(row + strlen("wchar: "), NULL, 10);
    buffer_done(&text);
    return bytes;
}

Test(delta, of_a_chunk_that_differs_only_the_page_is_written, .init = open_backup,
     .fini = close_backup)
{
    restore();
    overwrite("t/data/vt_ks/big.ibd", 1000000, "x");
    uint64_t before = written_so_far();
    restore();
    cr_assert_leq(written_so_far() - before, 16384);
    cr_assert_geq(written_so_far() - before, 1);
}

static struct error *
find_kept(const char *kept_path)
{
    const struct backup_verify_options options = {
        .mode = BACKUP_VERIFY_FULL, .present = &target, .kept_path = kept_path, .concurrency = 3};
    return backup_verify(storage, manifest, &options, NULL);
}

static void
restore_by(const char *kept_path)
{
    const struct restore_options options = {.concurrency = 3,
                                            .keeps_matching = true,
                                            .kept_path = kept_path,
                                            .kept_bytes = &kept_bytes};
    expect_ok(restore_wipe(&target, manifest));
    expect_ok(restore_copy(storage, manifest, &target, &options, NULL));
}

/* A byte that changes behind everybody's back: who does not read the file does not see it. */
static void
spoil(const char *file, off_t at, bool is_secret)
{
    char *path = fixture_path(file);
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    overwrite(file, at, "x");
    struct timespec times[2] = {status.st_atim, status.st_mtim};
    if (is_secret)
        cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    freep(&path);
}

Test(delta, what_a_check_has_found_right_is_not_read_again, .init = open_backup,
     .fini = close_backup)
{
    char *kept = fixture_path("kept");
    restore();
    overwrite("t/data/vt_ks/big.ibd", 1000000, "x");
    expect_ok(find_kept(kept));
    spoil("t/data/vt_ks/big.ibd", 10, true);
    restore_by(kept);
    cr_assert_eq(kept_bytes, plain_bytes - CHUNK);
    cr_assert_not(fixture_trees_are_equal("s/data", "t/data"));
    freep(&kept);
}

Test(delta, a_check_counts_no_more_once_a_file_has_changed, .init = open_backup,
     .fini = close_backup)
{
    char *kept = fixture_path("kept");
    restore();
    expect_ok(find_kept(kept));
    spoil("t/data/vt_ks/big.ibd", 10, false);
    restore_by(kept);
    cr_assert_eq(kept_bytes, plain_bytes - CHUNK);
    cr_assert(fixture_trees_are_equal("s/data", "t/data"));
    freep(&kept);
}

Test(delta, a_spoilt_note_of_a_check_is_no_note, .init = open_backup, .fini = close_backup)
{
    char *kept = fixture_path("kept");
    restore();
    spoil("t/data/vt_ks/big.ibd", 10, false);
    expect_ok(find_kept(kept));
    struct stat status;
    cr_assert_eq(stat(kept, &status), 0);
    for (off_t at = 0; at < status.st_size; at += 7)
        spoil("kept", at, true);
    restore_by(kept);
    cr_assert(fixture_trees_are_equal("s/data", "t/data"));
    freep(&kept);
}
