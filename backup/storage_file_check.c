/* A file storage's own rows, and its probe: a hidden file beside the backups' folders, where nobody
 * takes it for one. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "backup/mount.h"
#include "backup/mount_calls.h"
#include "backup/storage_check.h"
#include "backup/storage_file.h"

#define FOLDER_MODE 0770
#define PROBE_MODE 0660
#define SLOW_PROBE_MS 1000
#define OLD_PROBE_S 3600
#define COMPRESSION_MOST 4

static char *
probe_path(struct storage *storage, const char *directory, const char *name)
{
    return xasprintf("%s/%s/%s", ((struct storage_file *)storage)->root, directory, name);
}

/* Those of checks that were killed. */
static void
remove_old_probes(struct io_watch *watch, const char *folder)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    CLEANUP(error_freep) struct error *error = mount_list(watch, folder, &names);
    for (size_t i = 0; error == NULL && i < names.count; i++) {
        struct stat status;
        CLEANUP(freep) char *path = xasprintf("%s/%s", folder, names.items[i]);
        if (!str_starts_with(names.items[i], ".probe-"))
            continue;
        error = mount_stat(watch, path, &status);
        if (error == NULL && clock_wall_ns() / 1000000000 - status.st_mtime > OLD_PROBE_S)
            error = mount_remove(watch, path);
    }
}

struct error *
storage_file_probe_write(struct storage *storage, struct cancel *cancel, const char *directory,
                         const char *name, const void *data, size_t size)
{
    struct io_watch *watch = ((struct storage_file *)storage)->watch;
    CLEANUP(freep)
    char *folder = xasprintf("%s/%s", ((struct storage_file *)storage)->root, directory);
    CLEANUP(freep) char *path = probe_path(storage, directory, name);
    int descriptor;
    TRY(cancel_check(cancel));
    TRY(mount_make_folders(watch, folder, FOLDER_MODE));
    remove_old_probes(watch, folder);
    TRY(mount_open(watch, path, O_WRONLY | O_CREAT | O_EXCL, PROBE_MODE, &descriptor));
    struct error *error = mount_write(watch, path, descriptor, data, size);
    if (error == NULL)
        error = mount_sync_and_close(watch, path, descriptor, size);
    else
        mount_close(watch, path, descriptor);
    return error == NULL ? NULL : error_first(error, mount_remove(watch, path));
}

/* From the storage, not from our memory of it, where the kernel lets us ask for that. */
struct error *
storage_file_probe_read(struct storage *storage, struct cancel *cancel, const char *directory,
                        const char *name, size_t size, struct buffer *buffer)
{
    struct io_watch *watch = ((struct storage_file *)storage)->watch;
    CLEANUP(freep) char *path = probe_path(storage, directory, name);
    int descriptor;
    size_t count = 0;
    TRY(cancel_check(cancel));
    TRY(mount_open(watch, path, O_RDONLY, 0, &descriptor));
    (void)posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    buffer_reserve(buffer, size + 1);
    struct error *error = mount_read(watch, path, &descriptor, buffer->data, size, 0, &count);
    buffer->length_bytes = error == NULL ? count : 0;
    mount_close(watch, path, descriptor);
    return error;
}

struct error *
storage_file_probe_delete(struct storage *storage, struct cancel *cancel, const char *directory,
                          const char *name)
{
    CLEANUP(freep) char *path = probe_path(storage, directory, name);
    TRY(cancel_check(cancel));
    return mount_remove(((struct storage_file *)storage)->watch, path);
}

/* ---- Rows ---- */

static const struct storage_file *
file_of(const struct storage_subject *subject)
{
    return (const struct storage_file *)subject->storage;
}

static bool
is_nfs(const struct mount *mount)
{
    return str_starts_with(mount->type, "nfs");
}

