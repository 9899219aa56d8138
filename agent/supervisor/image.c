#include "agent/supervisor/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"

#define MOST_FILES 200000u
#define MOST_DEPTH 8

struct image_file {
    char *name; /* absolute source */
    ino_t inode;
    int source, target;
    bool is_redo;
};

struct image_plan {
    const struct image_root *roots;
    size_t root_count;
    char *staging;
    struct image_file *files;
    size_t file_count;
    uint64_t bytes;
    struct rlimit limit; /* before */
    bool has_limit;
};

static bool
is_left_out(const char *name)
{
    return str_starts_with(name, "#innodb_temp") || str_starts_with(name, "ibtmp") ||
           str_ends_with(name, ".pid") || str_ends_with(name, ".sock") ||
           str_ends_with(name, ".lock") || strcmp(name, "lost+found") == 0;
}

static bool
is_redo(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return str_starts_with(name, "ib_logfile") || strstr(path, "/#innodb_redo/") != NULL ||
           str_starts_with(name, "aria_log");
}

/* Calls `visit` for every folder and regular file below `path`; `relative` is its place below the
 * root. */
typedef struct error *(*visit_function)(const char *path, const char *relative,
                                        const struct stat *status, void *data);

static struct error *
walk(const char *path, const char *relative, int depth, visit_function visit, void *data)
{
    if (depth > MOST_DEPTH)
        return error_new(ERROR_FAILED_PRECONDITION, "'%s' is nested too deeply", path);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(file_list(path, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (is_left_out(names.items[i]))
            continue;
        CLEANUP(freep) char *child = xasprintf("%s/%s", path, names.items[i]);
        CLEANUP(freep) char *place = xasprintf("%s/%s", relative, names.items[i]);
        struct stat status;
        if (lstat(child, &status) != 0)
            return errno == ENOENT ? error_new(ERROR_ABORTED, "'%s' vanished", child)
                                   : error_from_errno(errno, "look at '%s'", child);
        if (S_ISDIR(status.st_mode)) {
            TRY(visit(child, place, &status, data));
            TRY(walk(child, place, depth + 1, visit, data));
        } else if (S_ISREG(status.st_mode)) {
            TRY(visit(child, place, &status, data));
        }
    }
    return NULL;
}

static struct error *
share(int source, int target, const char *name)
{
    if (ioctl(target, FICLONE, source) != 0)
        return error_from_errno(errno, "share the blocks of '%s'", name);
    return NULL;
}

/* Owner and mode as the source's. */
static struct error *
create_target(const char *path, const struct stat *status, int *ret_descriptor)
{
    CLEANUP(closep) int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return error_from_errno(errno, "create '%s'", path);
    if (fchmod(to, status->st_mode & 0777) != 0)
        return error_from_errno(errno, "set the mode of '%s'", path);
    *ret_descriptor = to;
    to = -1;
    return NULL;
}

static struct error *
add_file(struct image_plan *plan, const char *path, const char *target, const struct stat *status)
{
    if (plan->file_count >= MOST_FILES)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "more than %u files to share", MOST_FILES);
    CLEANUP(closep) int from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0)
        return errno == ENOENT ? error_new(ERROR_ABORTED, "'%s' vanished", path)
                               : error_from_errno(errno, "open '%s'", path);
    CLEANUP(closep) int to = -1;
    TRY(create_target(target, status, &to));
    plan->bytes += (uint64_t)status->st_size;
    plan->files = xreallocarray(plan->files, plan->file_count + 1, sizeof(struct image_file));
    plan->files[plan->file_count++] = (struct image_file){
        .name = xstrdup(path),
        .inode = status->st_ino,
        .source = from,
        .target = to,
        .is_redo = is_redo(path),
    };
    from = to = -1;
    return NULL;
}

static struct error *
plan_entry(const char *path, const char *relative, const struct stat *status, void *data)
{
    struct image_plan *plan = data;
    CLEANUP(freep) char *target = xasprintf("%s/%s", plan->staging, relative);
    if (!S_ISDIR(status->st_mode))
        return add_file(plan, path, target, status);
    if ((mkdir(target, 0700) != 0 && errno != EEXIST) || chmod(target, status->st_mode & 0777) != 0)
        return error_from_errno(errno, "create folder '%s'", target);
    return NULL;
}

static struct error *
plan_root(struct image_plan *plan, const struct image_root *root)
{
    CLEANUP(freep) char *folder = xasprintf("%s/%s", plan->staging, root->target);
    struct stat status;
    if (stat(root->source, &status) != 0)
        return error_from_errno(errno, "look at '%s'", root->source);
    TRY(file_make_directories(folder, status.st_mode & 0777));
    return walk(root->source, root->target, 0, plan_entry, plan);
}

