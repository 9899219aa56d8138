/* Chunks come in any order and are written in theirs. Nobody waits for a turn: who comes too early
 * leaves its chunk behind, and who fills the gap writes all that waited. */
#include <stdio.h>
#include <time.h>

#include <isa-l/crc.h>
#include <zlib.h>

#include "backup/take_progress.h"

#define POLL_NS 100000000L /* how soon a waiting thread sees a cancel */

struct take_chunk *
take_chunk_first(struct take *take)
{
    pthread_mutex_lock(&take->lock);
    struct take_chunk *chunk = &take->chunks[take->reserved_count++];
    pthread_mutex_unlock(&take->lock);
    return chunk;
}

static struct take_chunk *
wait_for_spare(struct take *take)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&take->lock);
    if (take->spare == NULL)
        pthread_cond_timedwait(&take->has_spare, &take->lock, &until);
    struct take_chunk *chunk = take->spare;
    if (chunk != NULL)
        take->spare = chunk->next;
    pthread_mutex_unlock(&take->lock);
    return chunk;
}

struct error *
take_chunk_acquire(struct take *take, struct cancel *cancel, struct take_chunk **ret_chunk)
{
    struct take_chunk *chunk;
    while ((chunk = wait_for_spare(take)) == NULL)
        TRY(cancel_check(cancel));
    *ret_chunk = chunk;
    return NULL;
}

void
take_chunk_release(struct take *take, struct take_chunk *chunk)
{
    pthread_mutex_lock(&take->lock);
    chunk->next = take->spare;
    take->spare = chunk;
    pthread_cond_signal(&take->has_spare);
    pthread_mutex_unlock(&take->lock);
}

static struct error *
store(struct take *take, struct take_file *object, const uint8_t *data, size_t size)
{
    object->stored_crc = crc32_gzip_refl(object->stored_crc, data, size);
    object->stored_bytes += size;
    return size == 0 ? NULL : take->storage->interface->write(object->writer, data, size);
}

/* What an earlier attempt has left goes on, or makes room. */
static struct error *
open_object(struct take *take, struct take_file *object, struct cancel *cancel)
{
    const struct storage_interface *interface = take->storage->interface;
    char name[24];
    snprintf(name, sizeof(name), "%zu", object->index);
    if (take->is_resumed && interface->open_resume != NULL) {
        struct error *error =
            interface->open_resume(take->storage, cancel, take->directory, take->name, name,
                                   object->stored_bytes, &object->writer);
        if (!error_is(error, ERROR_NOT_FOUND) || object->stored_bytes > 0)
            return error;
        error_free(error);
    }
    return interface->open_write(take->storage, cancel, take->directory, take->name, name,
                                 &object->writer);
}

static struct error *
begin(struct take *take, struct take_file *object, struct cancel *cancel)
{
    uint8_t head[CODEC_FRAME_BYTES_MOST];
    TRY(open_object(take, object, cancel));
    if (object->stored_bytes > 0)
        return NULL;
    object->head_bytes = (uint32_t)codec_head(take->codec, head);
    return store(take, object, head, object->head_bytes);
}

static void
add_findings(struct page_findings *all, const struct page_findings *more)
{
    if (all->bad_pages == 0) {
        all->first_page = more->first_page;
        all->first_verdict = more->first_verdict;
    }
    all->bad_pages += more->bad_pages;
}

static struct error *
write_chunk(struct take *take, struct take_file *object, const struct take_chunk *chunk,
            struct cancel *cancel)
{
    struct manifest_entry *entry = &take->manifest->entries[object->index];
    if (object->writer == NULL)
        TRY(begin(take, object, cancel));
    if (entry->chunks != NULL)
        entry->chunks[chunk->number] =
            (struct manifest_chunk){.stored_bytes = (uint32_t)chunk->stored_bytes,
                                    .plain_crc32 = chunk->plain_crc,
                                    .plain_crc64 = chunk->plain_crc64};
    entry->plain_crc64 = chunk->plain_crc64; /* counts for a file of one chunk */
    object->plain_crc =
        (uint32_t)crc32_combine(object->plain_crc, chunk->plain_crc, (z_off_t)chunk->plain_bytes);
    add_findings(&object->findings, &chunk->findings);
    TRY(store(take, object, chunk->bytes, chunk->stored_bytes));
    take_progress_chunk(take, object, chunk);
    return NULL;
}

