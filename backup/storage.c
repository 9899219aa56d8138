#include "backup/storage.h"

#include <string.h>

#define READ_BLOCK_BYTES 65536u

static struct error *
open_gcs(const struct storage_options *options, struct storage **ret_storage)
{
    if (str_is_empty(options->gcs_bucket))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "backup storage 'gcs' needs --gcs-backup-storage-bucket");
    const struct storage_gcs_options gcs = {.bucket = options->gcs_bucket,
                                            .root =
                                                options->gcs_root == NULL ? "" : options->gcs_root,
                                            .patience_ms = options->watch.timeout_ms};
    return storage_gcs_new(&gcs, ret_storage);
}

struct error *
storage_open(const struct storage_options *options, bool wants_write, struct storage **ret_storage)
{
    if (str_is_empty(options->implementation))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "no backup storage is configured: set --backup-storage-implementation");
    if (strcmp(options->implementation, "gcs") == 0)
        return open_gcs(options, ret_storage);
    if (strcmp(options->implementation, "file") != 0)
        return error_new(ERROR_NOT_FOUND, "unknown backup storage '%s': known are file and gcs",
                         options->implementation);
    if (str_is_empty(options->file_root))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "backup storage 'file' needs --file-backup-storage-root");
    return storage_file_new(options->file_root, wants_write, &options->watch, ret_storage);
}

void
storage_free(struct storage *storage)
{
    if (storage != NULL)
        storage->interface->free(storage);
}

void
storage_freep(struct storage **storage)
{
    storage_free(*storage);
    *storage = NULL;
}

bool
storage_name_is_safe(const char *name)
{
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strchr(name, '/') == NULL && strlen(name) <= STORAGE_NAME_LIMIT_BYTES;
}

static struct error *
refuse_name(const char *what, const char *name)
{
    return error_new(ERROR_INVALID_ARGUMENT, "%s '%.*s' is not a plain name", what,
                     (int)STORAGE_NAME_LIMIT_BYTES, name);
}

struct error *
storage_check_names(const char *directory, const char *name, const char *object)
{
    CLEANUP(strv_done) struct strv parts = {.items = NULL};
    strv_split(&parts, directory, '/');
    CLEANUP(freep) char *joined = strv_join(&parts, "/");
    bool is_clean = parts.count > 0 && strcmp(joined, directory) == 0;
    for (size_t i = 0; is_clean && i < parts.count; i++)
        is_clean = storage_name_is_safe(parts.items[i]);
    if (!is_clean)
        return refuse_name("backup directory", directory);
    if (name != NULL && !storage_name_is_safe(name))
        return refuse_name("backup", name);
    if (object != NULL && !storage_name_is_safe(object))
        return refuse_name("object", object);
    return NULL;
}

struct error *
storage_get(struct storage *storage, struct cancel *cancel, const char *directory, const char *name,
            const char *object, size_t limit_bytes, struct buffer *buffer)
{
    struct storage_reader *reader;
    TRY(storage->interface->open_read(storage, cancel, directory, name, object, &reader));
    struct error *error = NULL;
    size_t count = 1;
    for (size_t total = 0; error == NULL && count > 0; total += count) {
        if (total > limit_bytes) {
            error = error_new(ERROR_RESOURCE_EXHAUSTED,
                              "object '%s' of backup '%s' is larger than %zu bytes", object, name,
                              limit_bytes);
            break;
        }
        buffer_reserve(buffer, READ_BLOCK_BYTES);
        error = storage->interface->read(reader, buffer->data + buffer->length_bytes,
                                         READ_BLOCK_BYTES, &count);
        if (error == NULL)
            buffer->length_bytes += count;
        buffer->data[buffer->length_bytes] = '\0';
    }
    storage->interface->close_read(reader);
    return error;
}
