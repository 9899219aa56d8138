#include "agent/base/file.h"
#include "backup/backup.h"
#include "backup/manifest.h"

struct error *
backup_read_draft(const char *draft_path, const char *name, struct manifest **ret_manifest)
{
    CLEANUP(buffer_done) struct buffer draft = BUFFER_INIT;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    TRY(file_read(draft_path, MANIFEST_LIMIT_BYTES, &draft));
    TRY(manifest_parse(buffer_text(&draft), draft.length_bytes, &manifest));
    if (!str_equal(manifest->backup_name, name))
        return error_new(ERROR_NOT_FOUND, "'%s' is of another backup ('%s')", draft_path,
                         manifest->backup_name);
    *ret_manifest = manifest;
    manifest = NULL;
    return NULL;
}

struct error *
backup_publish(struct storage *storage, struct manifest *manifest, int64_t unavailable_ms,
               struct cancel *cancel)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    if (unavailable_ms > 0)
        manifest->unavailable_ms = unavailable_ms;
    manifest_print(manifest, &text);
    CLEANUP(freep) char *directory = xasprintf("%s/%s", manifest->keyspace, manifest->shard);
    struct error *error = storage->interface->put(storage, cancel, directory, manifest->backup_name,
                                                  MANIFEST_NAME, text.data, text.length_bytes);
    if (!error_is(error, ERROR_ALREADY_EXISTS))
        return error;
    error_free(error); /* by a process that died before it could say so: the name is ours alone */
    return NULL;
}
