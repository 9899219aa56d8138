/* Taking a backup: the files of a stopped server, several at a time, large ones first so that none
 * is left alone at the end; objects are numbered in the MANIFEST's order. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <isa-l/crc.h>

#include "agent/base/clock.h"
#include "backup/backup.h"
#include "backup/codec.h"
#include "backup/files.h"
#include "backup/manifest.h"
#include "backup/pipeline.h"

#define BLOCK_BYTES (512u * 1024)

struct take {
    struct storage *storage;
    const struct backup_take_options *options;
    const struct codec *codec;
    char *directory, *name;
    struct backup_files files;
    size_t *order;             /* files by size, largest first */
    struct manifest *manifest; /* each entry is filled by the thread that copies it */
    atomic_uint_fast64_t done_bytes;
    atomic_size_t done_files;
};

/* One file on its way. */
struct take_copy {
    struct take *take;
    const struct backup_file *file;
    int descriptor;
    struct storage_writer *writer;
    struct codec_stream *stream;
    uint8_t *block;
    uint64_t plain_bytes, stored_bytes;
    uint32_t plain_crc, stored_crc;
};

char *
backup_name(int64_t start_time_ns, const char *alias)
{
    time_t seconds = (time_t)(start_time_ns / 1000000000LL);
    struct tm parts;
    char text[32];
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%d.%H%M%S", &parts);
    return xasprintf("%s.%s", text, alias);
}

static struct error *
store(const void *data, size_t size, void *sink_data)
{
    struct take_copy *copy = sink_data;
    copy->stored_crc = crc32_gzip_refl(copy->stored_crc, data, size);
    copy->stored_bytes += size;
    return copy->take->storage->interface->write(copy->writer, data, size);
}

static struct error *
copy_blocks(struct take_copy *copy, struct cancel *cancel)
{
    for (;;) {
        TRY(cancel_check(cancel));
        ssize_t count = read(copy->descriptor, copy->block, BLOCK_BYTES);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_from_errno(errno, "read '%s'", copy->file->path);
        if (count == 0)
            return codec_finish(copy->stream);
        copy->plain_crc = crc32_gzip_refl(copy->plain_crc, copy->block, (uint64_t)count);
        copy->plain_bytes += (uint64_t)count;
        TRY(codec_push(copy->stream, copy->block, (size_t)count));
        atomic_fetch_add(&copy->take->done_bytes, (uint64_t)count);
    }
}

static struct error *
copy_stream(struct take_copy *copy, struct cancel *cancel)
{
    const struct take *take = copy->take;
    CLEANUP(codec_stream_freep) struct codec_stream *stream = NULL;
    TRY(codec_encoder_new(take->codec, take->options->compression_level, store, copy, &stream));
    uint8_t frame[CODEC_FRAME_BYTES_MOST];
    copy->stream = stream;
    TRY(store(frame, codec_head(take->codec, frame), copy));
    TRY(copy_blocks(copy, cancel));
    size_t size = codec_tail(take->codec, copy->plain_crc, copy->plain_bytes, frame);
    TRY(store(frame, size, copy));
    if (copy->plain_bytes != copy->file->size_bytes)
        return error_new(ERROR_ABORTED, "'%s' changed while it was read: is mysqld running",
                         copy->file->path);
    return NULL;
}

static void
record_entry(const struct take_copy *copy, struct manifest_entry *entry)
{
    char hash[MANIFEST_HASH_TEXT_BYTES];
    manifest_format_hash(copy->stored_crc, hash);
    *entry = (struct manifest_entry){
        .base = xstrdup(copy->file->base),
        .name = xstrdup(copy->file->name),
        .hash = xstrdup(hash),
        .has_details = true,
        .plain_bytes = copy->plain_bytes,
        .stored_bytes = copy->stored_bytes,
        .plain_crc32 = copy->plain_crc,
    };
}

static struct error *
copy_file(struct take *take, size_t index, struct cancel *cancel)
{
    const struct storage_interface *interface = take->storage->interface;
    const struct backup_file *file = &take->files.items[index];
    CLEANUP(closep) int descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_from_errno(errno, "open '%s'", file->path);
    (void)posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    CLEANUP(freep) uint8_t *block = xmalloc(BLOCK_BYTES);
    struct take_copy copy = {.take = take, .file = file, .descriptor = descriptor, .block = block};
    char object[24];
    snprintf(object, sizeof(object), "%zu", index);
    TRY(interface->open_write(take->storage, cancel, take->directory, take->name, object,
                              &copy.writer));
    struct error *error = copy_stream(&copy, cancel);
    if (error != NULL) {
        interface->abort_write(copy.writer);
        return error;
    }
    TRY(interface->close_write(copy.writer));
    record_entry(&copy, &take->manifest->entries[index]);
    atomic_fetch_add(&take->done_files, 1);
    return NULL;
}

static struct error *
run_item(size_t item, struct cancel *cancel, void *data)
{
    struct take *take = data;
    size_t index = take->order[item];
    struct error *error = copy_file(take, index, cancel);
    return error_wrap(error, "back up '%s/%s'", take->files.items[index].base,
                      take->files.items[index].name);
}

