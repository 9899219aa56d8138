/* gzip: ISA-L at level 1 (several times zlib's speed, ratio a little better than gzip -1), zlib at
 * the others. Always one member, the only form that every generation of Vitess reads: a piece is
 * deflate blocks up to a full flush, which ends at a whole byte and forgets what came before. */
#include <stdlib.h>
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include "agent/base/memory.h"
#include "backup/codec.h"
#include "backup/codec_gzip.h"

#define GZIP_LEVEL_ISAL 1

/* ---- Level 1: ISA-L ---- */
struct isal_encoder {
    struct codec_stream base;
    struct isal_zstream stream;
    uint8_t level_buffer[ISAL_DEF_LVL1_DEFAULT];
    uint8_t output[GZIP_OUTPUT_BYTES];
};

static struct error *
isal_run(struct isal_encoder *encoder)
{
    do {
        encoder->stream.next_out = encoder->output;
        encoder->stream.avail_out = sizeof(encoder->output);
        int result = isal_deflate(&encoder->stream);
        if (result != COMP_OK)
            return error_new(ERROR_INTERNAL, "compress with gzip: ISA-L error %d", result);
        size_t made = sizeof(encoder->output) - encoder->stream.avail_out;
        if (made > 0)
            TRY(encoder->base.sink(encoder->output, made, encoder->base.sink_data));
    } while (encoder->stream.avail_out == 0);
    return NULL;
}

static struct error *
isal_push(struct codec_stream *stream, const void *data, size_t size)
{
    struct isal_encoder *encoder = (struct isal_encoder *)stream;
    const uint8_t *bytes = data;
    while (size > 0) {
        size_t piece = size < GZIP_PIECE_BYTES ? size : GZIP_PIECE_BYTES;
        encoder->stream.next_in = (uint8_t *)(uintptr_t)bytes;
        encoder->stream.avail_in = (uint32_t)piece;
        TRY(isal_run(encoder));
        bytes += piece;
        size -= piece;
    }
    return NULL;
}

static struct error *
isal_finish(struct codec_stream *stream)
{
    struct isal_encoder *encoder = (struct isal_encoder *)stream;
    encoder->stream.next_in = NULL;
    encoder->stream.avail_in = 0;
    encoder->stream.flush = FULL_FLUSH;
    return isal_run(encoder);
}

static void
isal_reset(struct codec_stream *stream)
{
    struct isal_encoder *encoder = (struct isal_encoder *)stream;
    isal_deflate_init(&encoder->stream);
    encoder->stream.level = 1;
    encoder->stream.level_buf = encoder->level_buffer;
    encoder->stream.level_buf_size = sizeof(encoder->level_buffer);
    encoder->stream.gzip_flag = IGZIP_DEFLATE;
    encoder->stream.flush = NO_FLUSH;
}

static void
isal_free(struct codec_stream *stream)
{
    free(stream);
}

static const struct codec_stream_interface isal_interface = {isal_push, isal_finish, isal_reset,
                                                             isal_free};

static struct codec_stream *
isal_encoder_new(void)
{
    struct isal_encoder *encoder = xcalloc(1, sizeof(*encoder));
    encoder->base.interface = &isal_interface;
    isal_reset(&encoder->base);
    return &encoder->base;
}

/* ---- Other levels: zlib ---- */
struct zlib_encoder {
    struct codec_stream base;
    z_stream stream;
    uint8_t output[GZIP_OUTPUT_BYTES];
};

static struct error *
zlib_run(struct zlib_encoder *encoder, int flush)
{
    do {
        encoder->stream.next_out = encoder->output;
        encoder->stream.avail_out = sizeof(encoder->output);
        int result = deflate(&encoder->stream, flush);
        if (result == Z_STREAM_ERROR)
            return error_new(ERROR_INTERNAL, "compress with gzip: zlib error %d", result);
        size_t made = sizeof(encoder->output) - encoder->stream.avail_out;
        if (made > 0)
            TRY(encoder->base.sink(encoder->output, made, encoder->base.sink_data));
    } while (encoder->stream.avail_out == 0);
    return NULL;
}

static struct error *
zlib_push(struct codec_stream *stream, const void *data, size_t size)
{
    struct zlib_encoder *encoder = (struct zlib_encoder *)stream;
    const uint8_t *bytes = data;
    while (size > 0) {
        size_t piece = size < GZIP_PIECE_BYTES ? size : GZIP_PIECE_BYTES;
        encoder->stream.next_in = (uint8_t *)(uintptr_t)bytes;
        encoder->stream.avail_in = (uInt)piece;
        TRY(zlib_run(encoder, Z_NO_FLUSH));
        bytes += piece;
        size -= piece;
    }
    return NULL;
}

static struct error *
zlib_finish(struct codec_stream *stream)
{
    struct zlib_encoder *encoder = (struct zlib_encoder *)stream;
    encoder->stream.next_in = NULL;
    encoder->stream.avail_in = 0;
    return zlib_run(encoder, Z_FULL_FLUSH);
}

static void
zlib_reset(struct codec_stream *stream)
{
    (void)deflateReset(&((struct zlib_encoder *)stream)->stream);
}

static void
zlib_free(struct codec_stream *stream)
{
    struct zlib_encoder *encoder = (struct zlib_encoder *)stream;
    (void)deflateEnd(&encoder->stream);
    free(encoder);
}

static const struct codec_stream_interface zlib_interface = {zlib_push, zlib_finish, zlib_reset,
                                                             zlib_free};

static struct codec_stream *
zlib_encoder_new(int level)
{
    enum { RAW_WINDOW_BITS = -15, MEMORY_LEVEL = 8 };
    struct zlib_encoder *encoder = xcalloc(1, sizeof(*encoder));
    encoder->base.interface = &zlib_interface;
    /* Only memory and arguments can fail here, and the level was checked. */
    if (deflateInit2(&encoder->stream, level, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return &encoder->base;
}

static struct codec_stream *
gzip_encoder_new(int level)
{
    return level == GZIP_LEVEL_ISAL ? isal_encoder_new() : zlib_encoder_new(level);
}

/* ---- Around the pieces ---- */
static size_t
gzip_head(uint8_t *out)
{
    /* Deflate, no optional fields, no time, fastest, unknown system. */
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255};
    memcpy(out, head, sizeof(head));
    return sizeof(head);
}

static size_t
gzip_tail(uint32_t plain_crc32, uint64_t plain_bytes, uint8_t *out)
{
    *out++ = 3; /* a final block without anything in it */
    *out++ = 0;
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(plain_crc32 >> 8 * i);
        out[4 + i] = (uint8_t)(plain_bytes >> 8 * i);
    }
    return 10;
}

const struct codec codec_gzip = {
    .name = "pgzip",
    .least_level = 1,
    .most_level = 9,
    .encoder_new = gzip_encoder_new,
    .decoder_new = gzip_decoder_new,
    .piece_decoder_new = gzip_piece_decoder_new,
    .head = gzip_head,
    .tail = gzip_tail,
};
