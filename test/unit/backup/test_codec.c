#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <isa-l/crc.h>

#include "backup/codec.h"
#include "fixture.h"

static const struct codec *const codecs[] = {&codec_gzip, &codec_zstd, &codec_lz4, &codec_none};

static struct error *
collect(const void *data, size_t size, void *sink_data)
{
    buffer_append(sink_data, data, size);
    return NULL;
}

/* Pushes in pieces of `piece` bytes. */
static struct error *
run(struct codec_stream *stream, const char *data, size_t size, size_t piece)
{
    struct error *error = NULL;
    for (size_t at = 0; at < size && error == NULL; at += piece)
        error = codec_push(stream, data + at, size - at < piece ? size - at : piece);
    if (error == NULL)
        error = codec_finish(stream);
    codec_stream_free(stream);
    return error;
}

static void
encode(const struct codec *codec, int level, const void *data, size_t size, size_t piece,
       struct buffer *out)
{
    struct codec_stream *stream;
    uint8_t frame[CODEC_FRAME_BYTES_MOST];
    buffer_append(out, frame, codec_head(codec, frame));
    cr_assert_null(codec_encoder_new(codec, level, collect, out, &stream));
    cr_assert_null(run(stream, data, size, piece));
    uint32_t crc = crc32_gzip_refl(0, data, size);
    buffer_append(out, frame, codec_tail(codec, crc, size, frame));
}

static struct error *
decode(const struct codec *codec, const struct buffer *in, size_t piece, struct buffer *out)
{
    return run(codec_decoder_new(codec, collect, out), buffer_text(in), in->length_bytes, piece);
}

static void
check_round_trip(const struct codec *codec, int level, size_t size, size_t piece)
{
    uint8_t *data = xmalloc(size + 1);
    fixture_fill_noise(data, size, (uint32_t)size);
    struct buffer stored = BUFFER_INIT, plain = BUFFER_INIT;
    encode(codec, level, data, size, piece, &stored);
    cr_assert(codec == &codec_none || stored.length_bytes > 0);
    cr_assert(codec == &codec_none || codec_sniff(stored.data, stored.length_bytes) == codec);
    cr_assert_null(decode(codec, &stored, piece, &plain));
    cr_assert_eq(plain.length_bytes, size);
    cr_assert_arr_eq(buffer_text(&plain), data, size);
    buffer_done(&stored);
    buffer_done(&plain);
    free(data);
}

Test(codec, what_was_written_is_read_back_whatever_the_pieces)
{
    static const size_t sizes[] = {0, 1, 2, 1000, 65536, 262144, 262145, 1500000};
    for (size_t i = 0; i < ARRAY_LENGTH(codecs); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(sizes); j++) {
            check_round_trip(codecs[i], 1, sizes[j], 524288);
            check_round_trip(codecs[i], 4, sizes[j], 4099);
            check_round_trip(codecs[i], 1, sizes[j] > 70000 ? 70000 : sizes[j], 1);
        }
    }
}

Test(codec, gzip_is_one_member_that_zlib_reads)
{
    static uint8_t data[700000], back[700000];
    fixture_fill_noise(data, sizeof(data), 3);
    for (int level = 1; level <= 9; level += 4) {
        struct buffer stored = BUFFER_INIT;
        encode(&codec_gzip, level, data, sizeof(data), 100000, &stored);
        z_stream stream = {.next_in = (Bytef *)stored.data, .avail_in = (uInt)stored.length_bytes};
        stream.next_out = back;
        stream.avail_out = sizeof(back);
        cr_assert_eq(inflateInit2(&stream, 31), Z_OK);
        cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
        cr_assert_eq(stream.avail_in, 0);
        cr_assert_eq(stream.avail_out, 0);
        cr_assert_arr_eq(back, data, sizeof(data));
        inflateEnd(&stream);
        buffer_done(&stored);
    }
}

