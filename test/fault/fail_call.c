/* Makes one file system call of a program fail, to be preloaded. Environment:
 *   FAIL_CALL_BELOW   counts calls on paths below this folder, and on what was opened there
 *   FAIL_CALL         which of them fails, from 1 on; 0: none
 *   FAIL_CALL_ERRNO   with what
 *   FAIL_CALL_REPORT  gets "COUNT NAME" at the end: how many calls were counted, and which failed
 * close() fails after it has closed, as on a mount; write() and pwrite() write half first. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DESCRIPTORS 1024

static atomic_uint count;
static atomic_bool is_below[DESCRIPTORS];
static const char *_Atomic failed;

static long
number_of(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : strtol(text, NULL, 10);
}

static bool
is_path_below(const char *path)
{
    const char *folder = getenv("FAIL_CALL_BELOW");
    return folder != NULL && path != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static bool
is_descriptor_below(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS && is_below[descriptor];
}

static int
opened(int descriptor, bool was_below)
{
    if (descriptor >= 0 && descriptor < DESCRIPTORS)
        is_below[descriptor] = was_below;
    return descriptor;
}

/* Is it this call's turn? */
static bool
fails(bool is_counted, const char *name)
{
    if (!is_counted || (long)atomic_fetch_add(&count, 1) + 1 != number_of("FAIL_CALL"))
        return false;
    failed = name;
    errno = (int)number_of("FAIL_CALL_ERRNO");
    return true;
}

__attribute__((destructor)) static void
report(void)
{
    const char *path = getenv("FAIL_CALL_REPORT");
    FILE *file = path == NULL ? NULL : fopen(path, "we");
    if (file == NULL)
        return;
    fprintf(file, "%u %s\n", count, failed == NULL ? "-" : failed);
    fclose(file);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* A function whose first argument, a path or a descriptor, says whether it counts. */
#define WRAP(type, failure, name, is_counted, parameters, ...)                                     \
    type name parameters                                                                           \
    {                                                                                              \
        return fails(is_counted, #name) ? failure : REAL(name)(__VA_ARGS__);                       \
    }

WRAP(int, -1, mkdir, is_path_below(path), (const char *path, mode_t mode), path, mode)
WRAP(int, -1, unlink, is_path_below(path), (const char *path), path)
WRAP(int, -1, stat, is_path_below(path), (const char *path, struct stat *out), path, out)
WRAP(int, -1, lstat, is_path_below(path), (const char *path, struct stat *out), path, out)
WRAP(int, -1, fstat, is_descriptor_below(file), (int file, struct stat *out), file, out)
WRAP(int, -1, statvfs, is_path_below(path), (const char *path, struct statvfs *out), path, out)
WRAP(int, -1, rename, is_path_below(from), (const char *from, const char *to), from, to)
WRAP(int, -1, link, is_path_below(from), (const char *from, const char *to), from, to)
WRAP(int, -1, renameat2, is_path_below(from),
     (int old, const char *from, int new, const char *to, unsigned int flags), old, from, new, to,
     flags)
WRAP(int, -1, unlinkat, is_descriptor_below(folder), (int folder, const char *path, int flags),
     folder, path, flags)
WRAP(int, -1, faccessat, is_path_below(path), (int folder, const char *path, int mode, int flags),
     folder, path, mode, flags)
WRAP(int, -1, fsync, is_descriptor_below(file), (int file), file)
WRAP(int, -1, ftruncate, is_descriptor_below(file), (int file, off_t size), file, size)
WRAP(int, -1, fallocate, is_descriptor_below(file), (int file, int mode, off_t at, off_t size),
     file, mode, at, size)
WRAP(ssize_t, -1, read, is_descriptor_below(file), (int file, void *data, size_t size), file, data,
     size)
WRAP(ssize_t, -1, pread, is_descriptor_below(file), (int file, void *data, size_t size, off_t at),
     file, data, size, at)
WRAP(struct dirent *, NULL, readdir, is_descriptor_below(dirfd(folder)), (DIR * folder), folder)

DIR *
opendir(const char *path)
{
    bool is_counted = is_path_below(path);
    DIR *folder = fails(is_counted, "opendir") ? NULL : REAL(opendir)(path);
    if (folder != NULL)
        opened(dirfd(folder), is_counted);
    return folder;
}

int
closedir(DIR *folder)
{
    opened(dirfd(folder), false);
    return REAL(closedir)(folder);
}

ssize_t
write(int file, const void *data, size_t size)
{
    if (!fails(is_descriptor_below(file), "write"))
        return REAL(write)(file, data, size);
    int value = errno;
    (void)!REAL(write)(file, data, size / 2);
    errno = value;
    return -1;
}

ssize_t
pwrite(int file, const void *data, size_t size, off_t at)
{
    if (!fails(is_descriptor_below(file), "pwrite"))
        return REAL(pwrite)(file, data, size, at);
    int value = errno;
    (void)!REAL(pwrite)(file, data, size / 2, at);
    errno = value;
    return -1;
}

int
close(int file)
{
    bool is_counted = is_descriptor_below(file);
    opened(file, false);
    int result = REAL(close)(file);
    return fails(is_counted, "close") ? -1 : result;
}

int
open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    bool is_counted = is_path_below(path);
    return fails(is_counted, "open") ? -1 : opened(REAL(open)(path, flags, mode), is_counted);
}

int
openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    bool is_counted = is_descriptor_below(folder) || is_path_below(path);
    return fails(is_counted, "openat")
               ? -1
               : opened(REAL(openat)(folder, path, flags, mode), is_counted);
}
