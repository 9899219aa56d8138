/* Copying a backup back: several objects at a time; every byte is checked on the way, and every
 * file is on disk before its checks count. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <isa-l/crc.h>

#include "agent/base/file.h"
#include "backup/backup.h"
#include "backup/codec.h"
#include "backup/manifest.h"
#include "backup/pipeline.h"

#define BLOCK_BYTES (512u * 1024)
#define DIRECTORY_MODE 0770
#define FILE_MODE 0660

struct restore {
    struct storage *storage;
    const struct manifest *manifest;
    const struct backup_directories *directories;
    const struct restore_options *options;
    char *directory; /* "ks/shard" */
    size_t *order;   /* entries by stored size, largest first */
    uint64_t *sizes;
    uint64_t total_bytes;
    struct strv folders; /* that were written to */
    atomic_uint_fast64_t done_bytes;
    atomic_size_t done_files;
};

/* One object on its way. */
struct restore_copy_state {
    struct restore *restore;
    const struct manifest_entry *entry;
    struct storage_reader *reader;
    char *path;
    int descriptor;
    uint8_t *block;
    uint64_t plain_bytes, stored_bytes;
    uint32_t plain_crc, stored_crc;
};

/* ---- One file ---- */
static struct error *
damaged(const struct restore_copy_state *state, const char *what)
{
    return error_new(ERROR_DATA_LOSS, "backup '%s' is damaged: %s",
                     state->restore->manifest->backup_name, what);
}

static struct error *
write_plain(const void *data, size_t size, void *sink_data)
{
    struct restore_copy_state *state = sink_data;
    state->plain_crc = crc32_gzip_refl(state->plain_crc, data, size);
    state->plain_bytes += size;
    if (state->entry->has_details && state->plain_bytes > state->entry->plain_bytes)
        return damaged(state, "the object holds more than it should");
    return file_write_all(state->descriptor, data, size, state->path);
}

/* Fills the block as far as the object goes. */
static struct error *
read_block(struct restore_copy_state *state, size_t least, size_t *ret_size)
{
    size_t size = 0, count = 1;
    while (size < least && count > 0) {
        TRY(state->restore->storage->interface->read(state->reader, state->block + size,
                                                     BLOCK_BYTES - size, &count));
        size += count;
    }
    state->stored_crc = crc32_gzip_refl(state->stored_crc, state->block, size);
    state->stored_bytes += size;
    atomic_fetch_add(&state->restore->done_bytes, size);
    *ret_size = size;
    return NULL;
}

/* The bytes say more than the MANIFEST: an external compressor may hide behind a known name. */
static struct error *
choose_codec(const struct restore_copy_state *state, size_t size, const struct codec **ret_codec)
{
    const struct manifest *manifest = state->restore->manifest;
    const struct codec *codec = &codec_none;
    if (!manifest->skips_compress) {
        codec = codec_sniff(state->block, size);
        if (codec == NULL)
            TRY(codec_find(manifest->compression_engine, &codec));
    }
    if (size == 0 && codec->accepts_empty_object)
        codec = &codec_none;
    *ret_codec = codec;
    return NULL;
}

static struct error *
decode_object(struct restore_copy_state *state, struct cancel *cancel)
{
    size_t size;
    const struct codec *codec;
    TRY(read_block(state, CODEC_MAGIC_BYTES, &size));
    TRY(choose_codec(state, size, &codec));
    CLEANUP(codec_stream_freep)
    struct codec_stream *stream = codec_decoder_new(codec, write_plain, state);
    while (size > 0) {
        TRY(cancel_check(cancel));
        TRY(codec_push(stream, state->block, size));
        TRY(read_block(state, 1, &size));
    }
    return codec_finish(stream);
}

static struct error *
verify(const struct restore_copy_state *state)
{
    const struct manifest_entry *entry = state->entry;
    char hash[MANIFEST_HASH_TEXT_BYTES];
    manifest_format_hash(state->stored_crc, hash);
    if (entry->hash[0] != '\0' && strcasecmp(entry->hash, hash) != 0)
        return damaged(state, "the stored bytes do not have the CRC-32 of the MANIFEST");
    if (!entry->has_details)
        return NULL;
    if (entry->stored_bytes != state->stored_bytes || entry->plain_bytes != state->plain_bytes)
        return damaged(state, "the size is not that of the MANIFEST");
    if (entry->plain_crc32 != state->plain_crc)
        return damaged(state, "the file's bytes do not have the CRC-32 of the MANIFEST");
    return NULL;
}

static struct error *
preallocate(const struct restore_copy_state *state)
{
    uint64_t size = state->entry->plain_bytes;
    if (!state->entry->has_details || size == 0)
        return NULL;
    if (fallocate(state->descriptor, 0, 0, (off_t)size) == 0 || errno == EOPNOTSUPP ||
        errno == ENOSYS || errno == EINTR)
        return NULL;
    return error_from_errno(errno, "make room for %" PRIu64 " bytes in '%s'", size, state->path);
}

