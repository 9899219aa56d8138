#include "backup/kept.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <isa-l/crc64.h>

#include "agent/base/file.h"

#define MAGIC "vtakept1"
#define FILE_MODE 0600

struct kept {
    const struct manifest *manifest;
    size_t *first; /* of each entry's chunks in `chunks` */
    size_t count;
    uint8_t *chunks; /* 1: kept; a byte each, so that threads do not share any */
};
struct header {
    char magic[8];
    uint64_t fingerprint;  /* of the backup and the files */
    uint64_t count, check; /* of the bytes that follow */
};

struct kept *
kept_new(const struct manifest *manifest)
{
    struct kept *kept = xcalloc(1, sizeof(*kept));
    kept->manifest = manifest;
    kept->first = xcalloc(manifest->entry_count + 1, sizeof(*kept->first));
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        kept->first[i] = kept->count;
        kept->count += entry->chunks != NULL ? entry->chunk_count : 1;
    }
    kept->chunks = xcalloc(kept->count + 1, 1);
    return kept;
}

void
kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    free(kept->first);
    free(kept->chunks);
    free(kept);
}

static uint8_t *
place(const struct kept *kept, size_t entry, uint64_t offset)
{
    const struct manifest_entry *wanted = &kept->manifest->entries[entry];
    size_t chunk = wanted->chunks != NULL ? (size_t)(offset / wanted->chunk_bytes) : 0;
    return &kept->chunks[kept->first[entry] + chunk];
}

void
kept_set(struct kept *kept, size_t entry, uint64_t offset)
{
    *place(kept, entry, offset) = 1;
}

bool
kept_has(const struct kept *kept, size_t entry, uint64_t offset)
{
    return *place(kept, entry, offset) == 1;
}

static uint64_t
fingerprint(const struct manifest *manifest, const struct backup_directories *directories)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    buffer_appendf(&text, "%s/%s/%s\n", manifest->keyspace, manifest->shard, manifest->backup_name);
    for (size_t i = 0; i < manifest->entry_count; i++) {
        CLEANUP(freep) char *path = restore_path(directories, &manifest->entries[i]);
        struct stat status = {.st_size = -1};
        (void)lstat(path, &status);
        buffer_appendf(&text, "%s %s %llu %lld %lld.%09ld\n", path, manifest->entries[i].hash,
                       (unsigned long long)status.st_ino, (long long)status.st_size,
                       (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    return crc64_ecma_refl(0, (const unsigned char *)text.data, text.length_bytes);
}

struct error *
kept_save(const struct kept *kept, const struct backup_directories *directories, const char *path)
{
    struct header header = {.fingerprint = fingerprint(kept->manifest, directories),
                            .count = kept->count,
                            .check = crc64_ecma_refl(0, kept->chunks, kept->count)};
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    memcpy(header.magic, MAGIC, sizeof(header.magic));
    buffer_append(&text, (const char *)&header, sizeof(header));
    buffer_append(&text, (const char *)kept->chunks, kept->count);
    return file_write_safely(path, text.data, text.length_bytes, FILE_MODE);
}

struct kept *
kept_load(const struct manifest *manifest, const struct backup_directories *directories,
          const char *path)
{
    struct kept *kept = kept_new(manifest);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep)
    struct error *error = file_read(path, sizeof(struct header) + kept->count, &text);
    struct header header = {.count = 0};
    bool is_whole = error == NULL && text.length_bytes == sizeof(header) + kept->count;
    if (is_whole) {
        memcpy(&header, text.data, sizeof(header));
        memcpy(kept->chunks, text.data + sizeof(header), kept->count);
    }
    if (is_whole && memcmp(header.magic, MAGIC, sizeof(header.magic)) == 0 &&
        header.count == kept->count &&
        header.check == crc64_ecma_refl(0, kept->chunks, kept->count) &&
        header.fingerprint == fingerprint(manifest, directories))
        return kept;
    kept_free(kept);
    return NULL;
}