/* A gzip member with all optional header fields, as zlib writes it. */
static void
append_member_with_name(struct buffer *out, const uint8_t *data, size_t size)
{
    uint8_t *room = xmalloc(size + 1000);
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
    gz_header header = {.name = (Bytef *)"ibdata1",
                        .comment = (Bytef *)"a comment",
                        .extra = (Bytef *)"extra",
                        .extra_len = 5,
                        .hcrc = 1,
                        .os = 3};
    stream.next_out = room;
    stream.avail_out = (uInt)size + 1000;
    cr_assert_eq(deflateInit2(&stream, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    cr_assert_eq(deflateSetHeader(&stream, &header), Z_OK);
    cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    buffer_append(out, room, size + 1000 - stream.avail_out);
    deflateEnd(&stream);
    free(room);
}

Test(codec, many_members_and_frames_are_one_object)
{
    static uint8_t data[600000];
    fixture_fill_noise(data, sizeof(data), 4);
    static const size_t pieces[] = {1, 3, 17, 4096, 250000, 1 << 20};
    for (size_t i = 0; i < 3; i++) {
        for (size_t p = 0; p < ARRAY_LENGTH(pieces); p++) {
            struct buffer stored = BUFFER_INIT, plain = BUFFER_INIT;
            size_t at = 0;
            for (size_t size = 1; at < sizeof(data); size = size * 3 + 1) {
                size_t part = size < sizeof(data) - at ? size : sizeof(data) - at;
                if (codecs[i] == &codec_gzip && size % 2 == 0)
                    append_member_with_name(&stored, data + at, part);
                else
                    encode(codecs[i], 1, data + at, part, 65536, &stored);
                at += part;
            }
            encode(codecs[i], 1, "", 0, 1, &stored);
            cr_assert_null(decode(codecs[i], &stored, pieces[p], &plain));
            cr_assert_eq(plain.length_bytes, sizeof(data));
            cr_assert_arr_eq(buffer_text(&plain), data, sizeof(data));
            buffer_done(&stored);
            buffer_done(&plain);
        }
    }
}

Test(codec, truncated_at_any_byte_is_refused)
{
    uint8_t data[3000];
    fixture_fill_noise(data, sizeof(data), 5);
    for (size_t i = 0; i < 3; i++) {
        struct buffer stored = BUFFER_INIT;
        encode(codecs[i], 1, data, sizeof(data), 1000, &stored);
        for (size_t length = 1; length < stored.length_bytes; length += 1 + length / 40) {
            struct buffer part = BUFFER_INIT, plain = BUFFER_INIT;
            buffer_append(&part, stored.data, length);
            fixture_expect(decode(codecs[i], &part, 700, &plain), ERROR_DATA_LOSS, "");
            buffer_done(&part);
            buffer_done(&plain);
        }
        buffer_done(&stored);
    }
}

Test(codec, one_wrong_bit_is_noticed_by_the_streams_own_checksum)
{
    uint8_t data[5000];
    fixture_fill_noise(data, sizeof(data), 6);
    for (size_t i = 0; i < 3; i++) {
        struct buffer stored = BUFFER_INIT, plain = BUFFER_INIT;
        encode(codecs[i], 1, data, sizeof(data), 1000, &stored);
        stored.data[stored.length_bytes / 2] ^= 0x10;
        fixture_expect(decode(codecs[i], &stored, 512, &plain), ERROR_DATA_LOSS, "");
        buffer_done(&stored);
        buffer_done(&plain);
    }
}

Test(codec, trailing_bytes_are_refused)
{
    for (size_t i = 0; i < 3; i++) {
        for (size_t count = 1; count < 40; count += 19) {
            for (size_t piece = 1; piece < 100000; piece += 99990) {
                struct buffer stored = BUFFER_INIT, plain = BUFFER_INIT;
                encode(codecs[i], 1, "abc", 3, 3, &stored);
                for (size_t j = 0; j < count; j++)
                    buffer_append_char(&stored, '\0');
                fixture_expect(decode(codecs[i], &stored, piece, &plain), ERROR_DATA_LOSS, "");
                buffer_done(&stored);
                buffer_done(&plain);
            }
        }
    }
}

Test(codec, an_empty_object_is_an_empty_file_for_zstd_only)
{
    struct buffer stored = BUFFER_INIT, plain = BUFFER_INIT;
    cr_assert_null(decode(&codec_zstd, &stored, 1, &plain));
    fixture_expect(decode(&codec_gzip, &stored, 1, &plain), ERROR_DATA_LOSS, "empty");
    fixture_expect(decode(&codec_lz4, &stored, 1, &plain), ERROR_DATA_LOSS, "empty");
    buffer_done(&plain);
    buffer_done(&stored);
}

Test(codec, lz4_blocks_are_independent_and_checked)
{
    struct buffer stored = BUFFER_INIT;
    encode(&codec_lz4, 1, "abc", 3, 3, &stored);
    /* FLG: version 01, independent blocks, content checksum. */
    cr_assert_eq((unsigned char)stored.data[4] & 0xe4, 0x64);
    buffer_done(&stored);
}

Test(codec, engines_are_found_by_vitess_names)
{
    static const char *const gzips[] = {"pgzip", "pargzip", "", "gzip"};
    const struct codec *codec;
    for (size_t i = 0; i < ARRAY_LENGTH(gzips); i++) {
        cr_assert_null(codec_find(gzips[i], &codec));
        cr_assert_eq(codec, &codec_gzip);
    }
    cr_assert_null(codec_find("zstd", &codec));
    cr_assert_eq(codec, &codec_zstd);
    fixture_expect(codec_find("external", &codec), ERROR_UNIMPLEMENTED, "external command");
    fixture_expect(codec_find("bzip2", &codec), ERROR_INVALID_ARGUMENT, "'bzip2'");
    cr_assert_null(codec_sniff("\x1f", 1));
    cr_assert_null(codec_sniff("", 0));
}

Test(codec, levels_out_of_range_are_refused)
{
    struct codec_stream *stream;
    fixture_expect(codec_encoder_new(&codec_zstd, 5, collect, NULL, &stream),
                   ERROR_INVALID_ARGUMENT, "1 to 4");
    fixture_expect(codec_encoder_new(&codec_gzip, 0, collect, NULL, &stream),
                   ERROR_INVALID_ARGUMENT, "1 to 9");
}

static struct error *
refuse(const void *data, size_t size, void *sink_data)
{
    (void)data, (void)size, (void)sink_data;
    return error_new(ERROR_RESOURCE_EXHAUSTED, "full");
}

Test(codec, an_error_of_the_sink_comes_back)
{
    static uint8_t data[400000];
    fixture_fill_noise(data, sizeof(data), 9);
    for (size_t i = 0; i < ARRAY_LENGTH(codecs); i++) {
        struct buffer stored = BUFFER_INIT;
        encode(codecs[i], 1, data, sizeof(data), sizeof(data), &stored);
        struct codec_stream *stream;
        cr_assert_null(codec_encoder_new(codecs[i], 1, refuse, NULL, &stream));
        fixture_expect(run(stream, (const char *)data, sizeof(data), 65536),
                       ERROR_RESOURCE_EXHAUSTED, "full");
        fixture_expect(run(codec_decoder_new(codecs[i], refuse, NULL), stored.data,
                           stored.length_bytes, 65536),
                       ERROR_RESOURCE_EXHAUSTED, "full");
        buffer_done(&stored);
    }
}

/* Random bytes and zeros alternate, so that pieces grow and shrink. */
Test(codec, pieces_are_read_one_by_one_and_as_one_object)
{
    enum { PIECE = 300000, COUNT = 5 };
    static uint8_t data[PIECE * COUNT];
    fixture_fill_noise(data, sizeof(data), 12);
    for (size_t i = 0; i < PIECE; i++)
        data[PIECE + i] = (uint8_t)(data[i] ^ (i * i >> 7));
    for (size_t i = 0; i < ARRAY_LENGTH(codecs) * 2; i++) {
        const struct codec *codec = codecs[i / 2];
        struct buffer stored = BUFFER_INIT, plain = BUFFER_INIT, piece = BUFFER_INIT;
        uint8_t frame[CODEC_FRAME_BYTES_MOST];
        struct codec_stream *encoder, *decoder = codec_piece_decoder_new(codec, collect, &plain);
        cr_assert_null(codec_encoder_new(codec, 1 + (int)(i % 2) * 2, collect, &piece, &encoder));
        buffer_append(&stored, frame, codec_head(codec, frame));
        for (size_t p = 0; p < COUNT; p++) {
            buffer_clear(&piece);
            buffer_clear(&plain);
            codec_reset(encoder);
            codec_reset(decoder);
            cr_assert_null(codec_push(encoder, data + p * PIECE, PIECE / 2));
            if (p == 3) { /* an input given up in the middle leaves no trace */
                codec_reset(encoder);
                buffer_clear(&piece);
                cr_assert_null(codec_push(encoder, data + p * PIECE, PIECE / 2));
            }
            cr_assert_null(codec_push(encoder, data + p * PIECE + PIECE / 2, PIECE / 2));
            cr_assert_null(codec_finish(encoder));
            cr_assert_leq(piece.length_bytes, codec_piece_bound(PIECE));
            cr_assert_null(codec_push(decoder, piece.data, piece.length_bytes / 2));
            cr_assert_null(codec_push(decoder, piece.data + piece.length_bytes / 2,
                                      piece.length_bytes - piece.length_bytes / 2));
            cr_assert_null(codec_finish(decoder));
            cr_assert_eq(plain.length_bytes, PIECE);
            cr_assert_arr_eq(plain.data, data + p * PIECE, PIECE);
            buffer_append(&stored, piece.data, piece.length_bytes);
        }
        uint32_t crc = crc32_gzip_refl(0, data, sizeof(data));
        buffer_append(&stored, frame, codec_tail(codec, crc, sizeof(data), frame));
        buffer_clear(&plain);
        cr_assert_null(decode(codec, &stored, 65536, &plain));
        cr_assert_eq(plain.length_bytes, sizeof(data));
        cr_assert_arr_eq(plain.data, data, sizeof(data));
        codec_stream_free(encoder);
        codec_stream_free(decoder);
        buffer_done(&stored);
        buffer_done(&plain);
        buffer_done(&piece);
    }
}
