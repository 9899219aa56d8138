/* Stored as it is (SkipCompress in the MANIFEST). */
#include <limits.h>
#include <stdlib.h>

#include "agent/base/memory.h"
#include "backup/codec.h"

static struct error *
none_push(struct codec_stream *stream, const void *data, size_t size)
{
    return size == 0 ? NULL : stream->sink(data, size, stream->sink_data);
}

static struct error *
none_finish(struct codec_stream *stream)
{
    (void)stream;
    return NULL;
}

static void
none_reset(struct codec_stream *stream)
{
    (void)stream;
}

static void
none_free(struct codec_stream *stream)
{
    free(stream);
}

static const struct codec_stream_interface none_interface = {none_push, none_finish, none_reset,
                                                             none_free};

static struct codec_stream *
none_decoder_new(void)
{
    struct codec_stream *stream = xcalloc(1, sizeof(*stream));
    stream->interface = &none_interface;
    return stream;
}

static struct codec_stream *
none_encoder_new(int level)
{
    (void)level;
    return none_decoder_new();
}

const struct codec codec_none = {
    .name = "none",
    .least_level = INT_MIN,
    .most_level = INT_MAX,
    .accepts_empty_object = true,
    .encoder_new = none_encoder_new,
    .decoder_new = none_decoder_new,
    .piece_decoder_new = none_decoder_new,
};
