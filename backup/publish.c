#include "agent/base/file.h"
#include "backup/backup.h"
#include "backup/manifest.h"

struct error *
backup_publish(struct storage *storage, const char *draft_path, const char *name,
               int64_t unavailable_ms, struct cancel *cancel)
{
    CLEANUP(buffer_done) struct buffer draft = BUFFER_INIT;
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    TRY(file_read(draft_path, MANIFEST_LIMIT_BYTES, &draft));
    TRY(manifest_parse(buffer_text(&draft), draft.length_bytes, &manifest));
    if (!str_equal(manifest->backup_name, name))
        return error_new(ERROR_NOT_FOUND, "'%s' is of another backup ('%s')", draft_path,
                         manifest->backup_name);
    if (unavailable_ms > 0)
        manifest->unavailable_ms = unavailable_ms;
    manifest_print(manifest, &text);
    CLEANUP(freep) char *directory = xasprintf("%s/%s", manifest->keyspace, manifest->shard);
    return storage->interface->put(storage, cancel, directory, name, MANIFEST_NAME, text.data,
                                   text.length_bytes);
}
