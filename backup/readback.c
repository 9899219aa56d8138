#include "backup/readback.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <isa-l/crc.h>

#include "backup/pipeline.h"
#include "backup/readback_private.h"

/* ---- What both ways of reading share ---- */
struct error *
readback_damaged(const struct readback_worker *worker, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *text = xvasprintf(format, arguments);
    va_end(arguments);
    return error_new(ERROR_DATA_LOSS, "backup '%s' is damaged: %s",
                     worker->readback->options->manifest->backup_name, text);
}

struct error *
readback_read(struct readback_worker *worker, struct storage_reader *reader, uint8_t *block,
              size_t size, size_t *ret_size, struct cancel *cancel)
{
    struct readback *readback = worker->readback;
    size_t count;
    TRY(cancel_check(cancel));
    TRY(readback->options->storage->interface->read(reader, block, size, &count));
    worker->stored_crc = crc32_gzip_refl(worker->stored_crc, block, count);
    worker->stored_bytes += count;
    atomic_fetch_add(&readback->done_bytes, count);
    *ret_size = count;
    return rate_take(&readback->rate, count, cancel);
}

struct error *
readback_count(struct readback_worker *worker, const void *data, size_t size, uint64_t *ret_offset)
{
    if (size > worker->plain_end - worker->plain_offset)
        return readback_damaged(worker, "the object holds more than it should");
    worker->plain_crc = crc32_gzip_refl(worker->plain_crc, data, size);
    *ret_offset = worker->plain_offset;
    worker->plain_offset += size;
    return NULL;
}

struct error *
readback_sink(const void *data, size_t size, void *sink_data)
{
    struct readback_worker *worker = sink_data;
    const struct readback_target *target = worker->readback->options->target;
    uint64_t offset = 0;
    TRY(readback_count(worker, data, size, &offset));
    return target == NULL ? NULL : target->write(worker->handle, data, size, offset);
}

bool
readback_holds(struct readback_worker *worker, uint64_t offset, uint64_t size,
               const struct manifest_chunk *expected)
{
    struct readback *readback = worker->readback;
    const struct readback_target *target = readback->options->target;
    if (target == NULL || target->holds == NULL || !worker->entry->has_crc64 ||
        !target->holds(worker->handle, offset, size, expected->plain_crc32, expected->plain_crc64))
        return false;
    atomic_fetch_add(&readback->done_bytes, expected->stored_bytes);
    atomic_fetch_add(&readback->kept_bytes, size);
    return true;
}

/* ---- A thread ---- */
static void *
worker_new(void *data)
{
    struct readback_worker *worker = xcalloc(1, sizeof(*worker));
    worker->readback = data;
    worker->block = xmalloc(READBACK_BLOCK_BYTES);
    return worker;
}

static void
close_handle(struct readback_worker *worker)
{
    if (worker->handle != NULL)
        worker->readback->options->target->close(worker->handle);
    worker->handle = NULL;
    worker->object = NULL;
}

static void
worker_free(void *data)
{
    struct readback_worker *worker = data;
    close_handle(worker);
    codec_stream_free(worker->piece_decoder);
    free(worker->block);
    free(worker);
}

static struct readback_object *
object_of_item(const struct readback *readback, size_t item)
{
    size_t low = 0, high = readback->options->manifest->entry_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (readback->objects[middle].first_item <= item)
            low = middle;
        else
            high = middle;
    }
    return &readback->objects[low];
}

static struct error *
open_handle(struct readback_worker *worker, struct readback_object *object)
{
    const struct readback_options *options = worker->readback->options;
    if (worker->object == object)
        return NULL;
    close_handle(worker);
    if (options->target != NULL)
        TRY(options->target->open(options->target_data, object->index, &worker->handle));
    worker->object = object;
    return NULL;
}

static struct error *
run_item(size_t item, void *data, struct cancel *cancel, void *readback_data)
{
    struct readback *readback = readback_data;
    struct readback_worker *worker = data;
    struct readback_object *object = object_of_item(readback, item);
    worker->entry = &readback->options->manifest->entries[object->index];
    worker->stored_bytes = 0;
    worker->plain_crc = worker->stored_crc = 0;
    snprintf(worker->name, sizeof(worker->name), "%zu", object->index);
    struct error *error = open_handle(worker, object);
    if (error == NULL)
        error = object->pieces == NULL ? readback_stream(worker, cancel)
                                       : readback_chunk(worker, item - object->first_item, cancel);
    return error_wrap(error, "%s '%s/%s' from object '%s'", readback->options->verb,
                      worker->entry->base, worker->entry->name, worker->name);
}

