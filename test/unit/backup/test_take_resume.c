#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "fixture.h"

#define CHUNK 65536u
#define RECORD 56u
#define HEADER 16u
/* Rounds are dear under a sanitizer, and what is looked for there shows in a few. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STRIDE 9
#else
#define STRIDE 1
#endif

static struct backup_directories source, target;
static struct storage *storage;
static struct backup_take_options options;
static char *progress, *name;
static uint64_t resumed_bytes, stored_bytes, plain_bytes;

static void
expect_ok(struct error *error)
{
    if (error != NULL)
        fixture_expect(error, ERROR_OK, "");
}

static void
drop(void)
{
    freep(&name);
    storage_memory_die_after(storage, UINT64_MAX);
    error_free(
        storage->interface->remove(storage, NULL, "ks/-80", "2026-11-23.055542.zone1-0000000102"));
}

/* Begins anew. */
static struct error *
take_killed_after(uint64_t bytes)
{
    drop();
    options.resumes = false;
    storage_memory_die_after(storage, bytes);
    struct error *error = backup_take(storage, &source, &options, NULL, &name);
    storage_memory_die_after(storage, UINT64_MAX);
    return error;
}

static void
kill_after(uint64_t bytes)
{
    struct error *error = take_killed_after(bytes);
    cr_assert(error_is(error, ERROR_UNAVAILABLE));
    error_free(error);
}

/* Whatever was there, the backup is right in the end. */
static void
resume(void)
{
    struct manifest *manifest;
    struct restore_options restore_options = {.concurrency = 2};
    const struct backup_verify_options verify = {.mode = BACKUP_VERIFY_FULL, .concurrency = 2};
    options.resumes = true;
    freep(&name);
    resumed_bytes = 0;
    expect_ok(backup_take(storage, &source, &options, NULL, &name));
    expect_ok(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    expect_ok(backup_verify(storage, manifest, &verify, NULL));
    expect_ok(restore_wipe(&target, NULL));
    expect_ok(restore_copy(storage, manifest, &target, &restore_options, NULL));
    cr_assert(fixture_trees_are_equal("s/data", "t/data"));
    cr_assert(fixture_trees_are_equal("s/innodb", "t/innodb"));
    for (size_t i = 0; i < manifest->entry_count; i++)
        cr_assert(manifest->entries[i].has_crc64);
    manifest_free(manifest);
}

static void
open_server(void)
{
    fixture_open();
    fixture_make_server("s", &source);
    fixture_make_server("t", &target);
    char *auto_cnf = fixture_path("s/data/auto.cnf");
    char *temporary = fixture_path("s/innodb/data/ibtmp1");
    expect_ok(file_remove(auto_cnf));
    expect_ok(file_remove(temporary));
    freep(&auto_cnf);
    freep(&temporary);
    storage = storage_memory_new();
    progress = fixture_path("progress");
    options = fixture_take_options();
    options.chunk_bytes = CHUNK;
    options.concurrency = 1;
    options.progress_path = progress;
    options.resumed_bytes = &resumed_bytes;
    expect_ok(take_killed_after(UINT64_MAX));
    struct manifest *manifest;
    expect_ok(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    stored_bytes = plain_bytes = 0;
    for (size_t i = 0; i < manifest->entry_count; i++) {
        stored_bytes += manifest->entries[i].stored_bytes;
        plain_bytes += manifest->entries[i].plain_bytes;
    }
    manifest_free(manifest);
}

static void
close_server(void)
{
    freep(&name);
    freep(&progress);
    storage_freep(&storage);
    backup_directories_done(&source);
    backup_directories_done(&target);
    fixture_close();
}

static size_t
progress_size(void)
{
    struct buffer text = BUFFER_INIT;
    expect_ok(file_read(progress, 1 << 20, &text));
    size_t size = text.length_bytes;
    buffer_done(&text);
    return size;
}

static void
spoil_progress(size_t at)
{
    struct buffer text = BUFFER_INIT;
    expect_ok(file_read(progress, 1 << 20, &text));
    text.data[at] ^= 4;
    expect_ok(file_write_safely(progress, text.data, text.length_bytes, 0660));
    buffer_done(&text);
}

Test(take_resume, killed_anywhere_it_goes_on, .init = open_server, .fini = close_server)
{
    uint64_t before = 0;
    for (uint64_t bytes = 0; bytes < stored_bytes; bytes += 177777 * STRIDE) {
        kill_after(bytes);
        resume();
        cr_assert(resumed_bytes >= before && resumed_bytes <= plain_bytes);
        cr_assert(resumed_bytes + 2 * CHUNK > plain_bytes / stored_bytes * bytes);
        before = resumed_bytes;
    }
    cr_assert(STRIDE > 1 || before > plain_bytes / 2);
}

Test(take_resume, with_many_threads_too, .init = open_server, .fini = close_server)
{
    static const char *const codecs[] = {"zstd", "lz4", "none", "pgzip"};
    options.concurrency = 4;
    for (size_t i = 0; i < 8; i += STRIDE) {
        options.compression = codecs[i % 4];
        kill_after(stored_bytes * (i + 1) / 10);
        resume();
    }
}

Test(take_resume, killed_again_and_again_it_gets_there, .init = open_server, .fini = close_server)
{
    int rounds = 0;
    kill_after(200000);
    options.resumes = true;
    for (;; rounds++) {
        storage_memory_die_after(storage, 200000);
        freep(&name);
        struct error *error = backup_take(storage, &source, &options, NULL, &name);
        storage_memory_die_after(storage, UINT64_MAX);
        if (error == NULL)
            break;
        cr_assert(error_is(error, ERROR_UNAVAILABLE));
        error_free(error);
        cr_assert(rounds < 100);
    }
    cr_assert(rounds > 3);
    resume();
}

Test(take_resume, every_prefix_of_the_record_is_of_use, .init = open_server, .fini = close_server)
{
    uint64_t last = UINT64_MAX;
    kill_after(stored_bytes * 9 / 10);
    for (size_t size = progress_size(); size > 0;
         size -= size > 173 * STRIDE ? 173 * STRIDE : size) {
        kill_after(stored_bytes * 9 / 10);
        cr_assert_eq(truncate(progress, (off_t)size), 0);
        resume();
        cr_assert(resumed_bytes <= last);
        cr_assert(size >= HEADER + RECORD || resumed_bytes == 0);
        last = resumed_bytes;
    }
    cr_assert(STRIDE > 1 || last == 0);
}

Test(take_resume, a_spoiled_record_ends_what_is_believed, .init = open_server, .fini = close_server)
{
    kill_after(stored_bytes * 9 / 10);
    resume();
    uint64_t all = resumed_bytes;
    size_t size = progress_size();
    for (size_t at = 3; at < size; at += 541 * STRIDE) {
        kill_after(stored_bytes * 9 / 10);
        if (at >= progress_size())
            break;
        spoil_progress(at);
        resume();
        cr_assert(resumed_bytes < all);
    }
}

Test(take_resume, other_settings_begin_anew, .init = open_server, .fini = close_server)
{
    kill_after(stored_bytes / 2);
    options.compression_level = 2;
    resume();
    cr_assert_eq(resumed_bytes, 0);
    kill_after(stored_bytes / 2);
    options.chunk_bytes = 2 * CHUNK;
    resume();
    cr_assert_eq(resumed_bytes, 0);
    kill_after(stored_bytes / 2);
    options.compression = "zstd";
    resume();
    cr_assert_eq(resumed_bytes, 0);
    kill_after(stored_bytes / 2);
    resume();
    cr_assert(resumed_bytes > 0);
}

Test(take_resume, other_files_begin_anew, .init = open_server, .fini = close_server)
{
    kill_after(stored_bytes / 2);
    fixture_write_noise("s/data/vt_ks/small.ibd", 1, 99);
    resume();
    cr_assert_eq(resumed_bytes, 0);
    kill_after(stored_bytes / 2);
    fixture_write("s/data/vt_ks/new.ibd", "x");
    resume();
    cr_assert_eq(resumed_bytes, 0);
}

Test(take_resume, without_being_asked_for_it_begins_anew, .init = open_server, .fini = close_server)
{
    kill_after(stored_bytes / 2);
    options.resumes = false;
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_ALREADY_EXISTS, "");
    cr_assert_eq(progress_size(), HEADER);
}

Test(take_resume, what_the_storage_has_lost_is_copied_again, .init = open_server,
     .fini = close_server)
{
    static const char *const objects[] = {"6", "8"}; /* the two largest */
    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++) {
        kill_after(stored_bytes * 9 / 10);
        resume();
        uint64_t all = resumed_bytes;
        for (size_t length = 0; length < 2; length++) {
            kill_after(stored_bytes * 9 / 10);
            struct buffer *object = storage_memory_object(
                storage, "ks/-80", "2026-11-23.055542.zone1-0000000102", objects[i]);
            if (object == NULL)
                continue;
            object->length_bytes = length * (object->length_bytes - 1);
            resume();
            cr_assert(resumed_bytes < all);
        }
    }
    kill_after(stored_bytes * 9 / 10);
    error_free(
        storage->interface->remove(storage, NULL, "ks/-80", "2026-11-23.055542.zone1-0000000102"));
    resume();
    cr_assert_eq(resumed_bytes, 0);
}

