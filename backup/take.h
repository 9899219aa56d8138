/* Taking a backup, from inside: files are cut in chunks; threads read, check and compress them in
 * any order, and lay them into one object per file in theirs. */
#ifndef VTAGENT_BACKUP_TAKE_H
#define VTAGENT_BACKUP_TAKE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backup/backup.h"
#include "backup/codec.h"
#include "backup/files.h"
#include "backup/manifest.h"
#include "backup/page_scan.h"
#include "backup/rate.h"

/* One encoded chunk, from the pool. */
struct take_chunk {
    struct take_chunk *next;
    size_t number; /* in its file */
    uint8_t *bytes;
    size_t stored_bytes, plain_bytes;
    uint32_t plain_crc;
    uint64_t plain_crc64;
    struct page_findings findings;
};

/* One file and its object. The lock of struct take guards parked, written_chunks and is_writing;
 * the rest belongs to the thread that set is_writing. */
struct take_file {
    size_t index; /* among the files, and of the object */
    size_t first_item, chunk_count;
    uint64_t first_page;       /* of a later file of the system tablespace; else 0 */
    struct take_chunk *parked; /* that wait for earlier ones, by number */
    size_t written_chunks;
    bool is_writing;
    size_t resumed_chunks; /* that an earlier attempt has stored */
    bool is_finished;      /* by that attempt */
    struct storage_writer *writer;
    uint64_t stored_bytes;
    uint32_t stored_crc, plain_crc, head_bytes;
    struct page_findings findings;
};

struct take_progress {
    pthread_mutex_t lock;
    int descriptor; /* -1: nothing is recorded (any more) */
    uint64_t fingerprint;
    struct take_file **objects_by_file;
};

struct take {
    struct storage *storage;
    const struct backup_take_options *options;
    const struct codec *codec;
    char *directory, *name;
    struct backup_files files;
    struct take_file *objects; /* by size, largest first */
    struct manifest *manifest; /* each entry is filled by the thread that finishes its file */
    struct page_format system_format;
    size_t chunk_bytes, item_count;
    struct rate rate;
    struct take_progress progress;
    bool is_resumed; /* the storage may hold objects of an earlier attempt */
    pthread_mutex_t lock;
    pthread_cond_t has_spare;
    struct take_chunk *chunks; /* all of them */
    size_t pool_count, reserved_count;
    struct take_chunk *spare;
    /* A chunk of nothing but zeros, encoded once: holes of sparse files are many of the same. Set
     * once, by whoever is first. */
    struct take_chunk *_Atomic zeros;
    atomic_uint_fast64_t done_bytes;
    atomic_size_t done_files;
};

/* ---- take_plan.c ---- */
/* Cuts the selected files in chunks, so that all of them together keep to the memory. */
struct error *take_plan(struct take *take,
                        const struct backup_directories *directories) ERROR_MUST_CHECK;
void take_plan_done(struct take *take);

/* ---- take_object.c ---- */
/* A chunk to begin with, once for each thread. */
struct take_chunk *take_chunk_first(struct take *take);
/* Waits for a chunk of the pool. */
struct error *take_chunk_acquire(struct take *take, struct cancel *cancel,
                                 struct take_chunk **ret_chunk) ERROR_MUST_CHECK;
void take_chunk_release(struct take *take, struct take_chunk *chunk);
/* Hands an encoded chunk over: it is written once all before it are, by whoever comes last. The
 * last one finishes the object and its entry. */
struct error *take_object_add(struct take *take, struct take_file *object,
                              struct take_chunk *take_chunk,
                              struct cancel *cancel) ERROR_MUST_CHECK;
/* Closes an object whose chunks are all there. */
struct error *take_object_finish(struct take *take, struct take_file *object,
                                 struct cancel *cancel) ERROR_MUST_CHECK;
/* Gives up what was not finished. */
void take_object_abort(struct take *take, struct take_file *object);

/* ---- take_worker.c: of a pipeline whose items are the chunks ---- */
void *take_worker_new(void *take);
void take_worker_free(void *worker);
struct error *take_worker_run(size_t item, void *worker, struct cancel *cancel,
                              void *take) ERROR_MUST_CHECK;

#endif
