/* A thread that makes chunks: reads a block that fits a core's cache, checks its pages, sums it up,
 * compresses it, until the chunk is full. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isa-l/crc.h>
#include <isa-l/crc64.h>

#include "backup/take.h"

#define BLOCK_BYTES (256u * 1024) /* a multiple of the largest page */

struct take_worker {
    struct take *take;
    struct take_file *object; /* whose source is open */
    int descriptor;
    struct page_scan scan;
    struct codec_stream *encoder;
    struct take_chunk *chunk; /* that is filled; NULL only when the end is near */
    uint8_t *block;
};

static struct error *
keep(const void *data, size_t size, void *sink_data)
{
    struct take_worker *worker = sink_data;
    struct take_chunk *chunk = worker->chunk;
    if (size > codec_piece_bound(worker->take->chunk_bytes) - chunk->stored_bytes)
        return error_new(ERROR_INTERNAL, "compression made a chunk grow beyond its bound");
    memcpy(chunk->bytes + chunk->stored_bytes, data, size);
    chunk->stored_bytes += size;
    return NULL;
}

static const struct backup_file *
source_of(const struct take_worker *worker)
{
    return &worker->take->files.items[worker->object->index];
}

static struct error *
changed(const struct take_worker *worker)
{
    return error_new(ERROR_ABORTED, "'%s' changed while it was read: is mysqld running",
                     source_of(worker)->path);
}

static struct error *
check_size(const struct take_worker *worker)
{
    struct stat status;
    if (fstat(worker->descriptor, &status) != 0)
        return error_from_errno(errno, "look at '%s'", source_of(worker)->path);
    if ((uint64_t)status.st_size != source_of(worker)->size_bytes)
        return changed(worker);
    return NULL;
}

