/* Backups as folders of a file system, NFS included. A backup counts once its MANIFEST is there, so
 * that name alone appears by an atomic, create-only step; the other objects are written in place.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "backup/manifest.h"
#include "backup/storage.h"

#define DIRECTORY_MODE 0770
#define FILE_MODE 0660
#define FLUSH_WINDOW_BYTES (8u << 20)

struct storage_file {
    struct storage base;
    char *root;
    atomic_uint temporary_count;
};
struct storage_writer {
    struct cancel *cancel;
    char *path;
    int descriptor;
    uint64_t written_bytes, flushed_bytes; /* flushed: on their way to the disk */
};
struct storage_reader {
    struct cancel *cancel;
    char *path;
    int descriptor;
    uint64_t start, offset, end;
};

static struct storage_file *
file_of(struct storage *storage)
{
    return (struct storage_file *)storage;
}

static char *
path_of(struct storage *storage, const char *directory, const char *name, const char *object)
{
    if (object != NULL)
        return xasprintf("%s/%s/%s/%s", file_of(storage)->root, directory, name, object);
    if (name != NULL)
        return xasprintf("%s/%s/%s", file_of(storage)->root, directory, name);
    return xasprintf("%s/%s", file_of(storage)->root, directory);
}

/* Names the storage when it is full, so that nobody looks at the database's disk first. */
static struct error *
explain(struct error *take_error, int errno_value)
{
    if (errno_value == ENOSPC || errno_value == EDQUOT)
        return error_wrap(take_error, "backup storage is full");
    return take_error;
}

/* An unmounted root is an empty folder's parent, or nothing: it must not look like "no backups". */
static struct error *
check_root(struct storage *storage)
{
    const char *root = file_of(storage)->root;
    struct stat status;
    if (stat(root, &status) != 0)
        return error_from_errno(errno, "backup storage '%s' is not there", root);
    if (!S_ISDIR(status.st_mode))
        return error_new(ERROR_FAILED_PRECONDITION, "backup storage '%s' is not a folder", root);
    return NULL;
}

/* A backup that cannot be looked at must not look like one that is not there. */
static struct error *
add_folder(struct storage *storage, const char *directory, const char *name, struct strv *folders)
{
    CLEANUP(freep) char *path = path_of(storage, directory, name, NULL);
    struct stat status;
    if (name[0] == '.')
        return NULL;
    if (stat(path, &status) != 0)
        return errno == ENOENT ? NULL : error_from_errno(errno, "look at '%s'", path);
    if (S_ISDIR(status.st_mode))
        strv_add(folders, name);
    return NULL;
}

static struct error *
storage_file_list(struct storage *storage, struct cancel *cancel, const char *directory,
                  struct strv *ret_names)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, NULL, NULL));
    TRY(check_root(storage));
    CLEANUP(freep) char *path = path_of(storage, directory, NULL, NULL);
    CLEANUP(strv_done) struct strv all = {.items = NULL}, folders = {.items = NULL};
    struct error *error = file_list(path, &all);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        error = NULL;
    }
    TRY(error);
    for (size_t i = 0; i < all.count; i++)
        TRY(add_folder(storage, directory, all.items[i], &folders));
    *ret_names = folders;
    folders = (struct strv){.items = NULL};
    return NULL;
}

static struct error *
storage_file_start(struct storage *storage, struct cancel *cancel, const char *directory,
                   const char *name)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, NULL));
    TRY(check_root(storage));
    CLEANUP(freep) char *parent = path_of(storage, directory, NULL, NULL);
    CLEANUP(freep) char *path = path_of(storage, directory, name, NULL);
    TRY(file_make_directories(parent, DIRECTORY_MODE));
    if (mkdir(path, DIRECTORY_MODE) != 0) {
        int value = errno;
        return explain(error_from_errno(value, "create backup folder '%s'", path), value);
    }
    return file_sync_directory(parent);
}

static struct storage_writer *
writer_new(struct cancel *cancel, char *take_path, int descriptor)
{
    struct storage_writer *writer = xcalloc(1, sizeof(*writer));
    writer->cancel = cancel_ref(cancel);
    writer->descriptor = descriptor;
    writer->path = take_path;
    return writer;
}

static struct error *
storage_file_open_write(struct storage *storage, struct cancel *cancel, const char *directory,
                        const char *name, const char *object, struct storage_writer **ret_writer)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = path_of(storage, directory, name, object);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (descriptor < 0) {
        int value = errno;
        return explain(error_from_errno(value, "create '%s'", path), value);
    }
    *ret_writer = writer_new(cancel, path, descriptor);
    path = NULL;
    return NULL;
}