static struct error *
write_file(struct restore_copy_state *state, struct cancel *cancel)
{
    state->descriptor =
        open(state->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (state->descriptor < 0)
        return error_from_errno(errno, "create '%s'", state->path);
    struct error *error = preallocate(state);
    if (error == NULL)
        error = decode_object(state, cancel);
    if (error == NULL)
        error = verify(state);
    if (error == NULL && fsync(state->descriptor) != 0)
        error = error_from_errno(errno, "sync '%s'", state->path);
    if (close(state->descriptor) != 0 && error == NULL)
        error = error_from_errno(errno, "close '%s'", state->path);
    return error;
}

static char *
target_path(const struct restore *restore, const struct manifest_entry *entry)
{
    return xasprintf("%s/%s", backup_directories_of_base(restore->directories, entry->base),
                     entry->name);
}

static struct error *
run_item(size_t item, void *worker, struct cancel *cancel, void *data)
{
    (void)worker;
    struct restore *restore = data;
    const struct storage_interface *interface = restore->storage->interface;
    size_t index = restore->order[item];
    const struct manifest_entry *entry = &restore->manifest->entries[index];
    CLEANUP(freep) char *path = target_path(restore, entry);
    CLEANUP(freep) uint8_t *block = xmalloc(BLOCK_BYTES);
    struct restore_copy_state state = {
        .restore = restore, .entry = entry, .path = path, .block = block};
    char object[24];
    snprintf(object, sizeof(object), "%zu", index);
    struct error *error =
        interface->open_read(restore->storage, cancel, restore->directory,
                             restore->manifest->backup_name, object, &state.reader);
    if (error == NULL) {
        error = write_file(&state, cancel);
        interface->close_read(state.reader);
    }
    if (error != NULL)
        return error_wrap(error, "restore '%s/%s' from object '%s'", entry->base, entry->name,
                          object);
    atomic_fetch_add(&restore->done_files, 1);
    return NULL;
}

/* ---- All of them ---- */
static int
by_size_descending(const void *a, const void *b, void *data)
{
    const uint64_t *sizes = data;
    size_t first = *(const size_t *)a, second = *(const size_t *)b;
    if (sizes[first] != sizes[second])
        return sizes[first] > sizes[second] ? -1 : 1;
    return first < second ? -1 : first > second;
}

static struct error *
measure(struct restore *restore, struct cancel *cancel)
{
    size_t count = restore->manifest->entry_count;
    restore->order = xcalloc(count + 1, sizeof(*restore->order));
    restore->sizes = xcalloc(count + 1, sizeof(*restore->sizes));
    for (size_t i = 0; i < count; i++) {
        const struct manifest_entry *entry = &restore->manifest->entries[i];
        char object[24];
        snprintf(object, sizeof(object), "%zu", i);
        restore->order[i] = i;
        restore->sizes[i] = entry->stored_bytes;
        if (!entry->has_details)
            TRY(restore->storage->interface->size(restore->storage, cancel, restore->directory,
                                                  restore->manifest->backup_name, object,
                                                  &restore->sizes[i]));
        restore->total_bytes += restore->sizes[i];
    }
    qsort_r(restore->order, count, sizeof(*restore->order), by_size_descending, restore->sizes);
    return NULL;
}

static struct error *
make_folder(struct restore *restore, const char *path)
{
    /* Files come sorted by folder: looking at the last one spares a search. */
    size_t count = restore->folders.count;
    if (count > 0 && strcmp(restore->folders.items[count - 1], path) == 0)
        return NULL;
    TRY(file_make_directories(path, DIRECTORY_MODE));
    strv_add(&restore->folders, path);
    return NULL;
}

static struct error *
make_folders(struct restore *restore)
{
    const struct manifest *manifest = restore->manifest;
    TRY(make_folder(restore, restore->directories->data));
    TRY(make_folder(restore, restore->directories->innodb_data));
    TRY(make_folder(restore, restore->directories->innodb_log));
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        if (backup_directories_of_base(restore->directories, entry->base) == NULL ||
            !manifest_name_is_safe(entry->name))
            return error_new(ERROR_INVALID_ARGUMENT, "file '%s/%s' has no place", entry->base,
                             entry->name);
        CLEANUP(freep) char *path = target_path(restore, entry);
        *strrchr(path, '/') = '\0';
        TRY(make_folder(restore, path));
    }
    for (size_t i = 0; i < manifest->empty_directories.count; i++) {
        CLEANUP(freep)
        char *path =
            xasprintf("%s/%s", restore->directories->data, manifest->empty_directories.items[i]);
        TRY(make_folder(restore, path));
    }
    return NULL;
}

static struct error *
sync_folders(const struct restore *restore)
{
    for (size_t i = 0; i < restore->folders.count; i++)
        TRY(file_sync_directory(restore->folders.items[i]));
    return NULL;
}

static void
tick(void *data)
{
    struct restore *restore = data;
    if (restore->options->on_progress == NULL)
        return;
    CLEANUP(freep)
    char *text = xasprintf("%zu of %zu files restored", atomic_load(&restore->done_files),
                           restore->manifest->entry_count);
    restore->options->on_progress(atomic_load(&restore->done_bytes), restore->total_bytes, text,
                                  restore->options->progress_data);
}

static void
restore_done(struct restore *restore)
{
    strv_done(&restore->folders);
    free(restore->directory);
    free(restore->order);
    free(restore->sizes);
}

struct error *
restore_copy(struct storage *storage, const struct manifest *manifest,
             const struct backup_directories *directories, const struct restore_options *options,
             struct cancel *cancel)
{
    CLEANUP(restore_done)
    struct restore restore = {.storage = storage,
                              .manifest = manifest,
                              .directories = directories,
                              .options = options,
                              .directory = xasprintf("%s/%s", manifest->keyspace, manifest->shard)};
    TRY(measure(&restore, cancel));
    TRY(make_folders(&restore));
    const struct pipeline pipeline = {.threads = options->concurrency,
                                      .item_count = manifest->entry_count,
                                      .run = run_item,
                                      .tick = tick,
                                      .data = &restore};
    TRY(pipeline_run(&pipeline, cancel));
    return sync_folders(&restore);
}
