/* How fast the cores alone are: pieces of a file in memory, encoded or decoded by some threads.
 * codec_bench FILE CODEC THREADS
 * prints "ENCODE DECODE" in plain megabytes per second. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cancel.h"
#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "backup/codec.h"
#include "backup/pipeline.h"

#define PIECE_BYTES (4u << 20)
#define PIECES_MOST 64u
#define BLOCK_BYTES (256u << 10)

struct piece {
    uint8_t *plain, *stored;
    size_t stored_bytes;
};
struct bench {
    const struct codec *codec;
    struct piece pieces[PIECES_MOST];
    size_t count;
    bool decodes;
};

static struct error *
keep(const void *data, size_t size, void *sink_data)
{
    struct piece *piece = sink_data;
    memcpy(piece->stored + piece->stored_bytes, data, size);
    piece->stored_bytes += size;
    return NULL;
}

static struct error *
drop(const void *data, size_t size, void *sink_data)
{
    (void)data;
    (void)size;
    (void)sink_data;
    return NULL;
}

static struct error *
run(size_t item, void *worker, struct cancel *cancel, void *data)
{
    struct bench *bench = data;
    struct piece *piece = &bench->pieces[item];
    CLEANUP(codec_stream_freep) struct codec_stream *stream = NULL;
    (void)worker;
    (void)cancel;
    if (bench->decodes) {
        stream = codec_piece_decoder_new(bench->codec, drop, NULL);
        for (size_t at = 0; at < piece->stored_bytes; at += BLOCK_BYTES) {
            size_t left = piece->stored_bytes - at;
            TRY(codec_push(stream, piece->stored + at, left < BLOCK_BYTES ? left : BLOCK_BYTES));
        }
        return codec_finish(stream);
    }
    piece->stored_bytes = 0;
    TRY(codec_encoder_new(bench->codec, 1, keep, piece, &stream));
    for (size_t at = 0; at < PIECE_BYTES; at += BLOCK_BYTES)
        TRY(codec_push(stream, piece->plain + at, BLOCK_BYTES));
    return codec_finish(stream);
}

static void
load(struct bench *bench, const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    for (bench->count = 0; bench->count < PIECES_MOST; bench->count++) {
        struct piece *piece = &bench->pieces[bench->count];
        piece->plain = xmalloc(PIECE_BYTES);
        piece->stored = xmalloc(codec_piece_bound(PIECE_BYTES));
        if (pread(descriptor, piece->plain, PIECE_BYTES, (off_t)bench->count * PIECE_BYTES) !=
            PIECE_BYTES)
            break;
    }
    close(descriptor);
}

/* Megabytes per second, the better of two runs. */
static double
measure(struct bench *bench, int threads)
{
    const struct pipeline pipeline = {
        .threads = threads, .item_count = bench->count, .run = run, .data = bench};
    double best = 0;
    for (int turn = 0; turn < 2; turn++) {
        int64_t start = clock_monotonic_us();
        struct error *error = pipeline_run(&pipeline, NULL);
        if (error != NULL) {
            fprintf(stderr, "codec_bench: %s\n", error->message);
            exit(1);
        }
        double seconds = (double)(clock_monotonic_us() - start) / 1e6;
        double speed = (double)bench->count * PIECE_BYTES / 1e6 / seconds;
        best = speed > best ? speed : best;
    }
    return best;
}

int
main(int argc, char **argv)
{
    struct bench bench = {.count = 0};
    if (argc != 4 || codec_find(argv[2], &bench.codec) != NULL) {
        fprintf(stderr, "codec_bench FILE CODEC THREADS\n");
        return 2;
    }
    load(&bench, argv[1]);
    int threads = (int)strtol(argv[3], NULL, 10);
    double encode = measure(&bench, threads);
    bench.decodes = true;
    printf("%.0f %.0f\n", encode, measure(&bench, threads));
    return 0;
}