static void
tick(void *data)
{
    struct take *take = data;
    if (take->options->on_progress == NULL)
        return;
    CLEANUP(freep)
    char *text =
        xasprintf("%zu of %zu files copied", atomic_load(&take->done_files), take->files.count);
    take->options->on_progress(atomic_load(&take->done_bytes), take->files.total_bytes, text,
                               take->options->progress_data);
}

static int
by_size_descending(const void *a, const void *b, void *data)
{
    const struct backup_files *files = data;
    size_t first = *(const size_t *)a, second = *(const size_t *)b;
    uint64_t first_size = files->items[first].size_bytes;
    uint64_t second_size = files->items[second].size_bytes;
    if (first_size != second_size)
        return first_size > second_size ? -1 : 1;
    return first < second ? -1 : first > second;
}

static void
sort_files(struct take *take)
{
    take->order = xcalloc(take->files.count, sizeof(*take->order));
    for (size_t i = 0; i < take->files.count; i++)
        take->order[i] = i;
    qsort_r(take->order, take->files.count, sizeof(*take->order), by_size_descending, &take->files);
}

static void
describe(struct manifest *manifest, const struct take *take)
{
    const struct backup_take_options *options = take->options;
    char time_text[32];
    clock_format_rfc3339(options->start_time_ns, time_text);
    str_replace(&manifest->backup_name, take->name);
    str_replace(&manifest->backup_method, "builtin");
    str_replace(&manifest->position, options->position);
    str_replace(&manifest->purged_position, options->purged_position);
    str_replace(&manifest->backup_time, time_text);
    str_replace(&manifest->server_uuid, options->server_uuid);
    str_replace(&manifest->tablet_alias, options->alias);
    str_replace(&manifest->hostname, options->hostname);
    str_replace(&manifest->keyspace, options->keyspace);
    str_replace(&manifest->shard, options->shard);
    str_replace(&manifest->mysql_version, options->mysql_version);
    str_replace(&manifest->compression_engine, take->codec->name);
    str_replace(&manifest->quiesce_mode, "stop");
    manifest->is_upgrade_safe = options->is_upgrade_safe;
    manifest->skips_compress = take->codec == &codec_none;
    /* Vitess knows no engine "none": its own manifests name one and skip it. */
    if (manifest->skips_compress)
        str_replace(&manifest->compression_engine, codec_gzip.name);
    manifest->has_vtagent_details = true;
    for (size_t i = 0; i < take->files.empty_directories.count; i++)
        strv_add(&manifest->empty_directories, take->files.empty_directories.items[i]);
}

static struct error *
publish(struct take *take, struct cancel *cancel)
{
    char time_text[32];
    clock_format_rfc3339(clock_wall_ns(), time_text);
    str_replace(&take->manifest->finished_time, time_text);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    manifest_print(take->manifest, &text);
    /* What we could not read ourselves is no backup. */
    struct manifest *check;
    TRY(manifest_parse(text.data, text.length_bytes, &check));
    manifest_free(check);
    return take->storage->interface->put(take->storage, cancel, take->directory, take->name,
                                         MANIFEST_NAME, text.data, text.length_bytes);
}

static struct error *
copy_all(struct take *take, struct cancel *cancel)
{
    const struct pipeline pipeline = {.threads = take->options->concurrency,
                                      .item_count = take->files.count,
                                      .run = run_item,
                                      .tick = tick,
                                      .data = take};
    TRY(pipeline_run(&pipeline, cancel));
    TRY(cancel_check(cancel));
    return error_wrap(publish(take, cancel), "write the MANIFEST");
}

/* A folder without a MANIFEST would block the bootstrap of a new shard: it goes, canceled or not.
 */
static struct error *
remove_failed(struct take *take, struct error *take_error)
{
    struct error *error =
        take->storage->interface->remove(take->storage, NULL, take->directory, take->name);
    if (error == NULL)
        return take_error;
    take_error =
        error_wrap(take_error, "backup '%s' failed and its folder could not be removed (%s)",
                   take->name, error->message);
    error_free(error);
    return take_error;
}

static void
take_done(struct take *take)
{
    backup_files_done(&take->files);
    manifest_free(take->manifest);
    free(take->order);
    free(take->directory);
    free(take->name);
}

struct error *
backup_take(struct storage *storage, const struct backup_directories *directories,
            const struct backup_take_options *options, struct cancel *cancel, char **ret_name)
{
    CLEANUP(take_done) struct take take = {.storage = storage, .options = options};
    CLEANUP(codec_stream_freep) struct codec_stream *probe = NULL;
    TRY(codec_find(options->compression, &take.codec));
    TRY(codec_encoder_new(take.codec, options->compression_level, NULL, NULL, &probe));
    take.directory = xasprintf("%s/%s", options->keyspace, options->shard);
    take.name = backup_name(options->start_time_ns, options->alias);
    TRY(backup_files_select(directories, &take.files));
    sort_files(&take);
    take.manifest = manifest_new();
    manifest_set_entry_count(take.manifest, take.files.count);
    describe(take.manifest, &take);
    TRY(storage->interface->start(storage, cancel, take.directory, take.name));
    struct error *error = copy_all(&take, cancel);
    if (error != NULL)
        return remove_failed(&take, error);
    *ret_name = take.name;
    take.name = NULL;
    return NULL;
}
