/* An object that is one stream, as Vitess writes them. While this thread decompresses, another
 * reads ahead and a third one writes what was made; small objects are not worth two threads. */
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "backup/block_queue.h"
#include "backup/readback_private.h"

#define SMALL_BYTES (2u << 20)

struct stream {
    struct readback_worker *worker;
    struct storage_reader *reader;
    struct cancel *cancel;
    struct block_queue read, written;
    bool is_staged;
    uint8_t *slot; /* of `written`, that is being filled */
    size_t slot_size;
    uint64_t slot_offset;
};

/* The bytes say more than the MANIFEST: an external compressor may hide behind a known name. */
static struct error *
choose_codec(const struct readback_worker *worker, const uint8_t *start, size_t size,
             const struct codec **ret_codec)
{
    const struct manifest *manifest = worker->readback->options->manifest;
    const struct codec *codec = &codec_none;
    if (!manifest->skips_compress) {
        codec = codec_sniff(start, size);
        if (codec == NULL)
            TRY(codec_find(manifest->compression_engine, &codec));
    }
    if (size == 0 && codec->accepts_empty_object)
        codec = &codec_none;
    *ret_codec = codec;
    return NULL;
}

/* Fills the block as far as the object goes, so that the first one shows the magic bytes. */
static struct error *
read_whole_block(struct stream *stream, uint8_t *block, size_t *ret_size)
{
    size_t size = 0, count = 1;
    while (size < READBACK_BLOCK_BYTES && count > 0) {
        TRY(readback_read(stream->worker, stream->reader, block + size, READBACK_BLOCK_BYTES - size,
                          &count, stream->cancel));
        size += count;
    }
    *ret_size = size;
    return NULL;
}

/* ---- Staged ---- */
static void *
read_ahead(void *data)
{
    struct stream *stream = data;
    struct error *error = NULL;
    uint8_t *slot;
    size_t size = 1;
    while (size > 0 && (slot = block_queue_slot(&stream->read)) != NULL) {
        error = read_whole_block(stream, slot, &size);
        if (error != NULL || size == 0)
            break;
        block_queue_push(&stream->read, size);
    }
    block_queue_end(&stream->read, error);
    return NULL;
}

static void *
write_behind(void *data)
{
    struct stream *stream = data;
    const struct readback_target *target = stream->worker->readback->options->target;
    struct error *error = NULL;
    const uint8_t *bytes;
    uint64_t offset = 0;
    size_t size;
    while (error == NULL && block_queue_peek(&stream->written, &bytes, &size)) {
        error = target->write(stream->worker->handle, bytes, size, offset);
        offset += size;
        block_queue_pop(&stream->written);
    }
    block_queue_stop(&stream->written, error);
    return NULL;
}

static struct error *
pass_on(const void *data, size_t size, void *sink_data)
{
    struct stream *stream = sink_data;
    const uint8_t *bytes = data;
    uint64_t offset = 0;
    TRY(readback_count(stream->worker, data, size, &offset));
    while (size > 0) {
        if (stream->slot == NULL)
            stream->slot = block_queue_slot(&stream->written);
        if (stream->slot == NULL)
            return error_first(block_queue_take_error(&stream->written),
                               error_new(ERROR_CANCELED, "the writing thread has ended"));
        size_t room = BLOCK_QUEUE_BYTES - stream->slot_size;
        size_t part = size < room ? size : room;
        memcpy(stream->slot + stream->slot_size, bytes, part);
        stream->slot_size += part;
        bytes += part;
        size -= part;
        if (stream->slot_size == BLOCK_QUEUE_BYTES) {
            block_queue_push(&stream->written, stream->slot_size);
            stream->slot = NULL;
            stream->slot_size = 0;
        }
    }
    return NULL;
}

static struct error *
decode_staged(struct stream *stream, codec_sink sink, void *sink_data)
{
    const struct codec *codec;
    const uint8_t *bytes = (const uint8_t *)"";
    size_t size = 0;
    (void)block_queue_peek(&stream->read, &bytes, &size);
    TRY(choose_codec(stream->worker, bytes, size, &codec));
    CLEANUP(codec_stream_freep)
    struct codec_stream *decoder = codec_decoder_new(codec, sink, sink_data);
    while (block_queue_peek(&stream->read, &bytes, &size)) {
        TRY(codec_push(decoder, bytes, size));
        block_queue_pop(&stream->read);
    }
    TRY(block_queue_take_error(&stream->read));
    TRY(codec_finish(decoder));
    if (stream->slot_size > 0)
        block_queue_push(&stream->written, stream->slot_size);
    return NULL;
}

