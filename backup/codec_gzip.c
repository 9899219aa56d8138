/* gzip: ISA-L at level 1 (several times zlib's speed, ratio a little better than gzip -1), zlib at
 * the others. Always one member, the only form that every generation of Vitess reads. Reading
 * accepts any number of members, with ISA-L. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include "agent/base/memory.h"
#include "backup/codec.h"
#include "backup/gzip_header.h"

#define GZIP_OUTPUT_BYTES (256u * 1024)
#define GZIP_PIECE_BYTES (1u << 30) /* both libraries count in 32 bits */
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
    encoder->stream.end_of_stream = 1;
    return isal_run(encoder);
}

static void
isal_free(struct codec_stream *stream)
{
    free(stream);
}

static const struct codec_stream_interface isal_interface = {isal_push, isal_finish, isal_free};

static struct codec_stream *
isal_encoder_new(void)
{
    struct isal_encoder *encoder = xcalloc(1, sizeof(*encoder));
    encoder->base.interface = &isal_interface;
    isal_deflate_init(&encoder->stream);
    encoder->stream.level = 1;
    encoder->stream.level_buf = encoder->level_buffer;
    encoder->stream.level_buf_size = sizeof(encoder->level_buffer);
    encoder->stream.gzip_flag = IGZIP_GZIP;
    encoder->stream.flush = NO_FLUSH;
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
    return zlib_run(encoder, Z_FINISH);
}

static void
zlib_free(struct codec_stream *stream)
{
    struct zlib_encoder *encoder = (struct zlib_encoder *)stream;
    (void)deflateEnd(&encoder->stream);
    free(encoder);
}

static const struct codec_stream_interface zlib_interface = {zlib_push, zlib_finish, zlib_free};

static struct codec_stream *
zlib_encoder_new(int level)
{
    enum { GZIP_WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8 };
    struct zlib_encoder *encoder = xcalloc(1, sizeof(*encoder));
    encoder->base.interface = &zlib_interface;
    /* Only memory and arguments can fail here, and the level was checked. */
    if (deflateInit2(&encoder->stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return &encoder->base;
}

static struct codec_stream *
gzip_encoder_new(int level)
{
    return level == GZIP_LEVEL_ISAL ? isal_encoder_new() : zlib_encoder_new(level);
}

/* ---- Reading ---- */
struct gzip_decoder {
    struct codec_stream base;
    struct inflate_state state;
    struct gzip_header header;
    bool is_inside_body;
    bool is_inside_member;
    bool has_member;
    uint8_t output[GZIP_OUTPUT_BYTES];
};

static struct error *
gzip_read_header(struct gzip_decoder *decoder, const uint8_t **bytes, size_t *size)
{
    decoder->is_inside_member = true;
    if (!gzip_header_read(&decoder->header, bytes, size))
        return error_new(ERROR_DATA_LOSS, "%s",
                         decoder->has_member ? "bytes that are not gzip follow the gzip stream"
                                             : "not a gzip stream");
    if (decoder->header.state != GZIP_HEADER_DONE)
        return NULL;
    isal_inflate_reset(&decoder->state);
    decoder->state.crc_flag = ISAL_GZIP_NO_HDR_VER;
    decoder->is_inside_body = true;
    decoder->header = (struct gzip_header){.state = GZIP_HEADER_FIXED};
    return NULL;
}

static struct error *
gzip_inflate_error(int result)
{
    if (result == ISAL_INCORRECT_CHECKSUM)
        return error_new(ERROR_DATA_LOSS, "gzip checksum does not match");
    return error_new(ERROR_DATA_LOSS, "gzip stream is corrupted (ISA-L error %d)", result);
}

/* Inflates what is there of the present member's body and trailer. */
static struct error *
gzip_read_body(struct gzip_decoder *decoder, const uint8_t **bytes, size_t *size)
{
    struct inflate_state *state = &decoder->state;
    size_t piece = *size < GZIP_PIECE_BYTES ? *size : GZIP_PIECE_BYTES;
    state->next_in = (uint8_t *)(uintptr_t)*bytes;
    state->avail_in = (uint32_t)piece;
    do {
        state->next_out = decoder->output;
        state->avail_out = sizeof(decoder->output);
        int result = isal_inflate(state);
        if (result < 0 || result > ISAL_OUT_OVERFLOW)
            return gzip_inflate_error(result);
        size_t made = sizeof(decoder->output) - state->avail_out;
        if (made > 0)
            TRY(decoder->base.sink(decoder->output, made, decoder->base.sink_data));
    } while (state->block_state != ISAL_BLOCK_FINISH &&
             (state->avail_in > 0 || state->avail_out == 0));
    *bytes += piece - state->avail_in;
    *size -= piece - state->avail_in;
    if (state->block_state == ISAL_BLOCK_FINISH) {
        decoder->is_inside_body = decoder->is_inside_member = false;
        decoder->has_member = true;
    }
    return NULL;
}

static struct error *
gzip_decoder_push(struct codec_stream *stream, const void *data, size_t size)
{
    struct gzip_decoder *decoder = (struct gzip_decoder *)stream;
    const uint8_t *bytes = data;
    while (size > 0) {
        if (decoder->is_inside_body)
            TRY(gzip_read_body(decoder, &bytes, &size));
        else
            TRY(gzip_read_header(decoder, &bytes, &size));
    }
    return NULL;
}

static struct error *
gzip_decoder_finish(struct codec_stream *stream)
{
    struct gzip_decoder *decoder = (struct gzip_decoder *)stream;
    if (decoder->is_inside_member)
        return error_new(ERROR_DATA_LOSS, "gzip stream is truncated");
    if (!decoder->has_member)
        return error_new(ERROR_DATA_LOSS, "gzip stream is empty");
    return NULL;
}

static void
gzip_decoder_free(struct codec_stream *stream)
{
    free(stream);
}

static const struct codec_stream_interface gzip_decoder_interface = {
    gzip_decoder_push, gzip_decoder_finish, gzip_decoder_free};

static struct codec_stream *
gzip_decoder_new(void)
{
    struct gzip_decoder *decoder = xcalloc(1, sizeof(*decoder));
    decoder->base.interface = &gzip_decoder_interface;
    isal_inflate_init(&decoder->state);
    return &decoder->base;
}

const struct codec codec_gzip = {
    .name = "pgzip",
    .least_level = 1,
    .most_level = 9,
    .encoder_new = gzip_encoder_new,
    .decoder_new = gzip_decoder_new,
};
