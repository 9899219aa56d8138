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

#include <isa-l/crc.h>
#include <isa-l/crc64.h>

#define FILE_MODE 0660
#define WINDOW_BYTES (8u << 20)
#define ZEROS_LEAST 16384u
#define READ_BLOCK_BYTES (256u * 1024)
#define COMPARE_BYTES 16384u /* a page of most servers */

struct span {
    uint64_t start, size;
};
struct restore_file {
    char *path;
    int descriptor;
    bool keeps_matching;
    uint64_t present_bytes;
    size_t entry;
    struct kept *kept;
    uint8_t *old;                 /* bytes that lay there, to compare with; made when needed */
    struct span window, previous; /* written; and on its way to the disk */
};

void
restore_files_look(struct restore_files *files)
{
    files->present_bytes = xcalloc(files->manifest->entry_count + 1, sizeof(uint64_t));
    for (size_t i = 0; i < files->manifest->entry_count; i++) {
        CLEANUP(freep)
        char *path = restore_path(files->directories, &files->manifest->entries[i]);
        struct stat status;
        if (lstat(path, &status) == 0 && S_ISREG(status.st_mode))
            files->present_bytes[i] = (uint64_t)status.st_size;
    }
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
    closep(&file->descriptor);
    free(file->old);
    free(file->path);
    free(file);
}