static struct error *
cut_to(int descriptor, const char *path, uint64_t length)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return error_from_errno(errno, "look at '%s'", path);
    if ((uint64_t)status.st_size < length)
        return error_new(ERROR_OUT_OF_RANGE, "'%s' is shorter than it was", path);
    if (ftruncate(descriptor, (off_t)length) != 0 || lseek(descriptor, 0, SEEK_END) < 0)
        return error_from_errno(errno, "cut '%s'", path);
    return NULL;
}

static struct error *
storage_file_open_resume(struct storage *storage, struct cancel *cancel, const char *directory,
                         const char *name, const char *object, uint64_t length,
                         struct storage_writer **ret_writer)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = path_of(storage, directory, name, object);
    CLEANUP(closep) int descriptor = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return error_from_errno(errno, "open '%s'", path);
    TRY(cut_to(descriptor, path, length));
    struct storage_writer *writer = writer_new(cancel, path, descriptor);
    writer->written_bytes = writer->flushed_bytes = length;
    descriptor = -1;
    path = NULL;
    *ret_writer = writer;
    return NULL;
}

static void
writer_free(struct storage_writer *writer)
{
    cancel_unref(writer->cancel);
    free(writer->path);
    free(writer);
}

/* Written bytes go to the disk as they come, and out of the page cache once they are there: the
 * kernel never holds more than two windows of an object, and the last fsync finds little to do. */
static void
bound_dirty_pages(struct storage_writer *writer)
{
    if (writer->written_bytes - writer->flushed_bytes < FLUSH_WINDOW_BYTES)
        return;
    off_t start = (off_t)writer->flushed_bytes;
    off_t size = (off_t)(writer->written_bytes - writer->flushed_bytes);
    (void)sync_file_range(writer->descriptor, start, size, SYNC_FILE_RANGE_WRITE);
    if (start > 0) {
        (void)sync_file_range(writer->descriptor, 0, start,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
        (void)posix_fadvise(writer->descriptor, 0, start, POSIX_FADV_DONTNEED);
    }
    writer->flushed_bytes = writer->written_bytes;
}

static struct error *
storage_file_write(struct storage_writer *writer, const void *data, size_t size)
{
    TRY(cancel_check(writer->cancel));
    struct error *error = file_write_all(writer->descriptor, data, size, writer->path);
    if (error_is(error, ERROR_RESOURCE_EXHAUSTED))
        return error_wrap(error, "backup storage is full");
    TRY(error);
    writer->written_bytes += size;
    bound_dirty_pages(writer);
    return NULL;
}

static struct error *
storage_file_close_write(struct storage_writer *writer)
{
    struct error *error = NULL;
    if (fsync(writer->descriptor) != 0) {
        int value = errno;
        error = explain(error_from_errno(value, "sync '%s'", writer->path), value);
    }
    if (close(writer->descriptor) != 0 && error == NULL) { /* NFS reports a full disk only here */
        int value = errno;
        error = explain(error_from_errno(value, "close '%s'", writer->path), value);
    }
    if (error != NULL)
        unlink(writer->path);
    writer_free(writer);
    return error;
}

static void
storage_file_abort_write(struct storage_writer *writer)
{
    close(writer->descriptor);
    unlink(writer->path);
    writer_free(writer);
}

/* Gives the temporary file its name unless that exists. Not every file system knows both ways. */
static struct error *
publish(const char *temporary, const char *path)
{
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return NULL;
    if (errno == EINVAL || errno == ENOSYS) {
        if (link(temporary, path) == 0) {
            unlink(temporary);
            return NULL;
        }
        if (errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK) {
            if (access(path, F_OK) == 0)
                errno = EEXIST;
            else if (rename(temporary, path) == 0)
                return NULL;
        }
    }
    int value = errno;
    unlink(temporary);
    return explain(error_from_errno(value, "create '%s'", path), value);
}

static struct error *
storage_file_put(struct storage *storage, struct cancel *cancel, const char *directory,
                 const char *name, const char *object, const void *data, size_t size)
{
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *folder = path_of(storage, directory, name, NULL);
    CLEANUP(freep) char *path = path_of(storage, directory, name, object);
    CLEANUP(freep)
    char *temporary_name = xasprintf(".%s.%d.%u.tmp", object, (int)getpid(),
                                     atomic_fetch_add(&file_of(storage)->temporary_count, 1));
    /* What was written before must be there before this name is. */
    TRY(file_sync_directory(folder));
    struct storage_writer *writer;
    TRY(storage_file_open_write(storage, cancel, directory, name, temporary_name, &writer));
    CLEANUP(freep) char *temporary = xstrdup(writer->path);
    struct error *error = storage_file_write(writer, data, size);
    if (error != NULL) {
        storage_file_abort_write(writer);
        return error;
    }
    TRY(storage_file_close_write(writer));
    TRY(publish(temporary, path));
    return file_sync_directory(folder);
}

static struct error *
storage_file_open_range(struct storage *storage, struct cancel *cancel, const char *directory,
                        const char *name, const char *object, uint64_t offset, uint64_t size,
                        struct storage_reader **ret_reader)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = path_of(storage, directory, name, object);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_from_errno(errno, "open '%s'", path);
    (void)posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    struct storage_reader *reader = xcalloc(1, sizeof(*reader));
    reader->cancel = cancel_ref(cancel);
    reader->descriptor = descriptor;
    reader->path = path;
    reader->start = reader->offset = offset;
    reader->end = size > INT64_MAX - offset ? INT64_MAX : offset + size;
    path = NULL;
    *ret_reader = reader;
    return NULL;
}