/* ---- All of them ---- */
static int
by_size_descending(const void *a, const void *b)
{
    const struct readback_object *first = a, *second = b;
    if (first->stored_bytes != second->stored_bytes)
        return first->stored_bytes > second->stored_bytes ? -1 : 1;
    return first->index < second->index ? -1 : first->index > second->index;
}

static struct error *
measure(struct readback *readback, struct cancel *cancel)
{
    const struct readback_options *options = readback->options;
    const struct manifest *manifest = options->manifest;
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        struct readback_object *object = &readback->objects[i];
        char name[24];
        snprintf(name, sizeof(name), "%zu", i);
        object->index = i;
        object->stored_bytes = entry->stored_bytes;
        if (!entry->has_details)
            TRY(options->storage->interface->size(options->storage, cancel, readback->directory,
                                                  manifest->backup_name, name,
                                                  &object->stored_bytes));
        readback->total_bytes += object->stored_bytes;
    }
    return NULL;
}

static void
cut_objects(struct readback *readback)
{
    const struct manifest *manifest = readback->options->manifest;
    if (manifest->entry_count > 0)
        qsort(readback->objects, manifest->entry_count, sizeof(*readback->objects),
              by_size_descending);
    for (size_t i = 0; i < manifest->entry_count; i++) {
        struct readback_object *object = &readback->objects[i];
        const struct manifest_entry *entry = &manifest->entries[object->index];
        bool has_index = entry->has_details && entry->chunks != NULL;
        object->first_item = readback->item_count;
        object->item_count = has_index ? entry->chunk_count : 1;
        readback->item_count += object->item_count;
        if (!has_index)
            continue;
        object->pieces = xcalloc(object->item_count, sizeof(*object->pieces));
        uint64_t offset = entry->head_bytes;
        for (size_t p = 0; p < object->item_count; offset += entry->chunks[p++].stored_bytes)
            object->pieces[p].offset = offset;
        atomic_init(&object->chunks_left, object->item_count);
    }
}

static void
tick(void *data)
{
    struct readback *readback = data;
    const struct readback_options *options = readback->options;
    if (options->on_progress == NULL)
        return;
    uint64_t kept = atomic_load(&readback->kept_bytes);
    CLEANUP(freep)
    char *kept_text = kept == 0 ? xstrdup("") : xasprintf(", %" PRIu64 " MB kept", kept >> 20);
    CLEANUP(freep)
    char *text = xasprintf("%zu of %zu files %s%s", atomic_load(&readback->done_files),
                           options->manifest->entry_count, options->past, kept_text);
    options->on_progress(atomic_load(&readback->done_bytes), readback->total_bytes, text,
                         options->progress_data);
}

static void
readback_done(struct readback *readback)
{
    for (size_t i = 0; i < readback->options->manifest->entry_count; i++)
        free(readback->objects[i].pieces);
    free(readback->objects);
    free(readback->directory);
    rate_done(&readback->rate);
}

struct error *
readback_run(const struct readback_options *options, struct cancel *cancel)
{
    const struct manifest *manifest = options->manifest;
    CLEANUP(readback_done)
    struct readback readback = {
        .options = options,
        .directory = xasprintf("%s/%s", manifest->keyspace, manifest->shard),
        .objects = xcalloc(manifest->entry_count + 1, sizeof(*readback.objects))};
    rate_init(&readback.rate, options->rate_bytes_per_second);
    TRY(measure(&readback, cancel));
    cut_objects(&readback);
    const struct pipeline pipeline = {.threads = options->concurrency,
                                      .item_count = readback.item_count,
                                      .worker_new = worker_new,
                                      .worker_free = worker_free,
                                      .run = run_item,
                                      .tick = tick,
                                      .data = &readback};
    struct error *error = pipeline_run(&pipeline, cancel);
    if (options->kept_bytes != NULL)
        *options->kept_bytes = atomic_load(&readback.kept_bytes);
    return error;
}
