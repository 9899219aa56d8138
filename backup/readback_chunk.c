/* One chunk of an object; whoever verified the last one checks what belongs to the whole. */
#include <strings.h>

#include <isa-l/crc.h>
#include <zlib.h>

#include "backup/readback_private.h"

static struct error *
open_range(const struct readback_worker *worker, uint64_t offset, uint64_t size,
           struct cancel *cancel, struct storage_reader **ret_reader)
{
    const struct readback_options *options = worker->readback->options;
    return options->storage->interface->open_range(
        options->storage, cancel, worker->readback->directory, options->manifest->backup_name,
        worker->name, offset, size, ret_reader);
}

static struct error *
find_decoder(struct readback_worker *worker)
{
    const struct manifest *manifest = worker->readback->options->manifest;
    const struct codec *codec = &codec_none;
    if (worker->piece_decoder == NULL) {
        if (!manifest->skips_compress)
            TRY(codec_find(manifest->compression_engine, &codec));
        worker->piece_decoder = codec_piece_decoder_new(codec, readback_sink, worker);
    }
    codec_reset(worker->piece_decoder);
    return NULL;
}

static struct error *
decode(struct readback_worker *worker, struct storage_reader *reader, struct cancel *cancel)
{
    size_t size = 1;
    TRY(find_decoder(worker));
    while (size > 0) {
        TRY(readback_read(worker, reader, worker->block, READBACK_BLOCK_BYTES, &size, cancel));
        TRY(codec_push(worker->piece_decoder, worker->block, size));
    }
    return codec_finish(worker->piece_decoder);
}

static struct error *
read_chunk(struct readback_worker *worker, size_t chunk, struct cancel *cancel)
{
    const struct manifest_chunk *expected = &worker->entry->chunks[chunk];
    struct storage_reader *reader;
    struct readback_piece *piece = &worker->object->pieces[chunk];
    TRY(open_range(worker, piece->offset, expected->stored_bytes, cancel, &reader));
    struct error *error = decode(worker, reader, cancel);
    worker->readback->options->storage->interface->close_read(reader);
    TRY(error);
    if (worker->stored_bytes != expected->stored_bytes)
        return readback_damaged(worker, "it ends in the middle");
    if (worker->plain_offset != worker->plain_end)
        return readback_damaged(worker, "it holds less than it should");
    if (worker->plain_crc != expected->plain_crc32)
        return readback_damaged(worker, "the file's bytes do not have the CRC-32 of the MANIFEST");
    piece->stored_crc = worker->stored_crc;
    return NULL;
}

/* The few bytes in front of the chunks, or behind them. */
static struct error *
read_frame(struct readback_worker *worker, uint64_t offset, uint64_t size, struct cancel *cancel)
{
    struct storage_reader *reader;
    size_t count = 1;
    worker->stored_crc = 0;
    worker->stored_bytes = 0;
    if (size == 0)
        return NULL;
    TRY(open_range(worker, offset, size, cancel, &reader));
    struct error *error = NULL;
    while (error == NULL && count > 0)
        error = readback_read(worker, reader, worker->block, READBACK_BLOCK_BYTES, &count, cancel);
    worker->readback->options->storage->interface->close_read(reader);
    TRY(error);
    return worker->stored_bytes == size ? NULL
                                        : readback_damaged(worker, "the object is truncated");
}

/* What the target held was never read from the object: its own checksums vouch for it. */
static bool
is_read_whole(const struct readback_worker *worker)
{
    for (size_t i = 0; i < worker->entry->chunk_count; i++) {
        if (worker->object->pieces[i].is_kept)
            return false;
    }
    return true;
}

static struct error *
check_checksums(struct readback_worker *worker, uint32_t head_crc, uint32_t tail_crc)
{
    const struct manifest_entry *entry = worker->entry;
    uint32_t stored = head_crc, plain = 0;
    char hash[MANIFEST_HASH_TEXT_BYTES];
    for (size_t i = 0; i < entry->chunk_count; i++) {
        uint64_t left = entry->plain_bytes - (uint64_t)i * entry->chunk_bytes;
        uint64_t size = left < entry->chunk_bytes ? left : entry->chunk_bytes;
        stored = (uint32_t)crc32_combine(stored, worker->object->pieces[i].stored_crc,
                                         (z_off_t)entry->chunks[i].stored_bytes);
        plain = (uint32_t)crc32_combine(plain, entry->chunks[i].plain_crc32, (z_off_t)size);
    }
    stored = (uint32_t)crc32_combine(stored, tail_crc, (z_off_t)manifest_tail_bytes(entry));
    manifest_format_hash(stored, hash);
    if (is_read_whole(worker) && entry->hash[0] != '\0' && strcasecmp(entry->hash, hash) != 0)
        return readback_damaged(worker, "the stored bytes do not have the CRC-32 of the MANIFEST");
    if (plain != entry->plain_crc32)
        return readback_damaged(worker, "the file's bytes do not have the CRC-32 of the MANIFEST");
    return NULL;
}

static struct error *
complete(struct readback_worker *worker, struct cancel *cancel)
{
    const struct readback_options *options = worker->readback->options;
    const struct manifest_entry *entry = worker->entry;
    uint64_t tail = manifest_tail_bytes(entry), size;
    TRY(options->storage->interface->size(options->storage, cancel, worker->readback->directory,
                                          options->manifest->backup_name, worker->name, &size));
    if (size != entry->stored_bytes)
        return readback_damaged(worker, "the object's size is not that of the MANIFEST");
    TRY(read_frame(worker, 0, entry->head_bytes, cancel));
    uint32_t head_crc = worker->stored_crc;
    TRY(read_frame(worker, entry->stored_bytes - tail, tail, cancel));
    TRY(check_checksums(worker, head_crc, worker->stored_crc));
    if (options->target != NULL)
        TRY(options->target->finish(worker->handle, entry->plain_bytes));
    atomic_fetch_add(&worker->readback->done_files, 1);
    return NULL;
}

struct error *
readback_chunk(struct readback_worker *worker, size_t chunk, struct cancel *cancel)
{
    const struct manifest_entry *entry = worker->entry;
    uint64_t start = (uint64_t)chunk * entry->chunk_bytes;
    uint64_t end = start + entry->chunk_bytes;
    worker->plain_offset = start;
    worker->plain_end = end < entry->plain_bytes ? end : entry->plain_bytes;
    struct readback_piece *piece = &worker->object->pieces[chunk];
    TRY(cancel_check(cancel));
    piece->is_kept =
        readback_holds(worker, start, worker->plain_end - start, &entry->chunks[chunk]);
    struct error *error = piece->is_kept ? NULL : read_chunk(worker, chunk, cancel);
    if (error != NULL)
        return error_wrap(error, "chunk %zu (bytes %llu to %llu)", chunk, (unsigned long long)start,
                          (unsigned long long)worker->plain_end);
    if (atomic_fetch_sub(&worker->object->chunks_left, 1) == 1)
        return complete(worker, cancel);
    return NULL;
}