static struct error *
storage_file_open_read(struct storage *storage, struct cancel *cancel, const char *directory,
                       const char *name, const char *object, struct storage_reader **ret_reader)
{
    return storage_file_open_range(storage, cancel, directory, name, object, 0, INT64_MAX,
                                   ret_reader);
}

static struct error *
storage_file_read(struct storage_reader *reader, void *data, size_t size, size_t *ret_size)
{
    TRY(cancel_check(reader->cancel));
    uint64_t left = reader->end - reader->offset;
    ssize_t count;
    do
        count = pread(reader->descriptor, data, size < left ? size : left, (off_t)reader->offset);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_from_errno(errno, "read '%s'", reader->path);
    reader->offset += (uint64_t)count;
    *ret_size = (size_t)count;
    return NULL;
}

static void
storage_file_close_read(struct storage_reader *reader)
{
    (void)posix_fadvise(reader->descriptor, (off_t)reader->start,
                        (off_t)(reader->offset - reader->start), POSIX_FADV_DONTNEED);
    close(reader->descriptor);
    cancel_unref(reader->cancel);
    free(reader->path);
    free(reader);
}

static struct error *
storage_file_size(struct storage *storage, struct cancel *cancel, const char *directory,
                  const char *name, const char *object, uint64_t *ret_size)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = path_of(storage, directory, name, object);
    struct stat status;
    if (stat(path, &status) != 0)
        return error_from_errno(errno, "look at '%s'", path);
    if (!S_ISREG(status.st_mode))
        return error_new(ERROR_DATA_LOSS, "'%s' is not a file", path);
    *ret_size = (uint64_t)status.st_size;
    return NULL;
}

static struct error *
storage_file_remove(struct storage *storage, struct cancel *cancel, const char *directory,
                    const char *name)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, NULL));
    CLEANUP(freep) char *parent = path_of(storage, directory, NULL, NULL);
    CLEANUP(freep) char *path = path_of(storage, directory, name, NULL);
    CLEANUP(freep) char *manifest = path_of(storage, directory, name, MANIFEST_NAME);
    if (!file_exists(path))
        return error_new(ERROR_NOT_FOUND, "backup '%s' does not exist in '%s'", name, directory);
    /* Without its MANIFEST a half-removed backup is an incomplete one, not a broken one. */
    TRY(file_remove(manifest));
    TRY(file_sync_directory(path));
    TRY(file_remove_tree(path));
    return file_sync_directory(parent);
}

static void
storage_file_free(struct storage *storage)
{
    free(file_of(storage)->root);
    free(storage);
}

static const struct storage_interface storage_file_interface = {
    .name = "file",
    .list = storage_file_list,
    .start = storage_file_start,
    .open_write = storage_file_open_write,
    .open_resume = storage_file_open_resume,
    .write = storage_file_write,
    .close_write = storage_file_close_write,
    .abort_write = storage_file_abort_write,
    .put = storage_file_put,
    .open_read = storage_file_open_read,
    .open_range = storage_file_open_range,
    .read = storage_file_read,
    .close_read = storage_file_close_read,
    .size = storage_file_size,
    .remove = storage_file_remove,
    .free = storage_file_free,
};

struct error *
storage_file_new(const char *root, bool wants_write, struct storage **ret_storage)
{
    if (root[0] != '/')
        return error_new(ERROR_INVALID_ARGUMENT, "backup storage root '%s' is not an absolute path",
                         root);
    struct storage_file *storage = xcalloc(1, sizeof(*storage));
    storage->base.interface = &storage_file_interface;
    storage->root = xstrdup(root);
    struct error *error = check_root(&storage->base);
    if (error == NULL &&
        faccessat(AT_FDCWD, root, wants_write ? R_OK | W_OK | X_OK : R_OK | X_OK, AT_EACCESS) != 0)
        error = error_new(ERROR_FAILED_PRECONDITION, "backup storage '%s' is not %s for uid %d: %s",
                          root, wants_write ? "writable" : "readable", (int)geteuid(),
                          strerrordesc_np(errno));
    if (error != NULL) {
        storage_free(&storage->base);
        error->code = ERROR_FAILED_PRECONDITION;
        return error;
    }
    *ret_storage = &storage->base;
    return NULL;
}
