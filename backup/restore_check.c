/* What can be known before local data is deleted is checked before it is deleted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/file.h"
#include "backup/backup.h"
#include "backup/codec.h"
#include "backup/manifest.h"
#include "backup/tree.h"

enum { BASE_COUNT = 3 };
static const char *const bases[BASE_COUNT] = {"Data", "InnoDBData", "InnoDBLog"};

/* One file system that takes part of the data. */
struct space_need {
    char *path; /* an existing directory in it */
    dev_t device;
    uint64_t needed_bytes, freed_bytes;
};

static struct error *
check_object(struct storage *storage, const struct manifest *manifest, size_t index,
             const char *directory, struct cancel *cancel, uint64_t *ret_stored_bytes)
{
    const struct manifest_entry *entry = &manifest->entries[index];
    char object[24];
    uint64_t size;
    snprintf(object, sizeof(object), "%zu", index);
    struct error *error =
        storage->interface->size(storage, cancel, directory, manifest->backup_name, object, &size);
    if (error_is(error, ERROR_NOT_FOUND))
        error->code = ERROR_DATA_LOSS;
    if (error != NULL)
        return error_wrap(error, "backup '%s' is damaged: object '%s' ('%s/%s')",
                          manifest->backup_name, object, entry->base, entry->name);
    if (entry->has_details && size != entry->stored_bytes)
        return error_new(ERROR_DATA_LOSS,
                         "backup '%s' is damaged: object '%s' ('%s/%s') has %" PRIu64
                         " bytes instead of %" PRIu64,
                         manifest->backup_name, object, entry->base, entry->name, size,
                         entry->stored_bytes);
    *ret_stored_bytes = size;
    return NULL;
}

/* The first object shows whether an unknown engine's name hides a stream that we know. */
static struct error *
check_compression(struct storage *storage, const struct manifest *manifest, const char *directory,
                  struct cancel *cancel)
{
    const struct codec *codec;
    if (manifest->skips_compress)
        return NULL;
    CLEANUP(error_freep) struct error *unknown = codec_find(manifest->compression_engine, &codec);
    if (unknown == NULL)
        return NULL;
    struct storage_reader *reader;
    unsigned char start[CODEC_MAGIC_BYTES];
    size_t count = 0;
    TRY(storage->interface->open_read(storage, cancel, directory, manifest->backup_name, "0",
                                      &reader));
    struct error *error = storage->interface->read(reader, start, sizeof(start), &count);
    storage->interface->close_read(reader);
    TRY(error);
    if (codec_sniff(start, count) != NULL)
        return NULL;
    error = error_wrap(unknown, "backup '%s' cannot be read", manifest->backup_name);
    error->code = ERROR_FAILED_PRECONDITION;
    unknown = NULL;
    return error;
}

/* The directory itself may not be there yet: its file system is that of the nearest one above. */
static char *
existing_ancestor(const char *path)
{
    char *ancestor = xstrdup(path);
    while (!file_exists(ancestor)) {
        char *slash = strrchr(ancestor, '/');
        if (slash == NULL || slash == ancestor) {
            str_replace(&ancestor, "/");
            break;
        }
        *slash = '\0';
    }
    return ancestor;
}

/* NULL when the path cannot be looked at. At most BASE_COUNT devices are asked for. */
static struct space_need *
find_need(struct space_need needs[BASE_COUNT], const char *path)
{
    CLEANUP(freep) char *ancestor = existing_ancestor(path);
    struct stat status;
    if (stat(ancestor, &status) != 0)
        return NULL;
    for (size_t i = 0; i < BASE_COUNT; i++) {
        if (needs[i].path != NULL && needs[i].device != status.st_dev)
            continue;
        if (needs[i].path == NULL) {
            needs[i].path = ancestor;
            needs[i].device = status.st_dev;
            ancestor = NULL;
        }
        return &needs[i];
    }
    return NULL;
}

static struct error *
check_free(const struct space_need *need)
{
    uint64_t free_bytes, total_bytes;
    TRY(file_system_space(need->path, &free_bytes, &total_bytes));
    if (need->needed_bytes <= free_bytes + need->freed_bytes)
        return NULL;
    return error_new(ERROR_RESOURCE_EXHAUSTED,
                     "the file system of '%s' is too small for the backup: it needs %" PRIu64
                     " bytes, %" PRIu64 " are free and %" PRIu64
                     " would become free by deleting the present data",
                     need->path, need->needed_bytes, free_bytes, need->freed_bytes);
}

static struct error *
check_space(const struct backup_directories *directories, const uint64_t needed[BASE_COUNT])
{
    struct space_need needs[BASE_COUNT] = {{.path = NULL}};
    struct error *error = NULL;
    for (size_t i = 0; i < BASE_COUNT && error == NULL; i++) {
        const char *path = backup_directories_of_base(directories, bases[i]);
        struct space_need *need = find_need(needs, path);
        if (need == NULL) {
            error = error_new(ERROR_FAILED_PRECONDITION, "'%s' cannot be looked at", path);
            break;
        }
        need->needed_bytes += needed[i];
        bool is_counted = false; /* two bases may share a directory */
        for (size_t j = 0; j < i; j++)
            is_counted =
                is_counted || strcmp(backup_directories_of_base(directories, bases[j]), path) == 0;
        if (!is_counted)
            need->freed_bytes += tree_allocated_bytes(path);
    }
    for (size_t i = 0; i < BASE_COUNT && error == NULL && needs[i].path != NULL; i++)
        error = check_free(&needs[i]);
    for (size_t i = 0; i < BASE_COUNT; i++)
        free(needs[i].path);
    return error;
}

static struct error *
check_entries(struct storage *storage, const struct manifest *manifest, const char *directory,
              struct cancel *cancel, uint64_t needed[BASE_COUNT])
{
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        uint64_t stored_bytes = 0;
        size_t base = 0;
        while (base < BASE_COUNT && strcmp(bases[base], entry->base) != 0)
            base++;
        if (base == BASE_COUNT || !manifest_name_is_safe(entry->name))
            return error_new(
                ERROR_FAILED_PRECONDITION,
                "backup '%s' has a file '%s/%s' that does not belong into a full backup",
                manifest->backup_name, entry->base, entry->name);
        TRY(check_object(storage, manifest, i, directory, cancel, &stored_bytes));
        /* Vitess's manifests hold no sizes: then the stored one is the least that is needed. */
        needed[base] += entry->has_details ? entry->plain_bytes : stored_bytes;
    }
    return NULL;
}

struct error *
restore_check(struct storage *storage, const struct manifest *manifest,
              const struct backup_directories *directories, struct cancel *cancel)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", manifest->keyspace, manifest->shard);
    uint64_t needed[BASE_COUNT] = {0};
    TRY(check_entries(storage, manifest, directory, cancel, needed));
    TRY(check_compression(storage, manifest, directory, cancel));
    return check_space(directories, needed);
}
