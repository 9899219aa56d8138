/* Copying a backup back: folders first, then all files; every byte is checked on the way, and every
 * file is on disk before its checks count. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "backup/restore_file.h"

#define DIRECTORY_MODE 0770

struct restore {
    struct restore_files files;
    struct strv folders; /* that were written to */
};

static struct error *
make_folder(struct restore *restore, const char *path)
{
    /* Files come sorted by folder: looking at the last one spares a search. */
    size_t count = restore->folders.count;
    if (count > 0 && strcmp(restore->folders.items[count - 1], path) == 0)
        return NULL;
    TRY(file_make_directories(path, DIRECTORY_MODE));
    strv_add(&restore->folders, path);
    return NULL;
}

static struct error *
make_folders(struct restore *restore)
{
    const struct manifest *manifest = restore->files.manifest;
    TRY(make_folder(restore, restore->files.directories->data));
    TRY(make_folder(restore, restore->files.directories->innodb_data));
    TRY(make_folder(restore, restore->files.directories->innodb_log));
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        if (backup_directories_of_base(restore->files.directories, entry->base) == NULL ||
            !manifest_name_is_safe(entry->name))
            return error_new(ERROR_INVALID_ARGUMENT, "file '%s/%s' has no place", entry->base,
                             entry->name);
        CLEANUP(freep) char *path = restore_path(restore->files.directories, entry);
        *strrchr(path, '/') = '\0';
        TRY(make_folder(restore, path));
    }
    for (size_t i = 0; i < manifest->empty_directories.count; i++) {
        CLEANUP(freep)
        char *path = xasprintf("%s/%s", restore->files.directories->data,
                               manifest->empty_directories.items[i]);
        TRY(make_folder(restore, path));
    }
    return NULL;
}

static struct error *
sync_folders(const struct restore *restore)
{
    for (size_t i = 0; i < restore->folders.count; i++)
        TRY(file_sync_directory(restore->folders.items[i]));
    return NULL;
}

static void
restore_done(struct restore *restore)
{
    strv_done(&restore->folders);
    free(restore->files.has_room);
    free(restore->files.present_bytes);
    kept_free(restore->files.kept);
}

struct error *
restore_copy(struct storage *storage, const struct manifest *manifest,
             const struct backup_directories *directories, const struct restore_options *options,
             struct cancel *cancel)
{
    CLEANUP(restore_done)
    struct restore restore = {
        .files = {.manifest = manifest,
                  .directories = directories,
                  .has_room = xcalloc(manifest->entry_count + 1, sizeof(atomic_bool))}};
    const struct readback_options readback = {
        .storage = storage,
        .manifest = manifest,
        .target = &restore_file_target,
        .target_data = &restore.files,
        .concurrency = options->concurrency,
        .rate_bytes_per_second = options->rate_bytes_per_second,
        .verb = "restore",
        .past = "restored",
        .on_progress = options->on_progress,
        .progress_data = options->progress_data,
        .kept_bytes = options->kept_bytes,
    };
    TRY(cancel_check(cancel));
    if (options->keeps_matching && options->kept_path != NULL)
        restore.files.kept = kept_load(manifest, directories, options->kept_path);
    TRY(make_folders(&restore));
    if (options->keeps_matching)
        restore_files_look(&restore.files);
    TRY(readback_run(&readback, cancel));
    return sync_folders(&restore);
}
