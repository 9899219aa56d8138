/* The file storage's system calls. Each is watched (io_watch.h), understands the answers that only
 * a network file system gives, and fails with what to do about it:
 *   ESTALE           asked again by its path, a few times; UNAVAILABLE if it stays
 *   EEXIST, ENOENT   may be the answer to our own request, sent twice
 *   ENOSPC, EDQUOT   RESOURCE_EXHAUSTED "backup storage is full: …"
 *   EACCES, EROFS    PERMISSION_DENIED, with the uid, the owner, the mode and the fix */
#ifndef VTAGENT_BACKUP_MOUNT_CALLS_H
#define VTAGENT_BACKUP_MOUNT_CALLS_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"
#include "backup/io_watch.h"

/* Of a failed call: "<verb> '<path>': <why>[: <fix>]". */
struct error *mount_error(struct io_watch *watch, int errno_value, const char *verb,
                          const char *path) ERROR_MUST_CHECK;

struct error *mount_stat(struct io_watch *watch, const char *path,
                         struct stat *ret_status) ERROR_MUST_CHECK;
struct error *mount_space(struct io_watch *watch, const char *path,
                          struct statvfs *ret_space) ERROR_MUST_CHECK;
struct error *mount_list(struct io_watch *watch, const char *path,
                         struct strv *ret_names) ERROR_MUST_CHECK; /* sorted, without dots */
/* mkdir -p, and mkdir: *ret_was_there instead of ALREADY_EXISTS. */
struct error *mount_make_folders(struct io_watch *watch, const char *path,
                                 mode_t mode) ERROR_MUST_CHECK;
struct error *mount_make_folder(struct io_watch *watch, const char *path, mode_t mode,
                                bool *ret_was_there) ERROR_MUST_CHECK;
struct error *mount_sync_folder(struct io_watch *watch, const char *path) ERROR_MUST_CHECK;
struct error *mount_open(struct io_watch *watch, const char *path, int flags, mode_t mode,
                         int *ret_descriptor) ERROR_MUST_CHECK;
/* *ret_size 0: end. A descriptor that went stale is replaced. */
struct error *mount_read(struct io_watch *watch, const char *path, int *descriptor, void *data,
                         size_t size, off_t offset, size_t *ret_size) ERROR_MUST_CHECK;
struct error *mount_write(struct io_watch *watch, const char *path, int descriptor,
                          const void *data, size_t size) ERROR_MUST_CHECK;
/* fsync, and that all size_bytes are there; closed either way. */
struct error *mount_sync_and_close(struct io_watch *watch, const char *path, int take_descriptor,
                                   uint64_t size_bytes) ERROR_MUST_CHECK;
void mount_close(struct io_watch *watch, const char *path, int take_descriptor);
/* A missing file is success. */
struct error *mount_remove(struct io_watch *watch, const char *path) ERROR_MUST_CHECK;
/* With all that is in it. */
struct error *mount_remove_folder(struct io_watch *watch, const char *path) ERROR_MUST_CHECK;
/* Gives a file of ours another name unless that is taken (ALREADY_EXISTS). After a failure neither
 * name is left. */
struct error *mount_publish(struct io_watch *watch, const char *temporary,
                            const char *path) ERROR_MUST_CHECK;

#endif