static void
fill_entry(struct take *take, const struct take_file *object)
{
    const struct backup_file *file = &take->files.items[object->index];
    struct manifest_entry *entry = &take->manifest->entries[object->index];
    char hash[MANIFEST_HASH_TEXT_BYTES];
    manifest_format_hash(object->stored_crc, hash);
    entry->base = xstrdup(file->base);
    entry->name = xstrdup(file->name);
    entry->hash = xstrdup(hash);
    entry->has_details = true;
    entry->has_crc64 = entry->chunks != NULL || object->chunk_count == 1;
    entry->plain_bytes = file->size_bytes;
    entry->stored_bytes = object->stored_bytes;
    entry->plain_crc32 = object->plain_crc;
    entry->head_bytes = object->head_bytes;
    entry->corrupt_pages = object->findings.bad_pages;
    atomic_fetch_add(&take->done_files, 1);
}

struct error *
take_object_finish(struct take *take, struct take_file *object, struct cancel *cancel)
{
    const struct backup_file *file = &take->files.items[object->index];
    uint8_t tail[CODEC_FRAME_BYTES_MOST];
    size_t size = codec_tail(take->codec, object->plain_crc, file->size_bytes, tail);
    if (object->is_finished) {
        fill_entry(take, object);
        return NULL;
    }
    if (object->writer == NULL)
        TRY(begin(take, object, cancel));
    TRY(store(take, object, tail, size));
    struct storage_writer *writer = object->writer;
    object->writer = NULL;
    TRY(take->storage->interface->close_write(writer));
    take_progress_finished(take, object);
    fill_entry(take, object);
    return NULL;
}

static void
park(struct take_file *object, struct take_chunk *chunk)
{
    struct take_chunk **at = &object->parked;
    while (*at != NULL && (*at)->number < chunk->number)
        at = &(*at)->next;
    chunk->next = *at;
    *at = chunk;
}

/* The next chunk to write, for the thread that writes; NULL: it writes no more. */
static struct take_chunk *
next_chunk(struct take_file *object)
{
    struct take_chunk *chunk = object->parked;
    if (chunk == NULL || chunk->number != object->written_chunks) {
        object->is_writing = false;
        return NULL;
    }
    object->parked = chunk->next;
    object->written_chunks++;
    return chunk;
}

struct error *
take_object_add(struct take *take, struct take_file *object, struct take_chunk *take_chunk,
                struct cancel *cancel)
{
    struct take_chunk *chunk = NULL;
    pthread_mutex_lock(&take->lock);
    park(object, take_chunk);
    if (!object->is_writing) {
        object->is_writing = true;
        chunk = next_chunk(object);
    }
    pthread_mutex_unlock(&take->lock);
    while (chunk != NULL) {
        bool is_last = chunk->number + 1 == object->chunk_count;
        struct error *error = write_chunk(take, object, chunk, cancel);
        take_chunk_release(take, chunk);
        TRY(error); /* still marked as writing: nobody goes on with it */
        if (is_last)
            return take_object_finish(take, object, cancel);
        pthread_mutex_lock(&take->lock);
        chunk = next_chunk(object);
        pthread_mutex_unlock(&take->lock);
    }
    return NULL;
}

void
take_object_abort(struct take *take, struct take_file *object)
{
    if (object->writer != NULL)
        take->storage->interface->abort_write(object->writer);
    object->writer = NULL;
}
