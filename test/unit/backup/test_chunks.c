#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "fixture.h"

#define CHUNK 65536u

static const size_t sizes[] = {0,         1,      CHUNK - 1,     CHUNK,  CHUNK + 1,
                               2 * CHUNK, 700000, 3 * CHUNK - 1, 3000001};

static struct backup_directories source, target;
static struct storage *storage;
static char *name;
static struct manifest *manifest;

static void
open_server(void)
{
    fixture_open();
    fixture_make_server("s", &source);
    fixture_make_server("t", &target);
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        char *file = xasprintf("s/data/vt_ks/t%zu.ibd", i);
        fixture_write_noise(file, sizes[i], (uint32_t)i + 40);
        freep(&file);
    }
    char *auto_cnf = fixture_path("s/data/auto.cnf");
    char *temporary = fixture_path("s/innodb/data/ibtmp1");
    cr_assert_null(file_remove(auto_cnf));
    cr_assert_null(file_remove(temporary));
    freep(&auto_cnf);
    freep(&temporary);
    storage = storage_memory_new();
}

static void
close_server(void)
{
    manifest_freep(&manifest);
    freep(&name);
    storage_freep(&storage);
    backup_directories_done(&source);
    backup_directories_done(&target);
    fixture_close();
}

static void
take(const char *compression, int threads)
{
    struct backup_take_options options = fixture_take_options();
    options.compression = compression;
    options.concurrency = threads;
    options.chunk_bytes = CHUNK;
    struct error *error = backup_take(storage, &source, &options, NULL, &name);
    if (error != NULL)
        fixture_expect(error, ERROR_OK, "");
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, &manifest));
}

static struct error *
restore(int threads)
{
    struct restore_options options = {.concurrency = threads};
    return restore_copy(storage, manifest, &target, &options, NULL);
}

static void
expect_ok(struct error *error)
{
    if (error != NULL)
        fixture_expect(error, ERROR_OK, "");
}

static struct error *
verify(enum backup_verify_mode mode)
{
    struct backup_verify_options options = {.mode = mode, .concurrency = 3};
    return backup_verify(storage, manifest, &options, NULL);
}

static void
drop_index(void)
{
    for (size_t i = 0; i < manifest->entry_count; i++) {
        free(manifest->entries[i].chunks);
        manifest->entries[i].chunks = NULL;
        manifest->entries[i].chunk_count = 0;
    }
}

static void
expect_equal(void)
{
    cr_assert(fixture_trees_are_equal("s/data", "t/data"));
    cr_assert(fixture_trees_are_equal("s/innodb", "t/innodb"));
}

/* With the index, over longer and other files, and as one stream, like another reader does. */
static void
check_round_trip(const char *compression, int threads)
{
    take(compression, threads);
    expect_ok(verify(BACKUP_VERIFY_SIZE));
    expect_ok(verify(BACKUP_VERIFY_FULL));
    cr_assert_null(restore_wipe(&target, NULL));
    expect_ok(restore(threads));
    expect_equal();
    fixture_write_noise("t/data/vt_ks/big.ibd", 3500000, 1);
    fixture_write_noise("t/data/vt_ks/t0.ibd", 10, 1);
    drop_index();
    expect_ok(verify(BACKUP_VERIFY_FULL));
    expect_ok(restore(threads));
    expect_equal();
    for (size_t i = 0; i < manifest->entry_count; i++)
        manifest->entries[i].has_details = false;
    expect_ok(verify(BACKUP_VERIFY_FULL));
    cr_assert_null(restore_wipe(&target, NULL));
    expect_ok(restore(threads));
    expect_equal();
}

Test(chunks, gzip_round_trip, .init = open_server, .fini = close_server)
{
    check_round_trip("pgzip", 4);
}

Test(chunks, zstd_round_trip, .init = open_server, .fini = close_server)
{
    check_round_trip("zstd", 7);
}

Test(chunks, lz4_round_trip, .init = open_server, .fini = close_server)
{
    check_round_trip("lz4", 2);
}

Test(chunks, raw_round_trip, .init = open_server, .fini = close_server)
{
    check_round_trip("none", 1);
}

Test(chunks, the_index_fits_the_files, .init = open_server, .fini = close_server)
{
    take("pgzip", 3);
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        size_t count = (entry->plain_bytes + CHUNK - 1) / CHUNK;
        cr_assert_eq(entry->chunk_count, count > 1 ? count : 0);
        if (count <= 1)
            continue;
        cr_assert_eq(entry->chunk_bytes, CHUNK);
        cr_assert_eq(entry->head_bytes, 10);
        cr_assert_eq(manifest_tail_bytes(entry), 10);
    }
}

