/* Files, written safely or not at all. Blocking; any thread but the loop's for large files. */
#ifndef VTAGENT_BASE_FILE_H
#define VTAGENT_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/buffer.h"
#include "agent/base/error.h"
#include "agent/base/memory.h"

/* Appends the whole file; RESOURCE_EXHAUSTED when larger than limit_bytes. */
struct error *file_read(const char *path, size_t limit_bytes,
                        struct buffer *buffer) ERROR_MUST_CHECK;
/* Temporary name in the same folder, write, fsync, checked close, rename, fsync of the folder. */
struct error *file_write_safely(const char *path, const void *data, size_t size,
                                mode_t mode) ERROR_MUST_CHECK;
/* Writes all bytes to a descriptor, through EINTR and short writes. */
struct error *file_write_all(int descriptor, const void *data, size_t size,
                             const char *name) ERROR_MUST_CHECK;
struct error *file_make_directories(const char *path, mode_t mode) ERROR_MUST_CHECK; /* mkdir -p */
struct error *file_sync_directory(const char *path) ERROR_MUST_CHECK;
/* rm -r; a missing path is success; does not follow symbolic links. */
struct error *file_remove_tree(const char *path) ERROR_MUST_CHECK;
struct error *file_remove(const char *path) ERROR_MUST_CHECK; /* a missing file is success */
bool file_exists(const char *path);
bool file_is_directory(const char *path);
/* Names in a folder (no dot entries), sorted. */
struct error *file_list(const char *path, struct strv *ret_names) ERROR_MUST_CHECK;
/* Bytes free for an ordinary user, and the size, of the file system that holds path. */
struct error *file_system_space(const char *path, uint64_t *ret_free,
                                uint64_t *ret_total) ERROR_MUST_CHECK;

#endif
