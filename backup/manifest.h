/* The MANIFEST: Vitess's keys, plus our own below "VtagentDetails". Facts: backup-restore 2. */
#ifndef VTAGENT_BACKUP_MANIFEST_H
#define VTAGENT_BACKUP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buffer.h"
#include "agent/base/error.h"
#include "agent/base/memory.h"

#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_LIMIT_BYTES (96u << 20)

/* A piece of an object that can be read by itself: chunk i is the plain bytes from i * chunk_bytes
 * on, and the stored bytes that follow those of the chunk before it. */
struct manifest_chunk {
    uint32_t stored_bytes, plain_crc32;
    uint64_t plain_crc64; /* with the entry's has_crc64 */
};
#define MANIFEST_CHUNK_BYTES_LEAST 65536u
#define MANIFEST_CHUNK_BYTES_MOST (64u << 20)
/* Files whose index would make the MANIFEST too large have none. */
#define MANIFEST_CHUNKS_MOST (2u << 20)
struct manifest_entry {
    char *base, *name; /* "Data", "vt_ks/t.ibd" */
    char *hash;        /* CRC-32 of the stored bytes, 8 hex digits; "" unknown */
    /* Ours; has_details says whether they are known. */
    bool has_details;
    uint64_t plain_bytes, stored_bytes;
    uint32_t plain_crc32;
    /* Both checksums together tell whether a file on disk holds these bytes already: CRC-64 (ECMA,
     * reflected, as xz has it) of each chunk, or of a file that has but one. */
    bool has_crc64;
    uint64_t plain_crc64;   /* of an entry without index */
    uint64_t corrupt_pages; /* that were stored as they are */
    /* The chunk index, of objects with more than one chunk. */
    struct manifest_chunk *chunks; /* NULL: there is none */
    size_t chunk_count;
    uint32_t chunk_bytes, head_bytes; /* head: stored bytes in front of the first chunk */
};
struct manifest {
    char *backup_name, *backup_method, *position, *purged_position, *from_position, *from_backup;
    char *backup_time, *finished_time, *server_uuid, *tablet_alias, *hostname, *keyspace, *shard;
    char *mysql_version, *compression_engine, *external_decompressor;
    bool is_incremental, is_upgrade_safe, skips_compress;
    struct manifest_entry *entries;
    size_t entry_count;
    /* Ours */
    bool has_vtagent_details;
    char *quiesce_mode;     /* "stop", "freeze" */
    char *state;            /* of the files: "clean" (shut down), "crash" (to be recovered); "" */
    char *proof;            /* that a server gave of the files: "start", "tables"; "" none */
    int64_t unavailable_ms; /* how long mysqld did not answer; -1 unknown */
    struct strv
        empty_directories; /* databases without a file, below Data: FileEntries cannot say */
};
#define MANIFEST_ENTRIES_MOST 1000000u
#define MANIFEST_HASH_TEXT_BYTES 9u
/* All strings "", no entries. */
struct manifest *manifest_new(void);
/* Entries are zeroed; fill them in place. */
void manifest_set_entry_count(struct manifest *manifest, size_t count);
/* Stored bytes behind the last chunk, of an entry with an index. */
#define MANIFEST_TAIL_BYTES_MOST 64u
uint64_t manifest_tail_bytes(const struct manifest_entry *entry);
/* CRC-32 as the MANIFEST writes it. */
void manifest_format_hash(uint32_t crc32, char text[MANIFEST_HASH_TEXT_BYTES]);
/* A path of the kind that FileEntries hold: relative, no empty, "." or ".." component. */
bool manifest_name_is_safe(const char *name);
/* Refuses: wrong types, positions that do not parse, names that leave their base, more than
 * 1,000,000 entries. Errors say what is wrong and where. */
struct error *manifest_parse(const char *text, size_t size,
                             struct manifest **ret_manifest) ERROR_MUST_CHECK;
void manifest_print(const struct manifest *manifest, struct buffer *buffer);
void manifest_free(struct manifest *manifest);
void manifest_freep(struct manifest **manifest);
/* The version text that belongs into a MANIFEST: "Ver 8.0.40 MySQL Community Server - GPL". */
char *manifest_version_text(const char *version, const char *version_comment);
/* Both texts name the same flavor and version: no upgrade is needed. */
bool manifest_version_is_same(const struct manifest *manifest, const char *server_version);
/* `server_version` is such a text too, or "" for unknown (everything is accepted).
 * NULL when a server of this version may restore it; else why not (FAILED_PRECONDITION). */
struct error *manifest_check_version(const struct manifest *manifest,
                                     const char *server_version) ERROR_MUST_CHECK;

#endif
