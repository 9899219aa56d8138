#include "backup/tree.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"

#define BLOCK_UNIT_BYTES 512u /* of st_blocks */
#define DEPTH_MOST 32

static uint64_t
entry_bytes(const char *path, dev_t device, int depth)
{
    struct stat status;
    if (lstat(path, &status) != 0 || status.st_dev != device)
        return 0;
    uint64_t total = (uint64_t)status.st_blocks * BLOCK_UNIT_BYTES;
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    if (!S_ISDIR(status.st_mode) || depth == DEPTH_MOST)
        return total;
    error_free(file_list(path, &names)); /* what cannot be read is not counted */
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(freep) char *entry = xasprintf("%s/%s", path, names.items[i]);
        total += entry_bytes(entry, device, depth + 1);
    }
    return total;
}

uint64_t
tree_allocated_bytes(const char *path)
{
    /* The path itself may be a link: to a volume of its own. */
    CLEANUP(freep) char *real = realpath(path, NULL);
    struct stat status;
    if (real == NULL || stat(real, &status) != 0)
        return 0;
    return entry_bytes(real, status.st_dev, 0);
}

static bool
is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The first of the sorted names that is not before `text`. */
static const char *
find_from(const struct strv *names, const char *text)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(names->items[middle], text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->count ? names->items[low] : "";
}

/* A file of several names is somebody else's too: written in place, it would change there. */
static bool
can_be_rewritten(const char *path, const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_nlink == 1 &&
           faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0;
}

static struct error *
remove_one(const char *path, const char *keep_path, const struct strv *keep_files)
{
    struct stat status;
    if (keep_path != NULL && strcmp(keep_path, path) == 0)
        return NULL;
    if (lstat(path, &status) != 0)
        return file_remove_tree(path);
    CLEANUP(freep) char *inside = xasprintf("%s/", path);
    bool leads_to_keep = keep_path != NULL && is_below(keep_path, path);
    if (leads_to_keep && S_ISLNK(status.st_mode))
        return NULL; /* what is behind it is not ours */
    if (S_ISDIR(status.st_mode) &&
        (leads_to_keep || str_starts_with(find_from(keep_files, inside), inside)))
        return tree_empty(path, keep_path, keep_files);
    if (strcmp(find_from(keep_files, path), path) == 0 && can_be_rewritten(path, &status))
        return NULL;
    return file_remove_tree(path);
}

struct error *
tree_empty(const char *path, const char *keep_path, const struct strv *keep_files)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    if (!file_exists(path))
        return NULL;
    TRY(file_list(path, &names));
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(freep) char *entry = xasprintf("%s/%s", path, names.items[i]);
        TRY(remove_one(entry, keep_path, keep_files));
    }
    return NULL;
}

struct error *
tree_remove_prefixed(const char *prefix)
{
    const char *slash = strrchr(prefix, '/');
    if (slash == NULL || slash[1] == '\0')
        return error_new(ERROR_INVALID_ARGUMENT, "'%s' is no prefix of files", prefix);
    CLEANUP(freep) char *directory = xstrndup(prefix, (size_t)(slash - prefix) + 1);
    CLEANUP(freep) char *start = xasprintf("%s.", slash + 1);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    if (!file_exists(directory))
        return NULL;
    TRY(file_list(directory, &names));
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(freep) char *path = xasprintf("%s%s", directory, names.items[i]);
        if (str_starts_with(names.items[i], start))
            TRY(file_remove(path));
    }
    return NULL;
}