/* zlib alone reads the object as one member, as every Vitess does. */
Test(chunks, a_gzip_object_is_one_member, .init = open_server, .fini = close_server)
{
    take("pgzip", 3);
    static uint8_t back[4000000];
    for (size_t i = 0; i < manifest->entry_count; i++) {
        char *object = xasprintf("%zu", i);
        struct buffer *stored = storage_memory_object(storage, "ks/-80", name, object);
        z_stream stream = {.next_in = (Bytef *)stored->data,
                           .avail_in = (uInt)stored->length_bytes,
                           .next_out = back,
                           .avail_out = sizeof(back)};
        cr_assert_eq(inflateInit2(&stream, 31), Z_OK);
        cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
        cr_assert_eq(stream.avail_in, 0);
        cr_assert_eq(stream.total_out, manifest->entries[i].plain_bytes);
        inflateEnd(&stream);
        freep(&object);
    }
}

static size_t
find_entry(const char *entry_name)
{
    size_t i = 0;
    while (i < manifest->entry_count && strcmp(manifest->entries[i].name, entry_name) != 0)
        i++;
    cr_assert_lt(i, manifest->entry_count);
    return i;
}

static struct buffer *
object_of(size_t entry)
{
    char *object = xasprintf("%zu", entry);
    struct buffer *stored = storage_memory_object(storage, "ks/-80", name, object);
    cr_assert_not_null(stored);
    freep(&object);
    return stored;
}

Test(chunks, a_damaged_chunk_is_named, .init = open_server, .fini = close_server)
{
    static const char *const codecs[] = {"pgzip", "zstd", "lz4", "none"};
    for (size_t i = 0; i < ARRAY_LENGTH(codecs); i++) {
        take(codecs[i], 3);
        size_t index = find_entry("vt_ks/big.ibd");
        const struct manifest_entry *entry = &manifest->entries[index];
        uint64_t offset = entry->head_bytes;
        for (size_t chunk = 0; chunk < 7; chunk++)
            offset += entry->chunks[chunk].stored_bytes;
        object_of(index)->data[offset + entry->chunks[7].stored_bytes / 2] ^= 8;
        fixture_expect(verify(BACKUP_VERIFY_FULL), ERROR_DATA_LOSS,
                       "verify 'Data/vt_ks/big.ibd' from object");
        fixture_expect(verify(BACKUP_VERIFY_FULL), ERROR_DATA_LOSS,
                       "chunk 7 (bytes 458752 to 524288)");
        fixture_expect(restore(2), ERROR_DATA_LOSS, "chunk 7 (bytes 458752 to 524288)");
        expect_ok(verify(BACKUP_VERIFY_SIZE));
        cr_assert_null(storage->interface->remove(storage, NULL, "ks/-80", name));
        manifest_freep(&manifest);
        freep(&name);
    }
}

Test(chunks, another_size_is_found, .init = open_server, .fini = close_server)
{
    take("zstd", 3);
    struct buffer *stored = object_of(find_entry("vt_ks/big.ibd"));
    size_t length = stored->length_bytes;
    stored->length_bytes = length - 1;
    fixture_expect(verify(BACKUP_VERIFY_SIZE), ERROR_DATA_LOSS, "instead of");
    fixture_expect(restore(3), ERROR_DATA_LOSS, "chunk 45");
    stored->length_bytes = length;
    buffer_append_char(stored, 'x');
    fixture_expect(verify(BACKUP_VERIFY_FULL), ERROR_DATA_LOSS, "instead of");
    fixture_expect(restore(3), ERROR_DATA_LOSS, "size is not that of the MANIFEST");
    stored->length_bytes = 0;
    fixture_expect(restore(3), ERROR_DATA_LOSS, "big.ibd");
    struct buffer *manifest_text = storage_memory_object(storage, "ks/-80", name, "MANIFEST");
    cr_assert_not_null(manifest_text);
}

/* Small objects, so that thousands of rounds are quick. */
static void
make_small_server(void)
{
    fixture_open();
    fixture_make_server("s", &source);
    fixture_make_server("t", &target);
    cr_assert_null(restore_wipe(&source, NULL));
    fixture_write_noise("s/data/vt_ks/a.ibd", CHUNK + 4000, 1);
    fixture_write_noise("s/data/vt_ks/b.ibd", 3000, 2);
    fixture_write("s/data/vt_ks/db.opt", "");
    storage = storage_memory_new();
}

