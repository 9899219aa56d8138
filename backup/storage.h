/* Backup storages behind a const table: file (POSIX, NFS), gcs (Google Cloud Storage) and memory
 * (tests). Blocking. */
#ifndef VTAGENT_BACKUP_STORAGE_H
#define VTAGENT_BACKUP_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buffer.h"
#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/base/memory.h"

struct check_table;
struct storage;
struct storage_writer;
struct storage_reader;

struct storage_interface {
    const char *name;
    /* Names below "ks/shard", folders only, sorted; none: success, empty. */
    struct error *(*list)(struct storage *, struct cancel *, const char *directory,
                          struct strv *ret_names);
    /* A new backup's folder; ALREADY_EXISTS when it is there. */
    struct error *(*start)(struct storage *, struct cancel *, const char *directory,
                           const char *name);
    struct error *(*open_write)(struct storage *, struct cancel *, const char *directory,
                                const char *name, const char *object,
                                struct storage_writer **ret_writer);
    /* Optional, NULL: not supported. Goes on with an object that was left unfinished, behind its
     * first `length` bytes; what lies beyond is dropped. NOT_FOUND; OUT_OF_RANGE: it is shorter. */
    struct error *(*open_resume)(struct storage *, struct cancel *, const char *directory,
                                 const char *name, const char *object, uint64_t length,
                                 struct storage_writer **ret_writer);
    struct error *(*write)(struct storage_writer *, const void *data, size_t size);
    /* The bytes are durable when it returns NULL, the name by the next put() at the latest. Frees
     * the writer either way; a failed object is gone. */
    struct error *(*close_write)(struct storage_writer *);
    void (*abort_write)(struct storage_writer *);
    /* Publishes a small object at once, durable, only if it is new. */
    struct error *(*put)(struct storage *, struct cancel *, const char *directory, const char *name,
                         const char *object, const void *data, size_t size);
    struct error *(*open_read)(struct storage *, struct cancel *, const char *directory,
                               const char *name, const char *object,
                               struct storage_reader **ret_reader);
    /* Bytes offset to offset + size of it; read() ends there, or earlier with the object. */
    struct error *(*open_range)(struct storage *, struct cancel *, const char *directory,
                                const char *name, const char *object, uint64_t offset,
                                uint64_t size, struct storage_reader **ret_reader);
    /* *ret_size 0: end. */
    struct error *(*read)(struct storage_reader *, void *data, size_t size, size_t *ret_size);
    void (*close_read)(struct storage_reader *);
    struct error *(*size)(struct storage *, struct cancel *, const char *directory,
                          const char *name, const char *object, uint64_t *ret_size); /* NOT_FOUND */
    /* Optional. How much longer an object that another machine has added to this backup may be
     * hidden from us; 0: it is not there. */
    struct error *(*hidden_ms)(struct storage *, struct cancel *, const char *directory,
                               const char *name, int64_t *ret_ms);
    /* MANIFEST first, then the rest. NOT_FOUND when there is no such backup. */
    struct error *(*remove)(struct storage *, struct cancel *, const char *directory,
                            const char *name);
    /* A small object beside the backups of a directory, in nobody's list of them: written durably
     * and new, read from where it is kept, deleted. */
    struct error *(*probe_write)(struct storage *, struct cancel *, const char *directory,
                                 const char *name, const void *data, size_t size);
    struct error *(*probe_read)(struct storage *, struct cancel *, const char *directory,
                                const char *name, size_t size, struct buffer *buffer);
    struct error *(*probe_delete)(struct storage *, struct cancel *, const char *directory,
                                  const char *name);
    const struct check_table *checks; /* storage_check.h; the subject is a storage_subject */
    void (*free)(struct storage *);
};
struct storage {
    const struct storage_interface *interface;
};

/* How long one call to a storage may take. A file system's call cannot be ended: on_stuck is told
 * once, on a thread of its own, that one waits for longer ("backup storage '/b' does not answer:
 * …"); a service's is tried again for so long. 0: not watched; the service's default. */
struct storage_watch {
    int64_t timeout_ms;
    struct cancel *cancel; /* once it has ended, less patience */
    void (*on_stuck)(const char *text, void *data);
    void *data;
};
/* Root must exist, be a folder and be writable when wants_write: FAILED_PRECONDITION with the uid.
 * watch NULL: none. */
struct error *storage_file_new(const char *root, bool wants_write,
                               const struct storage_watch *watch,
                               struct storage **ret_storage) ERROR_MUST_CHECK;
/* For tests: a storage in memory that can be told to misbehave. Any thread. */
struct storage *storage_memory_new(void);
/* Bytes it takes before "no space left" (RESOURCE_EXHAUSTED). */
void storage_memory_set_limit(struct storage *storage, uint64_t limit_bytes);
/* Every open_write (or put) of this object name fails with UNAVAILABLE; NULL: none. */
void storage_memory_fail_object(struct storage *storage, const char *object);
/* From here on every call fails with UNAVAILABLE as soon as so many more bytes were written, and
 * what was begun stays as it is: as if the writing process had been killed. UINT64_MAX: alive
 * again. */
void storage_memory_die_after(struct storage *storage, uint64_t more_bytes);
/* The stored bytes of an object, to look at and to spoil; NULL when there is none. Borrowed until
 * the object or the storage goes. */
struct buffer *storage_memory_object(struct storage *storage, const char *directory,
                                     const char *name, const char *object);
/* Objects "ROOT/ks/shard/name/object" in a bucket, as Vitess names them; ROOT "" is none. The
 * credentials are found and looked at, nothing is asked yet: FAILED_PRECONDITION. */
struct storage_gcs_options {
    const char *bucket, *root;
    const char *endpoint; /* NULL: Google's, or the emulator's of STORAGE_EMULATOR_HOST */
    int64_t patience_ms, first_pause_ms, stall_ms; /* how failures are met; 0: default */
    size_t part_bytes;                             /* of a large object; 0: default */
};
struct error *storage_gcs_new(const struct storage_gcs_options *options,
                              struct storage **ret_storage) ERROR_MUST_CHECK;
/* By --backup-storage-implementation, --file-backup-storage-root, --gcs-backup-storage-bucket and
 * --gcs-backup-storage-root. */
struct storage_options {
    const char *implementation; /* "file", "gcs" */
    const char *file_root, *gcs_bucket, *gcs_root;
    struct storage_watch watch;
};
struct error *storage_open(const struct storage_options *options, bool wants_write,
                           struct storage **ret_storage) ERROR_MUST_CHECK;
void storage_free(struct storage *storage);
void storage_freep(struct storage **storage);

/* One component of a path: no '/', not "." or "..", not empty, not too long. */
#define STORAGE_NAME_LIMIT_BYTES 240u
bool storage_name_is_safe(const char *name);
/* For implementations: "ks/shard" of safe components, and safe names (NULL: not looked at). */
struct error *storage_check_names(const char *directory, const char *name,
                                  const char *object) ERROR_MUST_CHECK;

/* Reads a whole small object (limit_bytes, RESOURCE_EXHAUSTED). */
struct error *storage_get(struct storage *storage, struct cancel *cancel, const char *directory,
                          const char *name, const char *object, size_t limit_bytes,
                          struct buffer *buffer) ERROR_MUST_CHECK;

#endif
