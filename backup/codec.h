/* Compression of stored objects behind a const table. Streams push: bytes go in, results come out
 * at the sink. One stream belongs to one thread. Source: backup-restore 3.6 (what Vitess writes,
 * and what its readers accept).
 *
 * An object is a head, pieces end to end, and a tail. Pieces do not depend on each other, so they
 * are made and read in parallel; the whole is one ordinary stream for any other reader: one gzip
 * member (the form that every generation of Vitess reads), or zstd or lz4 frames. */
#ifndef VTAGENT_BACKUP_CODEC_H
#define VTAGENT_BACKUP_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/error.h"

typedef struct error *(*codec_sink)(const void *data, size_t size, void *sink_data);

struct codec_stream;
struct codec_stream_interface {
    struct error *(*push)(struct codec_stream *, const void *data, size_t size);
    /* The end of the input: flushes (encoder), or checks that the stream is whole (decoder). */
    struct error *(*finish)(struct codec_stream *);
    void (*reset)(struct codec_stream *); /* for a new input, whatever became of the last */
    void (*free)(struct codec_stream *);
};
struct codec_stream {
    const struct codec_stream_interface *interface;
    codec_sink sink;
    void *sink_data;
};

struct codec {
    const char *name; /* CompressionEngine in the MANIFEST */
    int least_level, most_level;
    bool accepts_empty_object; /* Vitess's older zstd stores an empty file as nothing */
    struct codec_stream *(*encoder_new)(int level); /* of one piece */
    struct codec_stream *(*decoder_new)(void);      /* of whole objects, whoever wrote them */
    struct codec_stream *(*piece_decoder_new)(void);
    /* Write at most CODEC_FRAME_BYTES_MOST; NULL: there is none. */
    size_t (*head)(uint8_t *out);
    size_t (*tail)(uint32_t plain_crc32, uint64_t plain_bytes, uint8_t *out);
};
#define CODEC_FRAME_BYTES_MOST 32u

extern const struct codec codec_gzip, codec_zstd, codec_lz4, codec_none;

/* By engine name: "" and "pargzip" are gzip too. UNIMPLEMENTED for "external", INVALID_ARGUMENT for
 * anything else, naming the known ones. */
struct error *codec_find(const char *engine, const struct codec **ret_codec) ERROR_MUST_CHECK;
/* By the first bytes of an object; NULL when they are none of ours. */
const struct codec *codec_sniff(const void *data, size_t size);
#define CODEC_MAGIC_BYTES 4u

/* level out of the codec's range: INVALID_ARGUMENT. */
struct error *codec_encoder_new(const struct codec *codec, int level, codec_sink sink,
                                void *sink_data, struct codec_stream **ret_stream) ERROR_MUST_CHECK;
/* Errors of a decoder are DATA_LOSS: truncated, corrupted, trailing bytes. */
struct codec_stream *codec_decoder_new(const struct codec *codec, codec_sink sink, void *sink_data);
/* Of one piece that an encoder made. */
struct codec_stream *codec_piece_decoder_new(const struct codec *codec, codec_sink sink,
                                             void *sink_data);
size_t codec_head(const struct codec *codec, uint8_t out[CODEC_FRAME_BYTES_MOST]);
size_t codec_tail(const struct codec *codec, uint32_t plain_crc32, uint64_t plain_bytes,
                  uint8_t out[CODEC_FRAME_BYTES_MOST]);
/* What a piece of plain_bytes needs at most once it is encoded. */
size_t codec_piece_bound(size_t plain_bytes);
struct error *codec_push(struct codec_stream *stream, const void *data,
                         size_t size) ERROR_MUST_CHECK;
struct error *codec_finish(struct codec_stream *stream) ERROR_MUST_CHECK;
void codec_reset(struct codec_stream *stream);
void codec_stream_free(struct codec_stream *stream);
void codec_stream_freep(struct codec_stream **stream);

#endif
