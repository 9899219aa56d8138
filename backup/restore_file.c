/* Several threads may write to one file, each with a descriptor of its own. Written bytes are sent
 * to the disk as they come, so that neither the page cache nor the last fsync grows with the file.
 */
#include "backup/restore_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0660
#define WINDOW_BYTES (8u << 20)
#define ZEROS_LEAST 16384u

struct span {
    uint64_t start, size;
};
struct restore_file {
    char *path;
    int descriptor;
    struct span window, previous; /* written; and on its way to the disk */
};

char *
restore_file_path(const struct restore_files *files, const struct manifest_entry *entry)
{
    return xasprintf("%s/%s", backup_directories_of_base(files->directories, entry->base),
                     entry->name);
}

static struct error *
make_room(const struct restore_file *file, const struct manifest_entry *entry)
{
    uint64_t size = entry->plain_bytes;
    if (!entry->has_details || size == 0)
        return NULL;
    if (fallocate(file->descriptor, 0, 0, (off_t)size) == 0 || errno == EOPNOTSUPP ||
        errno == ENOSYS || errno == EINTR)
        return NULL;
    return error_from_errno(errno, "make room for %" PRIu64 " bytes in '%s'", size, file->path);
}

static void
file_close(void *handle)
{
    struct restore_file *file = handle;
    close(file->descriptor);
    free(file->path);
    free(file);
}

static struct error *
file_open(void *data, size_t entry_index, void **ret_handle)
{
    struct restore_files *files = data;
    const struct manifest_entry *entry = &files->manifest->entries[entry_index];
    CLEANUP(freep) char *path = restore_file_path(files, entry);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (descriptor < 0)
        return error_from_errno(errno, "create '%s'", path);
    struct restore_file *file = xcalloc(1, sizeof(*file));
    file->descriptor = descriptor;
    file->path = path;
    path = NULL;
    if (!atomic_exchange(&files->has_room[entry_index], true)) {
        struct error *error = make_room(file, entry);
        if (error != NULL) {
            file_close(file);
            return error;
        }
    }
    *ret_handle = file;
    return NULL;
}

static void
flush_window(struct restore_file *file)
{
    const struct span *window = &file->window, *previous = &file->previous;
    if (window->size > 0)
        (void)sync_file_range(file->descriptor, (off_t)window->start, (off_t)window->size,
                              SYNC_FILE_RANGE_WRITE);
    if (previous->size > 0)
        (void)sync_file_range(file->descriptor, (off_t)previous->start, (off_t)previous->size,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
    file->previous = file->window;
}

/* Zeros are not written but promised, where the file system can: sparse files and the tails of
 * tablespaces cost no time. */
static bool
promise_zeros(const struct restore_file *file, const uint8_t *bytes, size_t size, uint64_t offset)
{
    if (size < ZEROS_LEAST || bytes[0] != 0 || memcmp(bytes, bytes + 1, size - 1) != 0)
        return false;
    return fallocate(file->descriptor, FALLOC_FL_ZERO_RANGE, (off_t)offset, (off_t)size) == 0;
}

static struct error *
file_write(void *handle, const void *bytes, size_t size, uint64_t offset)
{
    struct restore_file *file = handle;
    if (promise_zeros(file, bytes, size, offset))
        return NULL;
    for (size_t done = 0; done < size;) {
        ssize_t count = pwrite(file->descriptor, (const char *)bytes + done, size - done,
                               (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_from_errno(errno, "write '%s'", file->path);
        done += (size_t)count;
    }
    struct span *window = &file->window;
    if (offset != window->start + window->size || window->size >= WINDOW_BYTES) {
        flush_window(file);
        *window = (struct span){.start = offset};
    }
    window->size += size;
    return NULL;
}

/* What lay there under this name may have been longer. */
static struct error *
file_finish(void *handle, uint64_t size)
{
    const struct restore_file *file = handle;
    struct stat status;
    if (fstat(file->descriptor, &status) != 0)
        return error_from_errno(errno, "look at '%s'", file->path);
    if ((uint64_t)status.st_size != size && ftruncate(file->descriptor, (off_t)size) != 0)
        return error_from_errno(errno, "set the size of '%s'", file->path);
    if (fsync(file->descriptor) != 0)
        return error_from_errno(errno, "sync '%s'", file->path);
    return NULL;
}

const struct readback_target restore_file_target = {
    .open = file_open, .write = file_write, .finish = file_finish, .close = file_close};
