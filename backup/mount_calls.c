#include "backup/mount_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/file.h"

#define STALE_TRIES 4
#define STALE_PAUSE_NS 100000000

/* Evaluates a call under watch, again while its path is stale; `result` is what it returned. */
#define WATCHED(watch, verb, path, result, expression)                                             \
    do {                                                                                           \
        for (int try_ = 0; try_ < STALE_TRIES; try_++) {                                           \
            struct io_call call_;                                                                  \
            io_watch_begin(watch, &call_, verb, path);                                             \
            result = (expression);                                                                 \
            io_watch_end(watch, &call_);                                                           \
            if (result >= 0 || errno != ESTALE)                                                    \
                break;                                                                             \
            pause_for_stale();                                                                     \
        }                                                                                          \
    } while (0)

static void
pause_for_stale(void)
{
    const struct timespec pause = {.tv_nsec = STALE_PAUSE_NS};
    nanosleep(&pause, NULL);
    errno = ESTALE;
}

/* ---- What went wrong ---- */

/* The nearest folder or file on the way to `path` that exists: what was not allowed was there. */
static char *
name_owner(struct io_watch *watch, const char *path)
{
    CLEANUP(freep) char *at = xstrdup(path);
    struct stat status;
    int result = -1;
    while (at[0] != '\0') {
        WATCHED(watch, "look at", at, result, stat(at, &status));
        if (result == 0)
            break;
        char *slash = strrchr(at, '/');
        *(slash == NULL ? at : slash) = '\0';
    }
    if (result != 0)
        return xasprintf("we are uid %d, gid %d", (int)geteuid(), (int)getegid());
    return xasprintf("'%s' belongs to uid %d, gid %d with mode %04o and we are uid %d, gid %d: "
                     "run 'chown -R %d:%d' on the storage's root, or look at the server's export "
                     "(root_squash, all_squash)",
                     at, (int)status.st_uid, (int)status.st_gid, status.st_mode & 07777u,
                     (int)geteuid(), (int)getegid(), (int)geteuid(), (int)getegid());
}

static struct error *
plain_error(int errno_value, const char *verb, const char *path)
{
    return error_from_errno(errno_value, "%s '%s'", verb, path);
}

static struct error *
with_fix(int errno_value, const char *verb, const char *path, const char *fix)
{
    struct error *error =
        error_new(ERROR_UNKNOWN, "%s '%s': %s: %s", verb, path, strerrordesc_np(errno_value), fix);
    CLEANUP(error_freep) struct error *plain = plain_error(errno_value, verb, path);
    error->code = plain->code;
    return error;
}

struct error *
mount_error(struct io_watch *watch, int errno_value, const char *verb, const char *path)
{
    CLEANUP(freep) char *fix = NULL;
    struct error *error;
    switch (errno_value) {
    case ENOSPC:
    case EFBIG:
        return error_wrap(plain_error(errno_value, verb, path), "backup storage is full");
    case EDQUOT:
        fix = xasprintf("raise the quota of uid %d, or expire backups", (int)geteuid());
        return error_wrap(with_fix(errno_value, verb, path, fix), "backup storage is full");
    case EACCES:
    case EPERM:
        fix = name_owner(watch, path);
        return with_fix(errno_value, verb, path, fix);
    case EROFS:
        return with_fix(errno_value, verb, path, "mount the backup storage read-write");
    case EIO:
        return with_fix(errno_value, verb, path,
                        "see the kernel's log here and on the file server");
    case ESTALE:
        error = with_fix(errno_value, verb, path,
                         "the file server does not know it any more; was it removed, or exported "
                         "anew? then mount it again");
        error->code = ERROR_UNAVAILABLE;
        return error;
    default:
        return plain_error(errno_value, verb, path);
    }
}

/* ---- Looking ---- */

struct error *
mount_stat(struct io_watch *watch, const char *path, struct stat *ret_status)
{
    int result = -1;
    WATCHED(watch, "look at", path, result, stat(path, ret_status));
    return result == 0 ? NULL : mount_error(watch, errno, "look at", path);
}

struct error *
mount_space(struct io_watch *watch, const char *path, struct statvfs *ret_space)
{
    int result = -1;
    WATCHED(watch, "look at the space of", path, result, statvfs(path, ret_space));
    return result == 0 ? NULL : mount_error(watch, errno, "look at the space of", path);
}

