#include "agent/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct error *
file_read(const char *path, size_t limit_bytes, struct buffer *buffer)
{
    CLEANUP(closep) int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_from_errno(errno, "read '%s'", path);
    size_t total = 0;
    for (;;) {
        buffer_reserve(buffer, 65536);
        ssize_t count = read(descriptor, buffer->data + buffer->length_bytes, 65536);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_from_errno(errno, "read '%s'", path);
        buffer->length_bytes += (size_t)count;
        buffer->data[buffer->length_bytes] = '\0';
        total += (size_t)count;
        if (total > limit_bytes)
            return error_new(ERROR_RESOURCE_EXHAUSTED, "'%s' is larger than %zu bytes", path,
                             limit_bytes);
        if (count == 0)
            return NULL;
    }
}

struct error *
file_write_all(int descriptor, const void *data, size_t size, const char *name)
{
    const char *at = data;
    while (size > 0) {
        ssize_t count = write(descriptor, at, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_from_errno(errno, "write '%s'", name);
        at += count;
        size -= (size_t)count;
    }
    return NULL;
}

static char *
directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

struct error *
file_sync_directory(const char *path)
{
    CLEANUP(closep) int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return error_from_errno(errno, "open folder '%s'", path);
    if (fsync(descriptor) != 0 && errno != EINVAL)
        return error_from_errno(errno, "sync folder '%s'", path);
    return NULL;
}

static struct error *
write_and_sync(const char *path, const void *data, size_t size, mode_t mode)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (descriptor < 0)
        return error_from_errno(errno, "create '%s'", path);
    struct error *error = file_write_all(descriptor, data, size, path);
    if (error == NULL && fsync(descriptor) != 0)
        error = error_from_errno(errno, "sync '%s'", path);
    if (close(descriptor) != 0 && error == NULL)
        error = error_from_errno(errno, "close '%s'", path);
    return error;
}

struct error *
file_write_safely(const char *path, const void *data, size_t size, mode_t mode)
{
    CLEANUP(freep) char *temporary = xasprintf("%s.%d.tmp", path, (int)getpid());
    CLEANUP(freep) char *directory = directory_of(path);
    struct error *error = write_and_sync(temporary, data, size, mode);
    if (error == NULL && rename(temporary, path) != 0)
        error = error_from_errno(errno, "rename '%s' to '%s'", temporary, path);
    if (error != NULL) {
        unlink(temporary);
        return error;
    }
    return file_sync_directory(directory);
}

struct error *
file_make_directories(const char *path, mode_t mode)
{
    CLEANUP(freep) char *partial = xstrdup(path);
    for (char *slash = partial + 1; *partial != '\0'; slash++) {
        slash = strchrnul(slash, '/');
        bool is_last = *slash == '\0';
        *slash = '\0';
        if (mkdir(partial, mode) != 0 && errno != EEXIST)
            return error_from_errno(errno, "create folder '%s'", partial);
        if (is_last)
            break;
        *slash = '/';
    }
    if (!file_is_directory(path))
        return error_new(ERROR_FAILED_PRECONDITION, "'%s' is not a folder", path);
    return NULL;
}

static struct error *remove_entries(int descriptor, const char *path);

static struct error *
remove_entry(int parent, const char *name, const char *path)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return NULL;
    if (errno != EISDIR && errno != EPERM)
        return error_from_errno(errno, "remove '%s'", path);
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return error_from_errno(errno, "open folder '%s'", path);
    TRY(remove_entries(descriptor, path));
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return error_from_errno(errno, "remove folder '%s'", path);
    return NULL;
}

/* Takes the descriptor. */
static struct error *
remove_entries(int descriptor, const char *path)
{
    CLEANUP(closedirp) DIR *directory = fdopendir(descriptor);
    if (directory == NULL) {
        int value = errno;
        close(descriptor);
        return error_from_errno(value, "list '%s'", path);
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        CLEANUP(freep) char *entry_path = xasprintf("%s/%s", path, entry->d_name);
        TRY(remove_entry(dirfd(directory), entry->d_name, entry_path));
    }
    return NULL;
}

struct error *
file_remove_tree(const char *path)
{
    return remove_entry(AT_FDCWD, path, path);
}

struct error *
file_remove(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return error_from_errno(errno, "remove '%s'", path);
    return NULL;
}

bool
file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool
file_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

struct error *
file_list(const char *path, struct strv *ret_names)
{
    CLEANUP(closedirp) DIR *directory = opendir(path);
    if (directory == NULL)
        return error_from_errno(errno, "list '%s'", path);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            strv_add(&names, entry->d_name);
        errno = 0;
    }
    if (errno != 0)
        return error_from_errno(errno, "list '%s'", path);
    strv_sort(&names);
    *ret_names = names;
    names = (struct strv){.items = NULL};
    return NULL;
}

struct error *
file_system_space(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    struct statvfs status;
    if (statvfs(path, &status) != 0)
        return error_from_errno(errno, "look at the file system of '%s'", path);
    *ret_free = (uint64_t)status.f_bavail * status.f_frsize;
    *ret_total = (uint64_t)status.f_blocks * status.f_frsize;
    return NULL;
}