/* Threads are dear under a sanitizer, and what is looked for there shows in a few rounds. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FLIP_DIVISOR 40
#else
#define FLIP_DIVISOR 1
#endif

static void
flip_bits(const char *compression, int rounds)
{
    rounds /= FLIP_DIVISOR;
    uint32_t state = 12345;
    take(compression, 2);
    expect_ok(verify(BACKUP_VERIFY_FULL));
    struct backup_verify_options options = {.mode = BACKUP_VERIFY_FULL, .concurrency = 1};
    for (int i = 0; i < rounds; i++) {
        struct buffer *stored;
        do {
            state = state * 1664525u + 1013904223u;
            stored = object_of((state >> 8) % manifest->entry_count);
        } while (stored->length_bytes == 0);
        state = state * 1664525u + 1013904223u;
        size_t at = (state >> 4) % stored->length_bytes;
        char bit = (char)(1 << (state >> 28 & 7));
        stored->data[at] = (char)(stored->data[at] ^ bit);
        struct error *error = backup_verify(storage, manifest, &options, NULL);
        cr_assert(error_is(error, ERROR_DATA_LOSS));
        error_free(error);
        stored->data[at] = (char)(stored->data[at] ^ bit);
    }
    expect_ok(verify(BACKUP_VERIFY_FULL));
}

Test(chunks, every_wrong_bit_is_found_gzip, .init = make_small_server, .fini = close_server)
{
    flip_bits("pgzip", 4000);
}

Test(chunks, every_wrong_bit_is_found_zstd, .init = make_small_server, .fini = close_server)
{
    flip_bits("zstd", 3000);
}

Test(chunks, every_wrong_bit_is_found_lz4, .init = make_small_server, .fini = close_server)
{
    flip_bits("lz4", 2000);
}

Test(chunks, every_wrong_bit_is_found_raw, .init = make_small_server, .fini = close_server)
{
    flip_bits("none", 1000);
}

Test(chunks, impossible_sizes_are_refused, .init = make_small_server, .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    options.chunk_bytes = CHUNK + 1;
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_INVALID_ARGUMENT,
                   "multiples of 65536");
    options.chunk_bytes = 128u << 20;
    fixture_expect(backup_take(storage, &source, &options, NULL, &name), ERROR_INVALID_ARGUMENT,
                   "multiples of 65536");
}

/* Little memory makes small chunks, which work like all others. */
Test(chunks, memory_bounds_their_size, .init = open_server, .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    options.max_memory_bytes = 1;
    cr_assert_null(backup_take(storage, &source, &options, NULL, &name));
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    cr_assert_eq(manifest->entries[find_entry("vt_ks/big.ibd")].chunk_bytes, CHUNK);
    cr_assert_null(restore_wipe(&target, NULL));
    expect_ok(restore(2));
    expect_equal();
}

static void
cancel_on_progress(uint64_t done, uint64_t total, const char *text, void *data)
{
    (void)total, (void)text;
    if (done > 0)
        cancel_request(data);
}

/* Slow enough that the first report comes in the middle. */
Test(chunks, a_cancel_in_the_middle_ends_all, .init = open_server, .fini = close_server)
{
    take("lz4", 2);
    struct cancel *cancel = cancel_new(INT64_MAX);
    struct backup_take_options options = fixture_take_options();
    options.start_time_ns += 1000000000;
    options.chunk_bytes = CHUNK;
    options.rate_bytes_per_second = 1000000;
    options.on_progress = cancel_on_progress;
    options.progress_data = cancel;
    char *second;
    fixture_expect(backup_take(storage, &source, &options, cancel, &second), ERROR_CANCELED, "");
    cancel_unref(cancel);
    struct strv names = {.items = NULL};
    cr_assert_null(storage->interface->list(storage, NULL, "ks/-80", &names));
    cr_assert_eq(names.count, 1);
    strv_done(&names);
    for (int i = 0; i < 2; i++) {
        cancel = cancel_new(INT64_MAX);
        struct restore_options restore_options = {.concurrency = 2,
                                                  .rate_bytes_per_second = 1000000,
                                                  .on_progress = cancel_on_progress,
                                                  .progress_data = cancel};
        fixture_expect(restore_copy(storage, manifest, &target, &restore_options, cancel),
                       ERROR_CANCELED, "");
        cancel_unref(cancel);
        drop_index();
    }
}

Test(chunks, the_rate_is_kept, .init = make_small_server, .fini = close_server)
{
    fixture_write_noise("s/data/vt_ks/a.ibd", 600000, 1);
    struct backup_take_options options = fixture_take_options();
    options.rate_bytes_per_second = 1000000;
    options.chunk_bytes = CHUNK;
    int64_t start = clock_monotonic_ms();
    cr_assert_null(backup_take(storage, &source, &options, NULL, &name));
    /* The last block is granted when all before it are through. */
    cr_assert_geq(clock_monotonic_ms() - start, 500);
}

Test(chunks, a_storage_that_fails_in_the_middle_fails_all, .init = open_server,
     .fini = close_server)
{
    struct backup_take_options options = fixture_take_options();
    options.chunk_bytes = CHUNK;
    options.concurrency = 6;
    for (uint64_t limit = 1; limit < 3000000; limit = limit * 3 + 5000) {
        storage_memory_set_limit(storage, limit);
        fixture_expect(backup_take(storage, &source, &options, NULL, &name),
                       ERROR_RESOURCE_EXHAUSTED, "backup storage is full");
        struct strv names = {.items = NULL};
        cr_assert_null(storage->interface->list(storage, NULL, "ks/-80", &names));
        cr_assert_eq(names.count, 0);
    }
    name = NULL;
}
