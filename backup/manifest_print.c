/* Writes a MANIFEST with Vitess's keys in Vitess's order, ours last: its reader ignores those. */
#include <inttypes.h>
#include <stdio.h>

#include "backup/manifest_checksum.h"
#include "backup/manifest_chunks.h"

static void
print_text(struct buffer *buffer, const char *key, const char *value)
{
    buffer_appendf(buffer, "  \"%s\": ", key);
    buffer_append_json_string(buffer, value);
    buffer_append_text(buffer, ",\n");
}

static void
print_bool(struct buffer *buffer, const char *key, bool value)
{
    buffer_appendf(buffer, "  \"%s\": %s,\n", key, value ? "true" : "false");
}

static void
print_entry(struct buffer *buffer, const struct manifest_entry *entry)
{
    buffer_append_text(buffer, "    {\"Base\": ");
    buffer_append_json_string(buffer, entry->base);
    buffer_append_text(buffer, ", \"Name\": ");
    buffer_append_json_string(buffer, entry->name);
    buffer_append_text(buffer, ", \"Hash\": ");
    buffer_append_json_string(buffer, entry->hash);
    buffer_append_text(buffer, ", \"ParentPath\": \"\"");
    if (entry->has_details) {
        buffer_appendf(buffer,
                       ", \"VtagentDetails\": {\"PlainBytes\": %" PRIu64
                       ", \"StoredBytes\": %" PRIu64 ", \"PlainCrc32\": \"%08" PRIx32 "\"",
                       entry->plain_bytes, entry->stored_bytes, entry->plain_crc32);
        if (entry->corrupt_pages > 0)
            buffer_appendf(buffer, ", \"CorruptPages\": %" PRIu64, entry->corrupt_pages);
        if (entry->chunks != NULL)
            manifest_print_chunks(entry, buffer);
        if (entry->has_crc64)
            manifest_print_crc64(entry, buffer);
        buffer_append_char(buffer, '}');
    }
    buffer_append_char(buffer, '}');
}

static void
print_entries(struct buffer *buffer, const struct manifest *manifest)
{
    buffer_append_text(buffer, "  \"FileEntries\": [");
    for (size_t i = 0; i < manifest->entry_count; i++) {
        buffer_append_text(buffer, i == 0 ? "\n" : ",\n");
        print_entry(buffer, &manifest->entries[i]);
    }
    buffer_append_text(buffer, "\n  ],\n");
}

static void
print_details(struct buffer *buffer, const struct manifest *manifest)
{
    buffer_append_text(buffer, ",\n  \"VtagentDetails\": {\n    \"QuiesceMode\": ");
    buffer_append_json_string(buffer, manifest->quiesce_mode);
    if (manifest->state[0] != '\0') {
        buffer_append_text(buffer, ",\n    \"State\": ");
        buffer_append_json_string(buffer, manifest->state);
    }
    if (manifest->proof[0] != '\0') {
        buffer_append_text(buffer, ",\n    \"Proof\": ");
        buffer_append_json_string(buffer, manifest->proof);
    }
    if (manifest->unavailable_ms >= 0)
        buffer_appendf(buffer, ",\n    \"UnavailableMs\": %" PRId64, manifest->unavailable_ms);
    buffer_append_text(buffer, ",\n    \"EmptyDirectories\": [");
    for (size_t i = 0; i < manifest->empty_directories.count; i++) {
        buffer_append_text(buffer, i == 0 ? "" : ", ");
        buffer_append_json_string(buffer, manifest->empty_directories.items[i]);
    }
    buffer_append_text(buffer, "],\n");
    manifest_checksum_print(buffer);
    buffer_append_text(buffer, "\n  }");
}

static void
print_common(struct buffer *buffer, const struct manifest *manifest)
{
    print_text(buffer, "BackupName", manifest->backup_name);
    print_text(buffer, "BackupMethod", manifest->backup_method);
    print_text(buffer, "Position", manifest->position);
    print_text(buffer, "PurgedPosition", manifest->purged_position);
    print_text(buffer, "FromPosition", manifest->from_position);
    print_text(buffer, "FromBackup", manifest->from_backup);
    print_bool(buffer, "Incremental", manifest->is_incremental);
    print_text(buffer, "BackupTime", manifest->backup_time);
    print_text(buffer, "FinishedTime", manifest->finished_time);
    print_text(buffer, "ServerUUID", manifest->server_uuid);
    print_text(buffer, "TabletAlias", manifest->tablet_alias);
    print_text(buffer, "Hostname", manifest->hostname);
    print_text(buffer, "Keyspace", manifest->keyspace);
    print_text(buffer, "Shard", manifest->shard);
    print_text(buffer, "MySQLVersion", manifest->mysql_version);
    print_bool(buffer, "UpgradeSafe", manifest->is_upgrade_safe);
    buffer_append_text(buffer, "  \"IncrementalDetails\": null,\n");
}

void
manifest_print(const struct manifest *manifest, struct buffer *buffer)
{
    size_t start = buffer->length_bytes;
    buffer_append_text(buffer, "{\n");
    print_common(buffer, manifest);
    print_text(buffer, "CompressionEngine", manifest->compression_engine);
    print_entries(buffer, manifest);
    print_bool(buffer, "SkipCompress", manifest->skips_compress);
    buffer_append_text(buffer, "  \"ExternalDecompressor\": ");
    buffer_append_json_string(buffer, manifest->external_decompressor);
    if (manifest->has_vtagent_details)
        print_details(buffer, manifest);
    buffer_append_text(buffer, "\n}");
    manifest_checksum_fill(buffer->data + start, buffer->length_bytes - start);
}
