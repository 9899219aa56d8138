/* Between the files of readback. */
#ifndef VTAGENT_BACKUP_READBACK_PRIVATE_H
#define VTAGENT_BACKUP_READBACK_PRIVATE_H

#include <stdatomic.h>

#include "backup/codec.h"
#include "backup/rate.h"
#include "backup/readback.h"

#define READBACK_BLOCK_BYTES (256u * 1024)

struct readback_piece {
    uint64_t offset;     /* in the object */
    uint32_t stored_crc; /* once it was read */
    bool is_kept;        /* the target held it: it was not read */
};
struct readback_object {
    size_t index; /* of the entry, and the object's name */
    size_t first_item, item_count;
    uint64_t stored_bytes;         /* for order and progress */
    struct readback_piece *pieces; /* the chunks; NULL: no index */
    atomic_size_t chunks_left;     /* to be verified */
};

struct readback {
    const struct readback_options *options;
    char *directory;                 /* "ks/shard" */
    struct readback_object *objects; /* by stored size, largest first */
    size_t item_count;
    uint64_t total_bytes;
    struct rate rate;
    atomic_uint_fast64_t done_bytes, kept_bytes;
    atomic_size_t done_files;
};

/* One thread's. */
struct readback_worker {
    struct readback *readback;
    struct readback_object *object; /* whose handle is open */
    void *handle;
    uint8_t *block;
    struct codec_stream *piece_decoder; /* of the manifest's codec; made when needed */
    /* What is being read: */
    char name[24]; /* of the object */
    const struct manifest_entry *entry;
    uint64_t plain_offset, plain_end; /* next byte's place; no byte may come at or after the end */
    uint64_t stored_bytes;
    uint32_t plain_crc, stored_crc;
};

struct error *readback_damaged(const struct readback_worker *worker, const char *format, ...)
    __attribute__((format(printf, 2, 3))) ERROR_MUST_CHECK;
/* Reads a block: rate, checksum of stored bytes, progress. *ret_size 0: the end. */
struct error *readback_read(struct readback_worker *worker, struct storage_reader *reader,
                            uint8_t *block, size_t size, size_t *ret_size,
                            struct cancel *cancel) ERROR_MUST_CHECK;
/* Takes account of plain bytes. *ret_offset: their place. */
struct error *readback_count(struct readback_worker *worker, const void *data, size_t size,
                             uint64_t *ret_offset) ERROR_MUST_CHECK;
/* Whether the target holds these plain bytes already; then they and their stored ones are counted.
 */
bool readback_holds(struct readback_worker *worker, uint64_t offset, uint64_t size,
                    const struct manifest_chunk *expected);
/* A codec_sink that counts and writes to the target. */
struct error *readback_sink(const void *data, size_t size, void *worker) ERROR_MUST_CHECK;

struct error *readback_chunk(struct readback_worker *worker, size_t chunk,
                             struct cancel *cancel) ERROR_MUST_CHECK;
struct error *readback_stream(struct readback_worker *worker,
                              struct cancel *cancel) ERROR_MUST_CHECK;

#endif