Test(take_resume, a_storage_that_cannot_go_on_keeps_whole_objects, .init = open_server,
     .fini = close_server)
{
    const struct storage_interface *whole = storage->interface;
    struct storage_interface part = *whole;
    part.open_resume = NULL;
    storage->interface = &part;
    kill_after(stored_bytes / 2);
    resume();
    cr_assert_eq(resumed_bytes, 0); /* in the middle of the largest */
    kill_after(stored_bytes * 95 / 100);
    resume();
    cr_assert(resumed_bytes >= 3000000 && resumed_bytes < plain_bytes);
    storage->interface = whole;
}

Test(take_resume, a_complete_backup_is_left_alone, .init = open_server, .fini = close_server)
{
    expect_ok(take_killed_after(UINT64_MAX));
    storage_memory_die_after(storage, 0);
    options.resumes = true;
    freep(&name);
    expect_ok(backup_take(storage, &source, &options, NULL, &name));
    storage_memory_die_after(storage, UINT64_MAX);
    resume();
}

Test(take_resume, a_record_that_cannot_be_written_does_not_matter, .init = open_server,
     .fini = close_server)
{
    drop();
    options.progress_path = "/proc/none/progress";
    options.resumes = false;
    expect_ok(backup_take(storage, &source, &options, NULL, &name));
    kill_after(stored_bytes / 2);
    resume();
    cr_assert_eq(resumed_bytes, 0);
}