struct error *
mount_list(struct io_watch *watch, const char *path, struct strv *ret_names)
{
    struct io_call call;
    io_watch_begin(watch, &call, "list", path);
    struct error *error = file_list(path, ret_names);
    int value = errno;
    io_watch_end(watch, &call);
    if (error == NULL)
        return NULL;
    error_free(error);
    return mount_error(watch, value, "list", path);
}

/* ---- Folders ---- */

struct error *
mount_make_folder(struct io_watch *watch, const char *path, mode_t mode, bool *ret_was_there)
{
    int result = -1;
    WATCHED(watch, "create folder", path, result, mkdir(path, mode));
    if (result != 0 && errno != EEXIST)
        return mount_error(watch, errno, "create folder", path);
    *ret_was_there = result != 0;
    return NULL;
}

struct error *
mount_make_folders(struct io_watch *watch, const char *path, mode_t mode)
{
    CLEANUP(freep) char *partial = xstrdup(path);
    struct stat status;
    bool was_there;
    for (char *slash = strchrnul(partial + 1, '/'); *slash != '\0';
         slash = strchrnul(slash + 1, '/')) {
        *slash = '\0';
        struct error *error = mount_stat(watch, partial, &status);
        if (error_is(error, ERROR_NOT_FOUND)) {
            error_free(error);
            error = mount_make_folder(watch, partial, mode, &was_there);
        }
        TRY(error);
        *slash = '/';
    }
    TRY(mount_make_folder(watch, path, mode, &was_there));
    TRY(mount_stat(watch, path, &status));
    if (!S_ISDIR(status.st_mode))
        return error_new(ERROR_FAILED_PRECONDITION, "'%s' is not a folder", path);
    return NULL;
}

struct error *
mount_sync_folder(struct io_watch *watch, const char *path)
{
    int descriptor, result = -1;
    TRY(mount_open(watch, path, O_RDONLY | O_DIRECTORY, 0, &descriptor));
    WATCHED(watch, "sync folder", path, result, fsync(descriptor));
    int value = errno;
    mount_close(watch, path, descriptor);
    /* Some file systems know no fsync of a folder. */
    if (result == 0 || value == EINVAL || value == EBADF || value == ENOSYS)
        return NULL;
    return mount_error(watch, value, "sync folder", path);
}

/* ---- Files ---- */

struct error *
mount_open(struct io_watch *watch, const char *path, int flags, mode_t mode, int *ret_descriptor)
{
    const char *verb = (flags & O_CREAT) != 0 ? "create" : "open";
    int descriptor = -1;
    WATCHED(watch, verb, path, descriptor, open(path, flags | O_CLOEXEC, mode));
    if (descriptor < 0)
        return mount_error(watch, errno, verb, path);
    *ret_descriptor = descriptor;
    return NULL;
}

static ssize_t
read_once(struct io_watch *watch, const char *path, int descriptor, void *data, size_t size,
          off_t offset)
{
    struct io_call call;
    ssize_t count;
    io_watch_begin(watch, &call, "read", path);
    do
        count = pread(descriptor, data, size, offset);
    while (count < 0 && errno == EINTR);
    io_watch_end(watch, &call);
    return count;
}

struct error *
mount_read(struct io_watch *watch, const char *path, int *descriptor, void *data, size_t size,
           off_t offset, size_t *ret_size)
{
    ssize_t count = read_once(watch, path, *descriptor, data, size, offset);
    for (int try = 1; count < 0 && errno == ESTALE && try < STALE_TRIES; try++) {
        int fresh;
        pause_for_stale();
        TRY(mount_open(watch, path, O_RDONLY, 0, &fresh));
        mount_close(watch, path, *descriptor);
        *descriptor = fresh;
        count = read_once(watch, path, *descriptor, data, size, offset);
    }
    if (count < 0)
        return mount_error(watch, errno, "read", path);
    *ret_size = (size_t)count;
    return NULL;
}

/* Not again with another descriptor: what was written before may be lost. */
struct error *
mount_write(struct io_watch *watch, const char *path, int descriptor, const void *data, size_t size)
{
    struct io_call call;
    io_watch_begin(watch, &call, "write", path);
    struct error *error = file_write_all(descriptor, data, size, path);
    int value = errno;
    io_watch_end(watch, &call);
    if (error == NULL)
        return NULL;
    error_free(error);
    return mount_error(watch, value, "write", path);
}