static struct error *
file_open(void *data, size_t entry_index, void **ret_handle)
{
    struct restore_files *files = data;
    const struct manifest_entry *entry = &files->manifest->entries[entry_index];
    CLEANUP(freep) char *path = restore_path(files->directories, entry);
    int descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (descriptor < 0)
        return error_from_errno(errno, "create '%s'", path);
    struct restore_file *file = xcalloc(1, sizeof(*file));
    file->descriptor = descriptor;
    file->keeps_matching = files->present_bytes != NULL;
    if (file->keeps_matching)
        file->present_bytes = files->present_bytes[entry_index];
    file->entry = entry_index;
    file->kept = files->kept;
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
put(struct restore_file *file, const uint8_t *bytes, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = pwrite(file->descriptor, bytes + done, size - done, (off_t)(offset + done));
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

/* False: it cannot be said what lies there. */
static bool
read_old(struct restore_file *file, size_t size, uint64_t offset)
{
    if (file->old == NULL)
        file->old = xmalloc(READ_BLOCK_BYTES);
    for (size_t done = 0; done < size;) {
        ssize_t count =
            pread(file->descriptor, file->old + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

static size_t
block_at(size_t at, size_t size)
{
    return size - at < COMPARE_BYTES ? size - at : COMPARE_BYTES;
}

static bool
is_same(const struct restore_file *file, const uint8_t *bytes, size_t size, size_t at)
{
    return memcmp(file->old + at, bytes + at, block_at(at, size)) == 0;
}

/* Over old data: what is right already stays where it is, and is not written again. */
static struct error *
put_differing(struct restore_file *file, const uint8_t *bytes, size_t size, uint64_t offset)
{
    if (!read_old(file, size, offset))
        return put(file, bytes, size, offset);
    for (size_t at = 0; at < size;) {
        size_t start = at;
        while (at < size && !is_same(file, bytes, size, at))
            at += block_at(at, size);
        if (at > start)
            TRY(put(file, bytes + start, at - start, offset + start));
        else
            at += block_at(at, size);
    }
    return NULL;
}

static struct error *
file_write(void *handle, const void *data, size_t size, uint64_t offset)
{
    struct restore_file *file = handle;
    const uint8_t *bytes = data;
    if (promise_zeros(file, bytes, size, offset))
        return NULL;
    while (size > 0) {
        size_t part = size < READ_BLOCK_BYTES ? size : READ_BLOCK_BYTES;
        bool is_old = file->keeps_matching && offset + part <= file->present_bytes;
        TRY(is_old ? put_differing(file, bytes, part, offset) : put(file, bytes, part, offset));
        bytes += part;
        offset += part;
        size -= part;
    }
    return NULL;
}

/* A hole: nothing was ever written there. */
static bool
is_hole(const struct restore_file *file, uint64_t offset, uint64_t size)
{
    off_t data = lseek(file->descriptor, (off_t)offset, SEEK_DATA);
    return (data < 0 && errno == ENXIO) || (data >= 0 && (uint64_t)data >= offset + size);
}

static bool
sum_up(const struct restore_file *file, uint64_t offset, uint64_t size, uint32_t *crc32,
       uint64_t *crc64)
{
    CLEANUP(freep) char *block = xmalloc(READ_BLOCK_BYTES);
    while (size > 0) {
        size_t wanted = size < READ_BLOCK_BYTES ? (size_t)size : READ_BLOCK_BYTES;
        ssize_t count = pread(file->descriptor, block, wanted, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        *crc32 = crc32_gzip_refl(*crc32, (unsigned char *)block, (uint64_t)count);
        *crc64 = crc64_ecma_refl(*crc64, (unsigned char *)block, (uint64_t)count);
        offset += (uint64_t)count;
        size -= (uint64_t)count;
    }
    return true;
}

/* What is on the disk counts, not what a write that failed has left in memory. */
static bool
holds(const struct restore_file *file, uint64_t offset, uint64_t size, uint32_t crc32,
      uint64_t crc64)
{
    uint32_t found32 = 0;
    uint64_t found64 = 0;
    if (!file->keeps_matching || file->present_bytes < size ||
        file->present_bytes - size < offset || (size > 0 && is_hole(file, offset, size)))
        return false;
    (void)posix_fadvise(file->descriptor, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
    (void)posix_fadvise(file->descriptor, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
    bool is_read = sum_up(file, offset, size, &found32, &found64); /* else it is written anew */
    (void)posix_fadvise(file->descriptor, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
    return is_read && found32 == crc32 && found64 == crc64;
}

static bool
file_holds(void *handle, uint64_t offset, uint64_t size, uint32_t crc32, uint64_t crc64)
{
    const struct restore_file *file = handle;
    if (file->keeps_matching && file->kept != NULL)
        return kept_has(file->kept, file->entry, offset);
    return holds(file, offset, size, crc32, crc64);
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

const struct readback_target restore_file_target = {.open = file_open,
                                                    .write = file_write,
                                                    .finish = file_finish,
                                                    .close = file_close,
                                                    .holds = file_holds};

/* ---- Only looking ---- */
static struct error *
present_open(void *data, size_t entry_index, void **ret_handle)
{
    struct restore_files *files = data;
    struct restore_file *file = xcalloc(1, sizeof(*file));
    file->path = restore_path(files->directories, &files->manifest->entries[entry_index]);
    file->descriptor = open(file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    file->keeps_matching = file->descriptor >= 0;
    file->present_bytes = files->present_bytes[entry_index];
    file->entry = entry_index;
    file->kept = files->kept;
    *ret_handle = file;
    return NULL;
}

static struct error *
present_write(void *handle, const void *bytes, size_t size, uint64_t offset)
{
    (void)handle, (void)bytes, (void)size, (void)offset;
    return NULL;
}

static struct error *
present_finish(void *handle, uint64_t size)
{
    (void)handle, (void)size;
    return NULL;
}

static bool
present_holds(void *handle, uint64_t offset, uint64_t size, uint32_t crc32, uint64_t crc64)
{
    const struct restore_file *file = handle;
    bool is_kept = holds(file, offset, size, crc32, crc64);
    if (is_kept && file->kept != NULL)
        kept_set(file->kept, file->entry, offset);
    return is_kept;
}

const struct readback_target restore_present_target = {.open = present_open,
                                                       .write = present_write,
                                                       .finish = present_finish,
                                                       .close = file_close,
                                                       .holds = present_holds};
