/* Compression of stored objects behind a const table. Streams push: bytes go in, results come out
 * at the sink. One stream belongs to one thread. Source: backup-restore 3.6 (what Vitess writes,
 * and what its readers accept). */
#ifndef VTAGENT_BACKUP_CODEC_H
#define VTAGENT_BACKUP_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/error.h"

typedef struct error *(*codec_sink)(const void *data, size_t size, void *sink_data);

struct codec_stream;
struct codec_stream_interface {
    struct error *(*push)(struct codec_stream *, const void *data, size_t size);
    /* The end of the input: flushes (encoder), or checks that the stream is whole (decoder). */
    struct error *(*finish)(struct codec_stream *);
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
    struct codec_stream *(*encoder_new)(int level);
    struct codec_stream *(*decoder_new)(void);
};

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
struct error *codec_push(struct codec_stream *stream, const void *data,
                         size_t size) ERROR_MUST_CHECK;
struct error *codec_finish(struct codec_stream *stream) ERROR_MUST_CHECK;
void codec_stream_free(struct codec_stream *stream);
void codec_stream_freep(struct codec_stream **stream);

#endif
