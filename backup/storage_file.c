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

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "backup/manifest.h"
#include "backup/mount.h"
#include "backup/mount_calls.h"
#include "backup/storage_file.h"

#define DIRECTORY_MODE 0770
#define FILE_MODE 0660
#define FLUSH_WINDOW_BYTES (8u << 20)
#define CANCEL_PATIENCE_MS 3000

#define OWNER_NAME ".owner"

struct storage_writer {
    struct cancel *cancel;
    struct io_watch *watch;
    char *path;
    int descriptor;
    uint64_t written_bytes, flushed_bytes; /* flushed: on their way to the disk */
};
struct storage_reader {
    struct cancel *cancel;
    struct io_watch *watch;
    char *path;
    int descriptor;
    uint64_t start, offset, end;
};

static struct storage_file *
file_of(struct storage *storage)
{
    return (struct storage_file *)storage;
}

static struct io_watch *
watch_of(struct storage *storage)
{
    return file_of(storage)->watch;
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

/* An unmounted root is an empty folder's parent, or nothing: it must not look like "no backups". */
static struct error *
check_root(struct storage *storage)
{
    const char *root = file_of(storage)->root;
    struct stat status;
    TRY(error_wrap(mount_stat(watch_of(storage), root, &status), "backup storage '%s' is not there",
                   root));
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
    struct error *error = mount_stat(watch_of(storage), path, &status);
    if (error == NULL && S_ISDIR(status.st_mode))
        strv_add(folders, name);
    if (!error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error);
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
    struct error *error = mount_list(watch_of(storage), path, &all);
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

/* The folder may be there because our own request was sent twice, and another agent may have sent
 * the same: whose it is, the file in it says. */
static struct error *
claim(struct storage *storage, const char *directory, const char *name, const char *path)
{
    CLEANUP(freep) char *owner = path_of(storage, directory, name, OWNER_NAME);
    CLEANUP(strv_done) struct strv entries = {.items = NULL};
    bool was_there = false;
    int descriptor;
    TRY(mount_make_folder(watch_of(storage), path, DIRECTORY_MODE, &was_there));
    if (was_there)
        TRY(mount_list(watch_of(storage), path, &entries));
    if (entries.count > 0)
        return error_new(ERROR_ALREADY_EXISTS, "create backup folder '%s': it exists", path);
    TRY(mount_open(watch_of(storage), owner, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE, &descriptor));
    return mount_sync_and_close(watch_of(storage), owner, descriptor, 0);
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
    TRY(mount_make_folders(watch_of(storage), parent, DIRECTORY_MODE));
    TRY(claim(storage, directory, name, path));
    return mount_sync_folder(watch_of(storage), parent);
}

static struct storage_writer *
writer_new(struct storage *storage, struct cancel *cancel, char *take_path, int descriptor)
{
    struct storage_writer *writer = xcalloc(1, sizeof(*writer));
    writer->cancel = cancel_ref(cancel);
    writer->watch = watch_of(storage);
    writer->descriptor = descriptor;
    writer->path = take_path;
    return writer;
}

static struct error *
storage_file_open_write(struct storage *storage, struct cancel *cancel, const char *directory,
                        const char *name, const char *object, struct storage_writer **ret_writer)
{
    int descriptor;
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = path_of(storage, directory, name, object);
    TRY(mount_open(watch_of(storage), path, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE, &descriptor));
    *ret_writer = writer_new(storage, cancel, path, descriptor);
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
    CLEANUP(closep) int descriptor = -1;
    struct io_call call;
    TRY(mount_open(watch_of(storage), path, O_WRONLY | O_NOFOLLOW, 0, &descriptor));
    io_watch_begin(watch_of(storage), &call, "cut", path);
    struct error *error = cut_to(descriptor, path, length);
    io_watch_end(watch_of(storage), &call);
    TRY(error);
    struct storage_writer *writer = writer_new(storage, cancel, path, descriptor);
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
    struct io_call call;
    io_watch_begin(writer->watch, &call, "flush", writer->path);
    off_t start = (off_t)writer->flushed_bytes;
    off_t size = (off_t)(writer->written_bytes - writer->flushed_bytes);
    (void)sync_file_range(writer->descriptor, start, size, SYNC_FILE_RANGE_WRITE);
    if (start > 0) {
        (void)sync_file_range(writer->descriptor, 0, start,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
        (void)posix_fadvise(writer->descriptor, 0, start, POSIX_FADV_DONTNEED);
    }
    io_watch_end(writer->watch, &call);
    writer->flushed_bytes = writer->written_bytes;
}

static struct error *
storage_file_write(struct storage_writer *writer, const void *data, size_t size)
{
    TRY(cancel_check(writer->cancel));
    TRY(mount_write(writer->watch, writer->path, writer->descriptor, data, size));
    writer->written_bytes += size;
    bound_dirty_pages(writer);
    return NULL;
}

static struct error *
storage_file_close_write(struct storage_writer *writer)
{
    struct error *error = mount_sync_and_close(writer->watch, writer->path, writer->descriptor,
                                               writer->written_bytes);
    if (error != NULL)
        error = error_first(error, mount_remove(writer->watch, writer->path));
    writer_free(writer);
    return error;
}

static void
storage_file_abort_write(struct storage_writer *writer)
{
    mount_close(writer->watch, writer->path, writer->descriptor);
    error_free(mount_remove(writer->watch, writer->path));
    writer_free(writer);
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
    TRY(mount_sync_folder(watch_of(storage), folder));
    struct storage_writer *writer;
    TRY(storage_file_open_write(storage, cancel, directory, name, temporary_name, &writer));
    CLEANUP(freep) char *temporary = xstrdup(writer->path);
    struct error *error = storage_file_write(writer, data, size);
    if (error != NULL) {
        storage_file_abort_write(writer);
        return error;
    }
    TRY(storage_file_close_write(writer));
    TRY(mount_publish(watch_of(storage), temporary, path));
    TRY(mount_sync_folder(watch_of(storage), folder));
    if (strcmp(object, MANIFEST_NAME) != 0)
        return NULL;
    /* Complete: the claim has served, and does no harm where it cannot go. */
    CLEANUP(freep) char *owner = path_of(storage, directory, name, OWNER_NAME);
    error_free(mount_remove(watch_of(storage), owner));
    return NULL;
}

static struct error *
storage_file_open_range(struct storage *storage, struct cancel *cancel, const char *directory,
                        const char *name, const char *object, uint64_t offset, uint64_t size,
                        struct storage_reader **ret_reader)
{
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = path_of(storage, directory, name, object);
    int descriptor;
    TRY(mount_open(watch_of(storage), path, O_RDONLY, 0, &descriptor));
    (void)posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    struct storage_reader *reader = xcalloc(1, sizeof(*reader));
    reader->cancel = cancel_ref(cancel);
    reader->watch = watch_of(storage);
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
    TRY(mount_read(reader->watch, reader->path, &reader->descriptor, data,
                   size < left ? size : left, (off_t)reader->offset, ret_size));
    reader->offset += *ret_size;
    return NULL;
}

static void
storage_file_close_read(struct storage_reader *reader)
{
    (void)posix_fadvise(reader->descriptor, (off_t)reader->start,
                        (off_t)(reader->offset - reader->start), POSIX_FADV_DONTNEED);
    mount_close(reader->watch, reader->path, reader->descriptor);
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
    TRY(mount_stat(watch_of(storage), path, &status));
    if (!S_ISREG(status.st_mode))
        return error_new(ERROR_DATA_LOSS, "'%s' is not a file", path);
    *ret_size = (uint64_t)status.st_size;
    return NULL;
}

/* Names are believed to be missing for as long as the folder's attributes are cached. Who writes a
 * backup still has its claim there. */
static struct error *
storage_file_hidden_ms(struct storage *storage, struct cancel *cancel, const char *directory,
                       const char *name, int64_t *ret_ms)
{
    CLEANUP(mount_done) struct mount mount = {.folder = NULL};
    CLEANUP(freep) char *folder = path_of(storage, directory, name, NULL);
    CLEANUP(strv_done) struct strv objects = {.items = NULL};
    struct stat status;
    TRY(cancel_check(cancel));
    TRY(mount_find(file_of(storage)->root, &mount));
    TRY(mount_stat(watch_of(storage), folder, &status));
    TRY(mount_list(watch_of(storage), folder, &objects));
    int64_t cache_ms = mount_cache_ms(&mount);
    int64_t age_ms = clock_wall_ns() / 1000000 - (int64_t)status.st_mtime * 1000;
    bool is_written = objects.count == 0 || strv_contains(&objects, OWNER_NAME);
    *ret_ms = is_written || age_ms >= cache_ms ? 0 : cache_ms - (age_ms > 0 ? age_ms : 0);
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
    struct stat status;
    struct error *error = mount_stat(watch_of(storage), path, &status);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return error_new(ERROR_NOT_FOUND, "backup '%s' does not exist in '%s'", name, directory);
    }
    TRY(error);
    /* Without its MANIFEST a half-removed backup is an incomplete one, not a broken one. */
    TRY(mount_remove(watch_of(storage), manifest));
    TRY(mount_sync_folder(watch_of(storage), path));
    TRY(mount_remove_folder(watch_of(storage), path));
    return mount_sync_folder(watch_of(storage), parent);
}

static void
storage_file_free(struct storage *storage)
{
    io_watch_free(watch_of(storage));
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
    .hidden_ms = storage_file_hidden_ms,
    .remove = storage_file_remove,
    .probe_write = storage_file_probe_write,
    .probe_read = storage_file_probe_read,
    .probe_delete = storage_file_probe_delete,
    .checks = &storage_file_checks,
    .free = storage_file_free,
};

static struct error *
start_watch(struct storage_file *storage, const struct storage_watch *watch)
{
    if (watch == NULL || watch->timeout_ms <= 0 || watch->on_stuck == NULL)
        return NULL;
    const struct io_watch_options options = {.name = storage->root,
                                             .timeout_ms = watch->timeout_ms,
                                             .cancel = watch->cancel,
                                             .cancel_ms = CANCEL_PATIENCE_MS,
                                             .on_stuck = watch->on_stuck,
                                             .data = watch->data};
    return io_watch_new(&options, &storage->watch);
}

static struct error *
check_access(struct storage *storage, bool wants_write)
{
    const char *root = file_of(storage)->root;
    struct io_call call;
    TRY(check_root(storage));
    io_watch_begin(watch_of(storage), &call, "look at", root);
    int result =
        faccessat(AT_FDCWD, root, wants_write ? R_OK | W_OK | X_OK : R_OK | X_OK, AT_EACCESS);
    io_watch_end(watch_of(storage), &call);
    if (result == 0)
        return NULL;
    return error_wrap(
        mount_error(watch_of(storage), errno, wants_write ? "write to" : "read", root),
        "backup storage '%s' is not %s for uid %d", root, wants_write ? "writable" : "readable",
        (int)geteuid());
}

struct error *
storage_file_new(const char *root, bool wants_write, const struct storage_watch *watch,
                 struct storage **ret_storage)
{
    if (root[0] != '/')
        return error_new(ERROR_INVALID_ARGUMENT, "backup storage root '%s' is not an absolute path",
                         root);
    struct storage_file *storage = xcalloc(1, sizeof(*storage));
    storage->base.interface = &storage_file_interface;
    storage->root = xstrdup(root);
    struct error *error = start_watch(storage, watch);
    if (error == NULL)
        error = check_access(&storage->base, wants_write);
    if (error != NULL) {
        storage_free(&storage->base);
        if (error->code != ERROR_UNAVAILABLE)
            error->code = ERROR_FAILED_PRECONDITION;
        return error;
    }
    *ret_storage = &storage->base;
    return NULL;
}