/* False: no threads to be had. */
static bool
run_staged(struct stream *stream, struct error **ret_error)
{
    pthread_t reader, writer;
    bool has_target = stream->worker->readback->options->target != NULL;
    if (has_target && pthread_create(&writer, NULL, write_behind, stream) != 0)
        return false;
    bool has_reader = pthread_create(&reader, NULL, read_ahead, stream) == 0;
    struct error *error = NULL;
    if (has_reader) {
        error = has_target ? decode_staged(stream, pass_on, stream)
                           : decode_staged(stream, readback_sink, stream->worker);
        block_queue_stop(&stream->read, NULL);
        pthread_join(reader, NULL);
    }
    if (has_target) {
        block_queue_end(&stream->written, NULL);
        pthread_join(writer, NULL);
        error = error_first(block_queue_take_error(&stream->written), error);
    }
    *ret_error = error;
    return has_reader;
}

/* ---- In one thread ---- */
static struct error *
decode_alone(struct stream *stream)
{
    struct readback_worker *worker = stream->worker;
    const struct codec *codec;
    size_t size;
    TRY(read_whole_block(stream, worker->block, &size));
    TRY(choose_codec(worker, worker->block, size, &codec));
    CLEANUP(codec_stream_freep)
    struct codec_stream *decoder = codec_decoder_new(codec, readback_sink, worker);
    while (size > 0) {
        TRY(codec_push(decoder, worker->block, size));
        TRY(read_whole_block(stream, worker->block, &size));
    }
    return codec_finish(decoder);
}

static struct error *
decode(struct stream *stream)
{
    struct error *error = NULL;
    if (stream->worker->object->stored_bytes < SMALL_BYTES)
        return decode_alone(stream);
    block_queue_init(&stream->read);
    block_queue_init(&stream->written);
    bool has_run = run_staged(stream, &error);
    block_queue_done(&stream->read);
    block_queue_done(&stream->written);
    return has_run ? error : decode_alone(stream);
}

static struct error *
verify(const struct readback_worker *worker)
{
    const struct manifest_entry *entry = worker->entry;
    char hash[MANIFEST_HASH_TEXT_BYTES];
    manifest_format_hash(worker->stored_crc, hash);
    if (entry->hash[0] != '\0' && strcasecmp(entry->hash, hash) != 0)
        return readback_damaged(worker, "the stored bytes do not have the CRC-32 of the MANIFEST");
    if (!entry->has_details)
        return NULL;
    if (entry->stored_bytes != worker->stored_bytes || entry->plain_bytes != worker->plain_offset)
        return readback_damaged(worker, "the size is not that of the MANIFEST");
    if (entry->plain_crc32 != worker->plain_crc)
        return readback_damaged(worker, "the file's bytes do not have the CRC-32 of the MANIFEST");
    return NULL;
}

static struct error *
read_object(struct readback_worker *worker, struct cancel *cancel)
{
    const struct readback_options *options = worker->readback->options;
    const struct storage_interface *interface = options->storage->interface;
    struct stream stream = {.worker = worker, .cancel = cancel};
    worker->plain_offset = 0;
    worker->plain_end = worker->entry->has_details ? worker->entry->plain_bytes : UINT64_MAX;
    TRY(interface->open_read(options->storage, cancel, worker->readback->directory,
                             options->manifest->backup_name, worker->name, &stream.reader));
    struct error *error = decode(&stream);
    interface->close_read(stream.reader);
    TRY(error);
    return verify(worker);
}

struct error *
readback_stream(struct readback_worker *worker, struct cancel *cancel)
{
    const struct readback_options *options = worker->readback->options;
    const struct manifest_entry *entry = worker->entry;
    const struct manifest_chunk whole = {.stored_bytes = (uint32_t)entry->stored_bytes,
                                         .plain_crc32 = entry->plain_crc32,
                                         .plain_crc64 = entry->plain_crc64};
    TRY(cancel_check(cancel));
    if (readback_holds(worker, 0, entry->plain_bytes, &whole))
        worker->plain_offset = entry->plain_bytes;
    else
        TRY(read_object(worker, cancel));
    if (options->target != NULL)
        TRY(options->target->finish(worker->handle, worker->plain_offset));
    atomic_fetch_add(&worker->readback->done_files, 1);
    return NULL;
}
