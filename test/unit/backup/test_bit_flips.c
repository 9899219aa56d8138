/* One flipped bit anywhere in a backup, thousands of times: a restore that looks before it deletes
 * finds all of them. A MANIFEST may only be believed when it says what was written. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fixture.h"

#ifdef VTAGENT_DEBUG
#define FLIPS 1000
#else
#define FLIPS 10000
#endif
#define BACKUPS 4

static const char *const compressions[BACKUPS] = {"pgzip", "zstd", "lz4", "none"};
static struct backup_directories source;
static struct storage *storage;
static uint64_t state;
static char *manifest_text;

static size_t
random_below(size_t most)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((state >> 33) % most);
}

static struct manifest *
take(const char *compression)
{
    struct backup_take_options options = fixture_take_options();
    char *name;
    struct manifest *manifest;
    options.compression = compression;
    options.chunk_bytes = MANIFEST_CHUNK_BYTES_LEAST;
    options.concurrency = 1;
    storage = storage_memory_new();
    cr_assert_null(backup_take(storage, &source, &options, NULL, &name));
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    struct buffer *text = storage_memory_object(storage, "ks/-80", name, MANIFEST_NAME);
    manifest_text = xstrdup(text->data);
    freep(&name);
    return manifest;
}

static struct error *
verify(const struct manifest *manifest)
{
    const struct backup_verify_options options = {.mode = BACKUP_VERIFY_FULL, .concurrency = 1};
    return backup_verify(storage, manifest, &options, NULL);
}

/* Refused, or what it says is what was written: the flip is in what nobody reads. */
static bool
is_manifest_right(const char *name)
{
    struct manifest *manifest;
    struct error *error = restore_open(storage, "ks", "-80", name, NULL, &manifest);
    if (error != NULL) {
        error_free(error);
        return true;
    }
    struct buffer text = BUFFER_INIT;
    manifest_print(manifest, &text);
    bool is_same = strcmp(text.data, manifest_text) == 0;
    buffer_done(&text);
    manifest_free(manifest);
    return is_same;
}

static bool
is_found(const struct manifest *manifest, size_t object)
{
    if (object == manifest->entry_count)
        return is_manifest_right(manifest->backup_name);
    struct error *error = verify(manifest);
    bool is_found = error_is(error, ERROR_DATA_LOSS);
    error_free(error);
    return is_found;
}

static void
flip_one(const struct manifest *manifest)
{
    char object[24] = MANIFEST_NAME;
    size_t number = random_below(manifest->entry_count + 1);
    if (number < manifest->entry_count)
        snprintf(object, sizeof(object), "%zu", number);
    struct buffer *stored = storage_memory_object(storage, "ks/-80", manifest->backup_name, object);
    if (stored->length_bytes == 0)
        return;
    size_t at = random_below(stored->length_bytes);
    int bit = 1 << random_below(8);
    stored->data[at] = (char)(stored->data[at] ^ bit);
    if (!is_found(manifest, number)) {
        fprintf(stderr, "not found: object %s byte %zu bit %d\n", object, at, bit);
        cr_assert(false);
    }
    stored->data[at] = (char)(stored->data[at] ^ bit);
}

static void
make_small_server(void)
{
    fixture_open();
    state = (uint64_t)time(NULL);
    fprintf(stderr, "seed %llu\n", (unsigned long long)state);
    char *text = xasprintf("[mysqld]\ndatadir = %s/s/data\n", fixture_folder);
    fixture_write("s/my.cnf", text);
    freep(&text);
    fixture_write_noise("s/data/ibdata1", 3000, 1);
    fixture_write_noise("s/data/ib_logfile0", 500, 2);
    fixture_write_noise("s/data/db/t.MYD", 2 * MANIFEST_CHUNK_BYTES_LEAST + 700, 3);
    fixture_write("s/data/db/db.opt", "default-collation=utf8mb4\n");
    fixture_write("s/data/db/empty.frm", "");
    char *mycnf = fixture_path("s/my.cnf");
    cr_assert_null(backup_directories_read(mycnf, &source));
    freep(&mycnf);
}

static void
end(void)
{
    backup_directories_done(&source);
    fixture_close();
}

Test(bit_flips, each_is_found, .init = make_small_server, .fini = end)
{
    for (int i = 0; i < BACKUPS; i++) {
        struct manifest *manifest = take(compressions[i]);
        cr_assert_null(verify(manifest));
        for (int flip = 0; flip < FLIPS / BACKUPS; flip++)
            flip_one(manifest);
        manifest_free(manifest);
        freep(&manifest_text);
        storage_freep(&storage);
    }
}