/* Two descriptors a file. The limit is raised only while a plan exists: mysqld would inherit it. */
static void
raise_limit(struct image_plan *plan)
{
    struct rlimit raised;
    if (getrlimit(RLIMIT_NOFILE, &plan->limit) != 0)
        return;
    raised = plan->limit;
    raised.rlim_cur = raised.rlim_max;
    plan->has_limit = setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

struct error *
image_plan_new(const struct image_root *roots, size_t root_count, const char *staging,
               struct image_plan **ret_plan)
{
    if (file_exists(staging))
        return error_new(ERROR_ALREADY_EXISTS, "the staging folder '%s' exists already", staging);
    CLEANUP(image_plan_freep) struct image_plan *plan = xcalloc(1, sizeof(*plan));
    plan->roots = roots;
    plan->root_count = root_count;
    plan->staging = xstrdup(staging);
    raise_limit(plan);
    for (size_t i = 0; i < root_count; i++)
        TRY(plan_root(plan, &roots[i]));
    *ret_plan = plan;
    plan = NULL;
    return NULL;
}

struct listing {
    const struct image_plan *plan;
    size_t count;
};

/* Files are met in the order in which they were planned. */
static struct error *
compare_entry(const char *path, const char *relative, const struct stat *status, void *data)
{
    (void)relative;
    struct listing *listing = data;
    if (S_ISDIR(status->st_mode))
        return NULL;
    const struct image_plan *plan = listing->plan;
    const struct image_file *file =
        listing->count < plan->file_count ? &plan->files[listing->count] : NULL;
    if (file == NULL || file->inode != status->st_ino || strcmp(file->name, path) != 0)
        return error_new(ERROR_ABORTED, "the files changed while the image was prepared: '%s'",
                         path);
    listing->count++;
    return NULL;
}

static struct error *
check_is_current(const struct image_plan *plan)
{
    struct listing listing = {.plan = plan};
    for (size_t i = 0; i < plan->root_count; i++)
        TRY(walk(plan->roots[i].source, plan->roots[i].target, 0, compare_entry, &listing));
    if (listing.count != plan->file_count)
        return error_new(ERROR_ABORTED, "files vanished while the image was prepared");
    return NULL;
}

struct error *
image_plan_share(struct image_plan *plan)
{
    TRY(check_is_current(plan));
    for (int redo = 0; redo <= 1; redo++) {
        for (size_t i = 0; i < plan->file_count; i++) {
            const struct image_file *file = &plan->files[i];
            if (file->is_redo == (redo == 1))
                TRY(share(file->source, file->target, file->name));
        }
    }
    return NULL;
}

/* A file without a name: a data folder that is being initialised must stay empty. */
static int
open_unnamed(const char *folder)
{
    return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static struct error *
share_unnamed(const char *source, const char *staging)
{
    const char *slash = strrchr(staging, '/');
    CLEANUP(freep)
    char *folder = slash != NULL ? xstrndup(staging, (size_t)(slash - staging)) : xstrdup(".");
    CLEANUP(closep) int from = open_unnamed(source);
    CLEANUP(closep) int to = from < 0 ? -1 : open_unnamed(folder);
    if (from < 0 || to < 0)
        return error_from_errno(errno, "create a nameless file in '%s'",
                                from < 0 ? source : folder);
    char block[4096] = {1};
    TRY(file_write_all(from, block, sizeof(block), source));
    return share(from, to, source);
}

struct error *
image_probe(const char *source, const char *staging)
{
    CLEANUP(error_freep) struct error *error = share_unnamed(source, staging);
    if (error == NULL)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "the file system of '%s' cannot share blocks (XFS with reflink=1 or btrfs "
                     "can): %s",
                     source, error->message);
}

size_t
image_plan_file_count(const struct image_plan *plan)
{
    return plan->file_count;
}

uint64_t
image_plan_bytes(const struct image_plan *plan)
{
    return plan->bytes;
}

void
image_plan_free(struct image_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->file_count; i++) {
        free(plan->files[i].name);
        closep(&plan->files[i].source);
        closep(&plan->files[i].target);
    }
    if (plan->has_limit)
        setrlimit(RLIMIT_NOFILE, &plan->limit);
    free(plan->files);
    free(plan->staging);
    free(plan);
}

void
image_plan_freep(struct image_plan **plan)
{
    image_plan_free(*plan);
    *plan = NULL;
}
