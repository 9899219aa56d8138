/* What is copied in which pieces, decided before anything is. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "backup/take.h"

/* What a process and a thread take besides chunks, generously. */
#define PROCESS_BYTES (12u << 20)
#define THREAD_BYTES (2u << 20)
/* Chunks of the pool for each thread: one that it fills and one that waits for its turn. */
#define CHUNKS_PER_THREAD 2u

static struct error *
choose_chunk_bytes(struct take *take)
{
    const struct backup_take_options *options = take->options;
    uint64_t wanted = options->chunk_bytes == 0 ? BACKUP_CHUNK_BYTES_DEFAULT : options->chunk_bytes;
    uint64_t memory =
        options->max_memory_bytes == 0 ? BACKUP_MEMORY_BYTES_DEFAULT : options->max_memory_bytes;
    if (options->concurrency < 1 || options->concurrency > BACKUP_THREADS_MOST)
        return error_new(ERROR_INVALID_ARGUMENT, "concurrency %d: 1 to %d", options->concurrency,
                         BACKUP_THREADS_MOST);
    if (wanted % MANIFEST_CHUNK_BYTES_LEAST != 0 || wanted > MANIFEST_CHUNK_BYTES_MOST)
        return error_new(
            ERROR_INVALID_ARGUMENT, "chunks of %llu bytes: multiples of %u up to %u are possible",
            (unsigned long long)wanted, MANIFEST_CHUNK_BYTES_LEAST, MANIFEST_CHUNK_BYTES_MOST);
    take->pool_count = (size_t)options->concurrency * CHUNKS_PER_THREAD;
    uint64_t fixed = PROCESS_BYTES + (uint64_t)options->concurrency * THREAD_BYTES;
    uint64_t most = memory > fixed ? (memory - fixed) / take->pool_count : 0;
    most -= most % MANIFEST_CHUNK_BYTES_LEAST;
    if (most < MANIFEST_CHUNK_BYTES_LEAST)
        most = MANIFEST_CHUNK_BYTES_LEAST;
    take->chunk_bytes = (size_t)(wanted < most ? wanted : most);
    return NULL;
}

static int
by_size_descending(const void *a, const void *b, void *data)
{
    const struct backup_files *files = data;
    const struct take_file *first = a, *second = b;
    uint64_t first_size = files->items[first->index].size_bytes;
    uint64_t second_size = files->items[second->index].size_bytes;
    if (first_size != second_size)
        return first_size > second_size ? -1 : 1;
    return first->index < second->index ? -1 : first->index > second->index;
}

/* Large files first, so that none is left alone at the end. */
static void
cut_files(struct take *take)
{
    size_t count = take->files.count, indexed_chunks = 0;
    take->objects = xcalloc(count, sizeof(*take->objects));
    for (size_t i = 0; i < count; i++)
        take->objects[i].index = i;
    qsort_r(take->objects, count, sizeof(*take->objects), by_size_descending, &take->files);
    for (size_t i = 0; i < count; i++) {
        struct take_file *object = &take->objects[i];
        struct manifest_entry *entry = &take->manifest->entries[object->index];
        uint64_t size = take->files.items[object->index].size_bytes;
        object->first_item = take->item_count;
        object->chunk_count = size / take->chunk_bytes + (size % take->chunk_bytes != 0);
        if (object->chunk_count == 0)
            object->chunk_count = 1;
        take->item_count += object->chunk_count;
        if (object->chunk_count == 1 || indexed_chunks + object->chunk_count > MANIFEST_CHUNKS_MOST)
            continue;
        indexed_chunks += object->chunk_count;
        entry->chunk_bytes = (uint32_t)take->chunk_bytes;
        entry->chunk_count = object->chunk_count;
        entry->chunks = xcalloc(entry->chunk_count, sizeof(*entry->chunks));
    }
}

static struct take_file *
find_system_file(struct take *take, const char *name)
{
    for (size_t i = 0; i < take->files.count; i++) {
        const struct backup_file *file = &take->files.items[take->objects[i].index];
        if (strcmp(file->base, "InnoDBData") == 0 && strcmp(file->name, name) == 0)
            return &take->objects[i];
    }
    return NULL;
}

/* The pages of the system tablespace are numbered through all of its files. */
static struct error *
number_system_pages(struct take *take, const struct backup_directories *directories)
{
    const struct strv *names = &directories->data_file_names;
    uint64_t pages = 0;
    for (size_t i = 0; i < names->count && names->count > 1; i++) {
        struct take_file *object = find_system_file(take, names->items[i]);
        if (object == NULL)
            return NULL;
        const struct backup_file *file = &take->files.items[object->index];
        if (i == 0) {
            struct page_scan scan;
            CLEANUP(closep) int descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
            if (descriptor < 0)
                return error_from_errno(errno, "open '%s'", file->path);
            TRY(page_scan_open(descriptor, file->path, &scan));
            take->system_format = scan.format;
        }
        if (take->system_format.page_bytes == 0)
            return NULL;
        object->first_page = pages;
        pages += file->size_bytes / take->system_format.page_bytes;
    }
    return NULL;
}

static void
fill_pool(struct take *take)
{
    take->chunks = xcalloc(take->pool_count, sizeof(*take->chunks));
    for (size_t i = 0; i < take->pool_count; i++) {
        take->chunks[i].bytes = xmalloc(codec_piece_bound(take->chunk_bytes));
        if (i < (size_t)take->options->concurrency) /* each thread begins with one of these */
            continue;
        take->chunks[i].next = take->spare;
        take->spare = &take->chunks[i];
    }
}

struct error *
take_plan(struct take *take, const struct backup_directories *directories)
{
    TRY(choose_chunk_bytes(take));
    TRY(backup_files_select(directories, &take->files));
    take->manifest = manifest_new();
    manifest_set_entry_count(take->manifest, take->files.count);
    cut_files(take);
    fill_pool(take);
    return number_system_pages(take, directories);
}

void
take_plan_done(struct take *take)
{
    for (size_t i = 0; take->chunks != NULL && i < take->pool_count; i++)
        free(take->chunks[i].bytes);
    free(take->chunks);
    free(take->objects);
    manifest_free(take->manifest);
    backup_files_done(&take->files);
}
