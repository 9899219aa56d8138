/* Reading a backup's objects back, all of them, with every check there is: for restoring (the plain
 * bytes go to files) and for verifying (they go nowhere). Objects with a chunk index are read by
 * several threads at once; other large ones by one that decompresses, one that reads ahead and one
 * that writes behind. */
#ifndef VTAGENT_BACKUP_READBACK_H
#define VTAGENT_BACKUP_READBACK_H

#include "backup/backup.h"
#include "backup/manifest.h"

/* Where the plain bytes go. A handle belongs to one thread at a time; several may be open on one
 * entry. */
struct readback_target {
    struct error *(*open)(void *data, size_t entry, void **ret_handle);
    struct error *(*write)(void *handle, const void *bytes, size_t size, uint64_t offset);
    /* Once for each entry, when all of it was written and found right. */
    struct error *(*finish)(void *handle, uint64_t size);
    void (*close)(void *handle);
    /* Whether these bytes are there already, by both checksums; NULL: they never are. */
    bool (*holds)(void *handle, uint64_t offset, uint64_t size, uint32_t crc32, uint64_t crc64);
};

struct readback_options {
    struct storage *storage;
    const struct manifest *manifest;
    const struct readback_target *target; /* NULL: the bytes go nowhere */
    void *target_data;
    int concurrency;
    uint64_t rate_bytes_per_second; /* of stored bytes; 0: no limit */
    const char *verb, *past;        /* "restore", "restored" */
    backup_progress on_progress;    /* may be NULL; bytes are stored bytes */
    void *progress_data;
    uint64_t *kept_bytes; /* may be NULL; plain bytes that the target held, at the end */
};
struct error *readback_run(const struct readback_options *options,
                           struct cancel *cancel) ERROR_MUST_CHECK;

#endif
