/* Reading gzip with ISA-L: any number of members, or one piece of a member. */
#include <stdlib.h>

#include <isa-l/igzip_lib.h>

#include "agent/base/memory.h"
#include "backup/codec_gzip.h"
#include "backup/gzip_header.h"

/* ---- Whole objects ---- */
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
gzip_decoder_reset(struct codec_stream *stream)
{
    struct gzip_decoder *decoder = (struct gzip_decoder *)stream;
    decoder->header = (struct gzip_header){.state = GZIP_HEADER_FIXED};
    decoder->is_inside_body = decoder->is_inside_member = decoder->has_member = false;
}

static void
gzip_decoder_free(struct codec_stream *stream)
{
    free(stream);
}

static const struct codec_stream_interface gzip_decoder_interface = {
    gzip_decoder_push, gzip_decoder_finish, gzip_decoder_reset, gzip_decoder_free};

struct codec_stream *
gzip_decoder_new(void)
{
    struct gzip_decoder *decoder = xcalloc(1, sizeof(*decoder));
    decoder->base.interface = &gzip_decoder_interface;
    isal_inflate_init(&decoder->state);
    return &decoder->base;
}

/* ---- One piece ---- */
static struct error *
piece_decoder_push(struct codec_stream *stream, const void *data, size_t size)
{
    struct gzip_decoder *decoder = (struct gzip_decoder *)stream;
    const uint8_t *bytes = data;
    while (size > 0) {
        TRY(gzip_read_body(decoder, &bytes, &size));
        if (decoder->has_member)
            return error_new(ERROR_DATA_LOSS, "gzip stream ends inside a piece");
    }
    return NULL;
}

static struct error *
piece_decoder_finish(struct codec_stream *stream)
{
    const struct inflate_state *state = &((struct gzip_decoder *)stream)->state;
    /* Nothing is left to decode: between blocks, in the header of a block of which there is not a
     * bit yet, or in the stored block of no bytes that a flush is. */
    bool is_flushed = state->block_state == ISAL_BLOCK_NEW_HDR ||
                      (state->block_state == ISAL_BLOCK_HDR && state->read_in_length == 0 &&
                       state->tmp_in_size == 0) ||
                      (state->block_state == ISAL_BLOCK_TYPE0 && state->type0_block_len == 0);
    if (!is_flushed)
        return error_new(ERROR_DATA_LOSS, "piece of a gzip stream is truncated");
    return NULL;
}

static void
piece_decoder_reset(struct codec_stream *stream)
{
    struct gzip_decoder *decoder = (struct gzip_decoder *)stream;
    isal_inflate_reset(&decoder->state);
    decoder->state.crc_flag = ISAL_DEFLATE;
    decoder->is_inside_body = decoder->is_inside_member = true;
    decoder->has_member = false;
}

static const struct codec_stream_interface piece_decoder_interface = {
    piece_decoder_push, piece_decoder_finish, piece_decoder_reset, gzip_decoder_free};

struct codec_stream *
gzip_piece_decoder_new(void)
{
    struct gzip_decoder *decoder = xcalloc(1, sizeof(*decoder));
    decoder->base.interface = &piece_decoder_interface;
    isal_inflate_init(&decoder->state);
    piece_decoder_reset(&decoder->base);
    return &decoder->base;
}