/* What bites sooner or later. */
static void
judge_options(const struct mount *mount, struct check_result *result)
{
    CLEANUP(freep)
    char *what = xasprintf("'%s' is %s of %s (%.200s)", mount->folder, mount->type, mount->source,
                           mount->options);
    if (mount_has_option(mount, "ro"))
        check_fail(result,
                   error_new(ERROR_FAILED_PRECONDITION, "%s: it is mounted read-only", what),
                   "mount it read-write");
    else if (is_nfs(mount) && mount_has_option(mount, "soft"))
        check_warn(result, "mount it 'hard': --storage-timeout bounds the waiting",
                   "%s: 'soft' turns a slow server into lost writes", what);
    else if (is_nfs(mount) && mount_has_option(mount, "async"))
        check_warn(result, "mount it without 'async'", "%s: 'async' delays errors", what);
    else if (is_nfs(mount) && !mount_has_option(mount, "nolock"))
        check_ok(result, "%s; a new name may stay hidden for %" PRId64 " s", what,
                 mount_cache_ms(mount) / 1000);
    else
        check_ok(result, "%s", what);
}

static struct error *
find_mount(const struct storage_subject *subject, struct mount *ret_mount)
{
    CLEANUP(freep) char *real = realpath(file_of(subject)->root, NULL);
    return mount_find(real != NULL ? real : file_of(subject)->root, ret_mount);
}

static void
check_mount(void *data, struct cancel *cancel, struct check_result *result)
{
    CLEANUP(mount_done) struct mount mount = {.folder = NULL};
    (void)cancel;
    struct error *error = find_mount(data, &mount);
    if (error == NULL)
        judge_options(&mount, result);
    else
        check_fail(result, error, "");
}

static void
check_own_disk(void *data, struct cancel *cancel, struct check_result *result)
{
    CLEANUP(mount_done) struct mount mount = {.folder = NULL};
    (void)cancel;
    struct error *error = find_mount(data, &mount);
    if (error != NULL)
        check_fail(result, error, "");
    else if (strcmp(mount.folder, "/") != 0)
        check_ok(result, "it is a mount of its own");
    else
        check_warn(result, "keep backups on another disk or machine",
                   "backups are kept on the root file system of this machine");
}

static void
check_speed(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct storage_subject *subject = data;
    (void)cancel;
    if (subject->written_ms < SLOW_PROBE_MS)
        check_ok(result, "%" PRId64 " ms", subject->written_ms);
    else
        check_warn(result, "look at the file server and the network",
                   "a small durable write took %" PRId64 " ms", subject->written_ms);
}

/* Compressed, data take less; by how much only a backup tells. */
static uint64_t
needed_bytes(const struct storage_subject *subject)
{
    return subject->stored_bytes != 0 ? subject->stored_bytes
                                      : subject->data_bytes / COMPRESSION_MOST;
}

static void
judge_space(const struct storage_subject *subject, const struct statvfs *space,
            struct check_result *result)
{
    unsigned long long free_bytes = (unsigned long long)space->f_bavail * space->f_frsize;
    unsigned long long needed = needed_bytes(subject);
    unsigned long long size =
        subject->stored_bytes != 0 ? subject->stored_bytes : subject->data_bytes;
    const char *like = subject->stored_bytes != 0 ? "the last backup took" : "the data are";
    if (space->f_files != 0 && space->f_favail == 0)
        check_fail(result,
                   error_new(ERROR_RESOURCE_EXHAUSTED,
                             "backup storage is full: '%s' has no free inodes",
                             file_of(subject)->root),
                   "expire backups ('vtagent ctl ExpireBackups')");
    else if (free_bytes < needed)
        check_warn(result, "expire backups ('vtagent ctl ExpireBackups') or enlarge the storage",
                   "%llu MB are free, %s %llu MB", free_bytes >> 20, like, size >> 20);
    else
        check_ok(result, "%llu MB are free, %s %llu MB", free_bytes >> 20, like, size >> 20);
}

static void
check_space(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct storage_subject *subject = data;
    struct statvfs space;
    (void)cancel;
    struct error *error = mount_space(file_of(subject)->watch, file_of(subject)->root, &space);
    if (error == NULL)
        judge_space(subject, &space, result);
    else
        check_fail(result, error, "");
}

static const struct check rows[] = {
    {"storage-mount", NULL, false, check_mount},
    {"storage-own-disk", "storage-mount", true, check_own_disk},
    {"storage-list", NULL, false, storage_check_list},
    {"storage-create", NULL, false, storage_check_create},
    {"storage-read", "storage-create", false, storage_check_read},
    {"storage-delete", "storage-create", false, storage_check_delete},
    {"storage-speed", "storage-create", true, check_speed},
    {"storage-space", NULL, false, check_space},
};
const struct check_table storage_file_checks = {rows, ARRAY_LENGTH(rows)};
