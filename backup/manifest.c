#include "backup/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct manifest *
manifest_new(void)
{
    struct manifest *manifest = xcalloc(1, sizeof(*manifest));
    char **texts[] = {
        &manifest->backup_name,     &manifest->backup_method, &manifest->position,
        &manifest->purged_position, &manifest->from_position, &manifest->from_backup,
        &manifest->backup_time,     &manifest->finished_time, &manifest->server_uuid,
        &manifest->tablet_alias,    &manifest->hostname,      &manifest->keyspace,
        &manifest->shard,           &manifest->mysql_version, &manifest->compression_engine,
        &manifest->quiesce_mode,    &manifest->state,         &manifest->external_decompressor,
        &manifest->proof,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        *texts[i] = xstrdup("");
    manifest->unavailable_ms = -1;
    return manifest;
}

void
manifest_set_entry_count(struct manifest *manifest, size_t count)
{
    manifest->entries = xcalloc(count == 0 ? 1 : count, sizeof(*manifest->entries));
    manifest->entry_count = count;
}

void
manifest_format_hash(uint32_t crc32, char text[MANIFEST_HASH_TEXT_BYTES])
{
    snprintf(text, MANIFEST_HASH_TEXT_BYTES, "%08x", crc32);
}

bool
manifest_name_is_safe(const char *name)
{
    for (;;) {
        size_t length = strcspn(name, "/");
        if (length == 0 || (length == 1 && name[0] == '.') ||
            (length == 2 && name[0] == '.' && name[1] == '.'))
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

void
manifest_free(struct manifest *manifest)
{
    if (manifest == NULL)
        return;
    char *texts[] = {
        manifest->backup_name,     manifest->backup_method, manifest->position,
        manifest->purged_position, manifest->from_position, manifest->from_backup,
        manifest->backup_time,     manifest->finished_time, manifest->server_uuid,
        manifest->tablet_alias,    manifest->hostname,      manifest->keyspace,
        manifest->shard,           manifest->mysql_version, manifest->compression_engine,
        manifest->quiesce_mode,    manifest->state,         manifest->external_decompressor,
        manifest->proof,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < manifest->entry_count; i++) {
        free(manifest->entries[i].base);
        free(manifest->entries[i].name);
        free(manifest->entries[i].hash);
        free(manifest->entries[i].chunks);
    }
    free(manifest->entries);
    strv_done(&manifest->empty_directories);
    free(manifest);
}

void
manifest_freep(struct manifest **manifest)
{
    manifest_free(*manifest);
    *manifest = NULL;
}
