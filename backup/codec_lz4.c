/* lz4 frames. Blocks are independent: Vitess's reader refuses linked ones, liblz4's default. */
#include <stdlib.h>

#include <lz4frame.h>

#include "agent/base/memory.h"
#include "backup/codec.h"

#define LZ4_PIECE_BYTES (256u * 1024)

struct lz4_encoder {
    struct codec_stream base;
    LZ4F_cctx *context;
    LZ4F_preferences_t preferences;
    bool has_header;
    size_t output_size;
    char *output;
};

static struct error *
lz4_deliver(struct lz4_encoder *encoder, size_t made)
{
    if (LZ4F_isError(made))
        return error_new(ERROR_INTERNAL, "compress with lz4: %s", LZ4F_getErrorName(made));
    return made == 0 ? NULL : encoder->base.sink(encoder->output, made, encoder->base.sink_data);
}

static struct error *
lz4_begin(struct lz4_encoder *encoder)
{
    if (encoder->has_header)
        return NULL;
    encoder->has_header = true;
    return lz4_deliver(encoder, LZ4F_compressBegin(encoder->context, encoder->output,
                                                   encoder->output_size, &encoder->preferences));
}

static struct error *
lz4_encoder_push(struct codec_stream *stream, const void *data, size_t size)
{
    struct lz4_encoder *encoder = (struct lz4_encoder *)stream;
    TRY(lz4_begin(encoder));
    const char *bytes = data;
    while (size > 0) {
        size_t piece = size < LZ4_PIECE_BYTES ? size : LZ4_PIECE_BYTES;
        TRY(lz4_deliver(encoder, LZ4F_compressUpdate(encoder->context, encoder->output,
                                                     encoder->output_size, bytes, piece, NULL)));
        bytes += piece;
        size -= piece;
    }
    return NULL;
}

static struct error *
lz4_encoder_finish(struct codec_stream *stream)
{
    struct lz4_encoder *encoder = (struct lz4_encoder *)stream;
    TRY(lz4_begin(encoder));
    return lz4_deliver(
        encoder, LZ4F_compressEnd(encoder->context, encoder->output, encoder->output_size, NULL));
}

/* A frame that was begun is forgotten by the next compressBegin. */
static void
lz4_encoder_reset(struct codec_stream *stream)
{
    ((struct lz4_encoder *)stream)->has_header = false;
}

static void
lz4_encoder_free(struct codec_stream *stream)
{
    struct lz4_encoder *encoder = (struct lz4_encoder *)stream;
    (void)LZ4F_freeCompressionContext(encoder->context);
    free(encoder->output);
    free(encoder);
}

static const struct codec_stream_interface lz4_encoder_interface = {
    lz4_encoder_push, lz4_encoder_finish, lz4_encoder_reset, lz4_encoder_free};

static struct codec_stream *
lz4_encoder_new(int level)
{
    struct lz4_encoder *encoder = xcalloc(1, sizeof(*encoder));
    encoder->base.interface = &lz4_encoder_interface;
    encoder->preferences.frameInfo.blockSizeID = LZ4F_max1MB;
    encoder->preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    encoder->preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    encoder->preferences.compressionLevel = level;
    encoder->output_size = LZ4F_compressBound(LZ4_PIECE_BYTES, &encoder->preferences);
    if (encoder->output_size < LZ4F_HEADER_SIZE_MAX)
        encoder->output_size = LZ4F_HEADER_SIZE_MAX;
    encoder->output = xmalloc(encoder->output_size);
    if (LZ4F_isError(LZ4F_createCompressionContext(&encoder->context, LZ4F_VERSION)))
        abort();
    return &encoder->base;
}

struct lz4_decoder {
    struct codec_stream base;
    LZ4F_dctx *context;
    bool is_inside_frame, has_frame;
    char output[LZ4_PIECE_BYTES];
};

static struct error *
lz4_decoder_push(struct codec_stream *stream, const void *data, size_t size)
{
    struct lz4_decoder *decoder = (struct lz4_decoder *)stream;
    const char *bytes = data;
    bool is_full = false;
    while (size > 0 || is_full) {
        size_t made = sizeof(decoder->output), used = size;
        size_t left = LZ4F_decompress(decoder->context, decoder->output, &made, bytes, &used, NULL);
        if (LZ4F_isError(left))
            return error_new(ERROR_DATA_LOSS, "lz4 stream is corrupted: %s",
                             LZ4F_getErrorName(left));
        if (made > 0)
            TRY(stream->sink(decoder->output, made, stream->sink_data));
        bytes += used;
        size -= used;
        decoder->is_inside_frame = left != 0;
        decoder->has_frame = true;
        is_full = left != 0 && made == sizeof(decoder->output);
    }
    return NULL;
}

static struct error *
lz4_decoder_finish(struct codec_stream *stream)
{
    struct lz4_decoder *decoder = (struct lz4_decoder *)stream;
    if (!decoder->has_frame)
        return error_new(ERROR_DATA_LOSS, "lz4 stream is empty");
    if (decoder->is_inside_frame)
        return error_new(ERROR_DATA_LOSS, "lz4 stream is truncated");
    return NULL;
}

static void
lz4_decoder_reset(struct codec_stream *stream)
{
    struct lz4_decoder *decoder = (struct lz4_decoder *)stream;
    LZ4F_resetDecompressionContext(decoder->context);
    decoder->is_inside_frame = decoder->has_frame = false;
}

static void
lz4_decoder_free(struct codec_stream *stream)
{
    struct lz4_decoder *decoder = (struct lz4_decoder *)stream;
    (void)LZ4F_freeDecompressionContext(decoder->context);
    free(decoder);
}

static const struct codec_stream_interface lz4_decoder_interface = {
    lz4_decoder_push, lz4_decoder_finish, lz4_decoder_reset, lz4_decoder_free};

static struct codec_stream *
lz4_decoder_new(void)
{
    struct lz4_decoder *decoder = xcalloc(1, sizeof(*decoder));
    decoder->base.interface = &lz4_decoder_interface;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&decoder->context, LZ4F_VERSION)))
        abort();
    return &decoder->base;
}

const struct codec codec_lz4 = {
    .name = "lz4",
    .least_level = 1,
    .most_level = 9,
    .encoder_new = lz4_encoder_new,
    .decoder_new = lz4_decoder_new,
    .piece_decoder_new = lz4_decoder_new,
};