static struct error *
open_source(struct take_worker *worker, struct take_file *object)
{
    if (worker->object == object)
        return NULL;
    closep(&worker->descriptor);
    worker->object = object;
    const struct backup_file *file = source_of(worker);
    worker->scan = (struct page_scan){.first_page = 0};
    worker->descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (worker->descriptor < 0) {
        worker->object = NULL;
        return error_from_errno(errno, "open '%s'", file->path);
    }
    (void)posix_fadvise(worker->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    TRY(check_size(worker));
    if (object->first_page > 0) {
        worker->scan.format = worker->take->system_format;
        worker->scan.first_page = object->first_page;
        return NULL;
    }
    if (file->size_bytes == 0 || !page_scan_is_tablespace(file->name))
        return NULL;
    return page_scan_open(worker->descriptor, file->path, &worker->scan);
}

static struct error *
read_block(const struct take_worker *worker, uint64_t offset, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count =
            pread(worker->descriptor, worker->block + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_from_errno(errno, "read '%s'", source_of(worker)->path);
        if (count == 0)
            return changed(worker);
        done += (size_t)count;
    }
    return NULL;
}

static struct error *
check_pages(const struct take_worker *worker, uint64_t offset, size_t size)
{
    const struct backup_take_options *options = worker->take->options;
    uint64_t most_lsn = options->most_lsn == 0 ? UINT64_MAX : options->most_lsn;
    struct page_findings *findings = &worker->chunk->findings;
    page_scan_check(&worker->scan, worker->block, size, offset, most_lsn, findings);
    if (findings->bad_pages == 0 || options->allows_corrupt_pages)
        return NULL;
    return error_new(ERROR_DATA_LOSS, "'%s' page %llu: %s", source_of(worker)->path,
                     (unsigned long long)findings->first_page,
                     page_verdict_text(findings->first_verdict));
}

static struct error *
fill_block(struct take_worker *worker, uint64_t offset, size_t size, struct cancel *cancel)
{
    struct take_chunk *chunk = worker->chunk;
    TRY(cancel_check(cancel));
    TRY(rate_take(&worker->take->rate, size, cancel));
    TRY(read_block(worker, offset, size));
    TRY(check_pages(worker, offset, size));
    chunk->plain_crc = crc32_gzip_refl(chunk->plain_crc, worker->block, size);
    chunk->plain_crc64 = crc64_ecma_refl(chunk->plain_crc64, worker->block, size);
    chunk->plain_bytes += size;
    TRY(codec_push(worker->encoder, worker->block, size));
    atomic_fetch_add(&worker->take->done_bytes, size);
    return NULL;
}

/* ---- Holes ---- */
/* Only a whole chunk counts, and not the first: page 0 says what the others are. */
static bool
is_hole(const struct take_worker *worker, size_t number, uint64_t start, size_t size)
{
    if (number == 0 || size < worker->take->chunk_bytes)
        return false;
    off_t data = lseek(worker->descriptor, (off_t)start, SEEK_DATA);
    return data < 0 ? errno == ENXIO : (uint64_t)data >= start + size;
}

static bool
copy_zeros(struct take_worker *worker, size_t size)
{
    const struct take_chunk *zeros = atomic_load(&worker->take->zeros);
    struct take_chunk *chunk = worker->chunk;
    if (zeros == NULL)
        return false;
    memcpy(chunk->bytes, zeros->bytes, zeros->stored_bytes);
    chunk->stored_bytes = zeros->stored_bytes;
    chunk->plain_bytes = zeros->plain_bytes;
    chunk->plain_crc = zeros->plain_crc;
    atomic_fetch_add(&worker->take->done_bytes, size);
    return true;
}

/* The first thread that made one leaves a copy. */
static void
keep_zeros(struct take_worker *worker)
{
    const struct take_chunk *chunk = worker->chunk;
    struct take_chunk *none = NULL, *zeros = xmalloc(sizeof(*zeros));
    *zeros = *chunk;
    zeros->bytes = xmalloc(chunk->stored_bytes + 1);
    memcpy(zeros->bytes, chunk->bytes, chunk->stored_bytes);
    if (atomic_compare_exchange_strong(&worker->take->zeros, &none, zeros))
        return;
    free(zeros->bytes);
    free(zeros);
}

static struct error *
fill_chunk(struct take_worker *worker, size_t number, struct cancel *cancel)
{
    struct take_chunk *chunk = worker->chunk;
    uint64_t start = (uint64_t)number * worker->take->chunk_bytes;
    uint64_t left = source_of(worker)->size_bytes - start;
    size_t size = left < worker->take->chunk_bytes ? (size_t)left : worker->take->chunk_bytes;
    *chunk = (struct take_chunk){.number = number, .bytes = chunk->bytes};
    bool is_empty = is_hole(worker, number, start, size);
    if (is_empty && copy_zeros(worker, size))
        return number + 1 == worker->object->chunk_count ? check_size(worker)
                                                         : cancel_check(cancel);
    codec_reset(worker->encoder);
    (void)posix_fadvise(worker->descriptor, (off_t)start, (off_t)size, POSIX_FADV_WILLNEED);
    for (size_t at = 0; at < size; at += BLOCK_BYTES) {
        size_t block = size - at < BLOCK_BYTES ? size - at : BLOCK_BYTES;
        TRY(fill_block(worker, start + at, block, cancel));
    }
    TRY(codec_finish(worker->encoder));
    if (is_empty)
        keep_zeros(worker);
    (void)posix_fadvise(worker->descriptor, (off_t)start, (off_t)size, POSIX_FADV_DONTNEED);
    return number + 1 == worker->object->chunk_count ? check_size(worker) : NULL;
}

void *
take_worker_new(void *data)
{
    struct take *take = data;
    struct take_worker *worker = xcalloc(1, sizeof(*worker));
    worker->take = take;
    worker->descriptor = -1;
    worker->block = xmalloc(BLOCK_BYTES);
    worker->encoder = take->codec->encoder_new(take->options->compression_level);
    worker->encoder->sink = keep;
    worker->encoder->sink_data = worker;
    worker->chunk = take_chunk_first(take);
    return worker;
}

void
take_worker_free(void *data)
{
    struct take_worker *worker = data;
    closep(&worker->descriptor);
    codec_stream_free(worker->encoder);
    free(worker->block);
    free(worker);
}

static struct take_file *
object_of_item(const struct take *take, size_t item)
{
    size_t low = 0, high = take->files.count; /* the object is in [low, high) */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (take->objects[middle].first_item <= item)
            low = middle;
        else
            high = middle;
    }
    return &take->objects[low];
}

/* An earlier attempt has stored it. */
static struct error *
pass_over(struct take *take, struct take_file *object, size_t number, struct cancel *cancel)
{
    uint64_t left = take->files.items[object->index].size_bytes - number * take->chunk_bytes;
    atomic_fetch_add(&take->done_bytes, left < take->chunk_bytes ? left : take->chunk_bytes);
    return number + 1 == object->chunk_count ? take_object_finish(take, object, cancel) : NULL;
}

static struct error *
run(struct take_worker *worker, struct take_file *object, size_t number, struct cancel *cancel)
{
    if (number < object->resumed_chunks)
        return pass_over(worker->take, object, number, cancel);
    TRY(open_source(worker, object));
    TRY(fill_chunk(worker, number, cancel));
    struct take_chunk *chunk = worker->chunk;
    worker->chunk = NULL;
    TRY(take_object_add(worker->take, object, chunk, cancel));
    /* Before the next item is taken: a thread with an item must never wait for one without. */
    return take_chunk_acquire(worker->take, cancel, &worker->chunk);
}

struct error *
take_worker_run(size_t item, void *data, struct cancel *cancel, void *take_data)
{
    struct take *take = take_data;
    struct take_worker *worker = data;
    struct take_file *object = object_of_item(take, item);
    const struct backup_file *file = &take->files.items[object->index];
    struct error *error = run(worker, object, item - object->first_item, cancel);
    return error_wrap(error, "back up '%s/%s'", file->base, file->name);
}
