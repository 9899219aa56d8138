/* zstd: a frame with a checksum for each piece on writing; any number of frames, and no bytes at
 * all, on reading. */
#include <stdlib.h>

#include <zstd.h>

#include "agent/base/memory.h"
#include "backup/codec.h"

#define ZSTD_OUTPUT_BYTES (256u * 1024)
/* 128 MiB, the zstd program's own limit: bounds what a hostile object can make us allocate. */
#define ZSTD_WINDOW_LOG_MOST 27

struct zstd_encoder {
    struct codec_stream base;
    ZSTD_CCtx *context;
    char output[ZSTD_OUTPUT_BYTES];
};

static struct error *
zstd_encode(struct zstd_encoder *encoder, ZSTD_inBuffer *input, ZSTD_EndDirective directive)
{
    size_t left;
    do {
        ZSTD_outBuffer output = {encoder->output, sizeof(encoder->output), 0};
        left = ZSTD_compressStream2(encoder->context, &output, input, directive);
        if (ZSTD_isError(left))
            return error_new(ERROR_INTERNAL, "compress with zstd: %s", ZSTD_getErrorName(left));
        if (output.pos > 0)
            TRY(encoder->base.sink(encoder->output, output.pos, encoder->base.sink_data));
    } while (directive == ZSTD_e_end ? left != 0 : input->pos < input->size);
    return NULL;
}

static struct error *
zstd_encoder_push(struct codec_stream *stream, const void *data, size_t size)
{
    ZSTD_inBuffer input = {data, size, 0};
    return zstd_encode((struct zstd_encoder *)stream, &input, ZSTD_e_continue);
}

static struct error *
zstd_encoder_finish(struct codec_stream *stream)
{
    ZSTD_inBuffer input = {NULL, 0, 0};
    return zstd_encode((struct zstd_encoder *)stream, &input, ZSTD_e_end);
}

static void
zstd_encoder_reset(struct codec_stream *stream)
{
    struct zstd_encoder *encoder = (struct zstd_encoder *)stream;
    (void)ZSTD_CCtx_reset(encoder->context, ZSTD_reset_session_only);
}

static void
zstd_encoder_free(struct codec_stream *stream)
{
    struct zstd_encoder *encoder = (struct zstd_encoder *)stream;
    (void)ZSTD_freeCCtx(encoder->context);
    free(encoder);
}

static const struct codec_stream_interface zstd_encoder_interface = {
    zstd_encoder_push, zstd_encoder_finish, zstd_encoder_reset, zstd_encoder_free};

static struct codec_stream *
zstd_encoder_new(int level)
{
    struct zstd_encoder *encoder = xcalloc(1, sizeof(*encoder));
    encoder->base.interface = &zstd_encoder_interface;
    encoder->context = ZSTD_createCCtx();
    if (encoder->context == NULL)
        abort();
    (void)ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(encoder->context, ZSTD_c_checksumFlag, 1);
    return &encoder->base;
}

struct zstd_decoder {
    struct codec_stream base;
    ZSTD_DCtx *context;
    bool is_inside_frame;
    char output[ZSTD_OUTPUT_BYTES];
};

static struct error *
zstd_decoder_push(struct codec_stream *stream, const void *data, size_t size)
{
    struct zstd_decoder *decoder = (struct zstd_decoder *)stream;
    ZSTD_inBuffer input = {data, size, 0};
    bool is_full = false;
    while (input.pos < input.size || is_full) {
        ZSTD_outBuffer output = {decoder->output, sizeof(decoder->output), 0};
        size_t left = ZSTD_decompressStream(decoder->context, &output, &input);
        if (ZSTD_isError(left))
            return error_new(ERROR_DATA_LOSS, "zstd stream is corrupted: %s",
                             ZSTD_getErrorName(left));
        if (output.pos > 0)
            TRY(stream->sink(decoder->output, output.pos, stream->sink_data));
        decoder->is_inside_frame = left != 0;
        is_full = left != 0 && output.pos == output.size;
    }
    return NULL;
}

static struct error *
zstd_decoder_finish(struct codec_stream *stream)
{
    struct zstd_decoder *decoder = (struct zstd_decoder *)stream;
    if (decoder->is_inside_frame)
        return error_new(ERROR_DATA_LOSS, "zstd stream is truncated");
    return NULL;
}

static void
zstd_decoder_reset(struct codec_stream *stream)
{
    struct zstd_decoder *decoder = (struct zstd_decoder *)stream;
    (void)ZSTD_DCtx_reset(decoder->context, ZSTD_reset_session_only);
    decoder->is_inside_frame = false;
}

static void
zstd_decoder_free(struct codec_stream *stream)
{
    struct zstd_decoder *decoder = (struct zstd_decoder *)stream;
    (void)ZSTD_freeDCtx(decoder->context);
    free(decoder);
}

static const struct codec_stream_interface zstd_decoder_interface = {
    zstd_decoder_push, zstd_decoder_finish, zstd_decoder_reset, zstd_decoder_free};

static struct codec_stream *
zstd_decoder_new(void)
{
    struct zstd_decoder *decoder = xcalloc(1, sizeof(*decoder));
    decoder->base.interface = &zstd_decoder_interface;
    decoder->context = ZSTD_createDCtx();
    if (decoder->context == NULL)
        abort();
    (void)ZSTD_DCtx_setParameter(decoder->context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MOST);
    return &decoder->base;
}

const struct codec codec_zstd = {
    .name = "zstd",
    .least_level = 1,
    .most_level = 4,
    .accepts_empty_object = true,
    .encoder_new = zstd_encoder_new,
    .decoder_new = zstd_decoder_new,
    .piece_decoder_new = zstd_decoder_new,
};
