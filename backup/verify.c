/* A backup is looked at as a restore would, without writing anything. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/restore_file.h"

static struct error *
check_size(struct storage *storage, const struct manifest *manifest, size_t index,
           const char *directory, struct cancel *cancel)
{
    const struct manifest_entry *entry = &manifest->entries[index];
    char object[24];
    uint64_t size;
    snprintf(object, sizeof(object), "%zu", index);
    struct error *error =
        storage->interface->size(storage, cancel, directory, manifest->backup_name, object, &size);
    if (error_is(error, ERROR_NOT_FOUND))
        error->code = ERROR_DATA_LOSS;
    if (error == NULL && entry->has_details && size != entry->stored_bytes)
        error = error_new(ERROR_DATA_LOSS,
                          "backup '%s' is damaged: the object has %" PRIu64
                          " bytes instead of %" PRIu64,
                          manifest->backup_name, size, entry->stored_bytes);
    return error_wrap(error, "verify '%s/%s' from object '%s'", entry->base, entry->name, object);
}

static void
files_done(struct restore_files *files)
{
    free(files->present_bytes);
    kept_free(files->kept);
}

struct error *
backup_verify(struct storage *storage, const struct manifest *manifest,
              const struct backup_verify_options *options, struct cancel *cancel)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", manifest->keyspace, manifest->shard);
    for (size_t i = 0; i < manifest->entry_count; i++)
        TRY(check_size(storage, manifest, i, directory, cancel));
    CLEANUP(files_done)
    struct restore_files files = {.manifest = manifest, .directories = options->present};
    if (options->present != NULL)
        restore_files_look(&files);
    if (options->present != NULL && options->kept_path != NULL)
        files.kept = kept_new(manifest);
    const struct readback_options readback = {
        .storage = storage,
        .manifest = manifest,
        .target = options->present != NULL ? &restore_present_target : NULL,
        .target_data = &files,
        .concurrency = options->concurrency,
        .rate_bytes_per_second = options->rate_bytes_per_second,
        .verb = "verify",
        .past = "verified",
        .on_progress = options->on_progress,
        .progress_data = options->progress_data,
    };
    if (options->mode != BACKUP_VERIFY_FULL)
        return NULL;
    TRY(readback_run(&readback, cancel));
    return files.kept == NULL ? NULL : kept_save(files.kept, options->present, options->kept_path);
}
