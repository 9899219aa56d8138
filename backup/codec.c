#include "backup/codec.h"

#include <string.h>

#include "agent/base/memory.h"

static const struct {
    const char *engine;
    const struct codec *codec;
} engines[] = {
    {"pgzip", &codec_gzip}, {"pargzip", &codec_gzip}, {"", &codec_gzip},     {"gzip", &codec_gzip},
    {"zstd", &codec_zstd},  {"lz4", &codec_lz4},      {"none", &codec_none},
};

struct error *
codec_find(const char *engine, const struct codec **ret_codec)
{
    for (size_t i = 0; i < ARRAY_LENGTH(engines); i++) {
        if (strcmp(engine, engines[i].engine) == 0) {
            *ret_codec = engines[i].codec;
            return NULL;
        }
    }
    if (strcmp(engine, "external") == 0)
        return error_new(ERROR_UNIMPLEMENTED,
                         "compression by an external command is not supported: use pgzip, zstd, "
                         "lz4 or none");
    return error_new(ERROR_INVALID_ARGUMENT,
                     "unknown compression engine '%s': known are pgzip, pargzip, zstd, lz4, none",
                     engine);
}

const struct codec *
codec_sniff(const void *data, size_t size)
{
    static const unsigned char gzip_magic[] = {0x1f, 0x8b};
    static const unsigned char zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    static const unsigned char lz4_magic[] = {0x04, 0x22, 0x4d, 0x18};
    if (size >= sizeof(gzip_magic) && memcmp(data, gzip_magic, sizeof(gzip_magic)) == 0)
        return &codec_gzip;
    if (size >= sizeof(zstd_magic) && memcmp(data, zstd_magic, sizeof(zstd_magic)) == 0)
        return &codec_zstd;
    if (size >= sizeof(lz4_magic) && memcmp(data, lz4_magic, sizeof(lz4_magic)) == 0)
        return &codec_lz4;
    return NULL;
}

struct error *
codec_encoder_new(const struct codec *codec, int level, codec_sink sink, void *sink_data,
                  struct codec_stream **ret_stream)
{
    if (level < codec->least_level || level > codec->most_level)
        return error_new(ERROR_INVALID_ARGUMENT, "compression level %d: '%s' has levels %d to %d",
                         level, codec->name, codec->least_level, codec->most_level);
    struct codec_stream *stream = codec->encoder_new(level);
    stream->sink = sink;
    stream->sink_data = sink_data;
    *ret_stream = stream;
    return NULL;
}

struct codec_stream *
codec_decoder_new(const struct codec *codec, codec_sink sink, void *sink_data)
{
    struct codec_stream *stream = codec->decoder_new();
    stream->sink = sink;
    stream->sink_data = sink_data;
    return stream;
}

struct codec_stream *
codec_piece_decoder_new(const struct codec *codec, codec_sink sink, void *sink_data)
{
    struct codec_stream *stream = codec->piece_decoder_new();
    stream->sink = sink;
    stream->sink_data = sink_data;
    return stream;
}

size_t
codec_head(const struct codec *codec, uint8_t out[CODEC_FRAME_BYTES_MOST])
{
    return codec->head == NULL ? 0 : codec->head(out);
}

size_t
codec_tail(const struct codec *codec, uint32_t plain_crc32, uint64_t plain_bytes,
           uint8_t out[CODEC_FRAME_BYTES_MOST])
{
    return codec->tail == NULL ? 0 : codec->tail(plain_crc32, plain_bytes, out);
}

/* All of them store what they cannot compress, with a few bytes for every 16 KiB or more. */
size_t
codec_piece_bound(size_t plain_bytes)
{
    return plain_bytes + plain_bytes / 64 + 4096;
}

struct error *
codec_push(struct codec_stream *stream, const void *data, size_t size)
{
    return stream->interface->push(stream, data, size);
}

struct error *
codec_finish(struct codec_stream *stream)
{
    return stream->interface->finish(stream);
}

void
codec_reset(struct codec_stream *stream)
{
    stream->interface->reset(stream);
}

void
codec_stream_free(struct codec_stream *stream)
{
    if (stream != NULL)
        stream->interface->free(stream);
}

void
codec_stream_freep(struct codec_stream **stream)
{
    codec_stream_free(*stream);
    *stream = NULL;
}