/* A server that restarted may have forgotten what it had taken, and not say so. */
static struct error *
check_length(struct io_watch *watch, const char *path, int descriptor, uint64_t size_bytes)
{
    struct stat status;
    struct io_call call;
    io_watch_begin(watch, &call, "look at", path);
    int result = fstat(descriptor, &status);
    io_watch_end(watch, &call);
    if (result != 0)
        return mount_error(watch, errno, "look at", path);
    if ((uint64_t)status.st_size == size_bytes)
        return NULL;
    return error_new(ERROR_DATA_LOSS,
                     "'%s' has %llu of the %llu bytes that were written: the storage has lost "
                     "them; is its server exported 'async'",
                     path, (unsigned long long)status.st_size, (unsigned long long)size_bytes);
}

struct error *
mount_sync_and_close(struct io_watch *watch, const char *path, int take_descriptor,
                     uint64_t size_bytes)
{
    struct io_call call;
    io_watch_begin(watch, &call, "sync", path);
    int result = fsync(take_descriptor);
    io_watch_end(watch, &call);
    struct error *error = result == 0 ? NULL : mount_error(watch, errno, "sync", path);
    if (error == NULL)
        error = check_length(watch, path, take_descriptor, size_bytes);
    io_watch_begin(watch, &call, "close", path);
    result = close(take_descriptor); /* NFS reports a full disk only here */
    io_watch_end(watch, &call);
    if (result != 0 && error == NULL)
        error = mount_error(watch, errno, "close", path);
    return error;
}

void
mount_close(struct io_watch *watch, const char *path, int take_descriptor)
{
    struct io_call call;
    io_watch_begin(watch, &call, "close", path);
    close(take_descriptor);
    io_watch_end(watch, &call);
}

/* ---- Removing ---- */

struct error *
mount_remove(struct io_watch *watch, const char *path)
{
    int result = -1;
    WATCHED(watch, "remove", path, result, unlink(path));
    return result == 0 || errno == ENOENT ? NULL : mount_error(watch, errno, "remove", path);
}

/* Nobody but an operator puts folders into a backup's. */
static struct error *
remove_entry(struct io_watch *watch, const char *path)
{
    struct stat status;
    int result = -1;
    WATCHED(watch, "look at", path, result, lstat(path, &status));
    if (result != 0)
        return errno == ENOENT ? NULL : mount_error(watch, errno, "look at", path);
    return S_ISDIR(status.st_mode) ? mount_remove_folder(watch, path) : mount_remove(watch, path);
}

struct error *
mount_remove_folder(struct io_watch *watch, const char *path)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    int result = -1;
    TRY(mount_list(watch, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(freep) char *entry = xasprintf("%s/%s", path, names.items[i]);
        TRY(remove_entry(watch, entry));
    }
    WATCHED(watch, "remove folder", path, result, rmdir(path));
    return result == 0 || errno == ENOENT ? NULL : mount_error(watch, errno, "remove folder", path);
}

/* ---- Publishing ---- */

/* Not every file system knows the first way, nor the second. */
static int
rename_new(const char *temporary, const char *path)
{
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(temporary, path) == 0) {
        unlink(temporary);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
        return -1;
    if (access(path, F_OK) != 0)
        return rename(temporary, path);
    errno = EEXIST;
    return -1;
}

static bool
is_same_file(struct io_watch *watch, const char *path, const struct stat *file)
{
    struct stat status;
    struct error *error = mount_stat(watch, path, &status);
    bool is_same = error == NULL && status.st_dev == file->st_dev && status.st_ino == file->st_ino;
    error_free(error);
    return is_same;
}

struct error *
mount_publish(struct io_watch *watch, const char *temporary, const char *path)
{
    struct stat file;
    int result = -1;
    struct error *error = mount_stat(watch, temporary, &file);
    if (error != NULL)
        return error_first(error, mount_remove(watch, temporary));
    WATCHED(watch, "create", path, result, rename_new(temporary, path));
    if (result == 0)
        return NULL;
    int value = errno;
    bool is_ours = is_same_file(watch, path, &file);
    /* The first sending was carried out, and its answer lost. */
    if (is_ours && (value == EEXIST || value == ENOENT))
        return mount_remove(watch, temporary);
    error = mount_error(watch, value, "create", path);
    /* Nobody may take it for published. */
    if (is_ours)
        error = error_first(error, mount_remove(watch, path));
    return error_first(error, mount_remove(watch, temporary));
}
