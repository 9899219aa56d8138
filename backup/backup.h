/* Backup and restore as blocking library: no RPC, no topology, no event loop. Runs in the job
 * worker
 * (`vtagent job`), in unit tests and from tools. Format: Vitess's builtin engine. */
#ifndef VTAGENT_BACKUP_BACKUP_H
#define VTAGENT_BACKUP_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "backup/storage.h"

/* Where a server keeps its files; from my.cnf. Absolute paths, without a slash at the end. */
struct backup_directories {
    char *mycnf;                                        /* the file they came from */
    char *data, *innodb_data, *innodb_log, *binary_log; /* binary_log: folder of log-bin */
    char *log_bin, *relay_log;                          /* prefixes of files */
    char *relay_log_index, *relay_log_info;             /* files */
    char *undo;                                         /* folder of undo tablespaces */
    struct strv data_file_names;                        /* of the InnoDB system tablespace */
};
void backup_directories_done(struct backup_directories *directories);
/* Reads them from a my.cnf ("[mysqld]" section, dashes and underscores equal). FAILED_PRECONDITION
 * when there is no datadir. */
struct error *backup_directories_read(const char *mycnf_path,
                                      struct backup_directories *ret) ERROR_MUST_CHECK;
/* FAILED_PRECONDITION when files that belong into a backup are where no backup could put them back.
 */
struct error *
backup_directories_check(const struct backup_directories *directories) ERROR_MUST_CHECK;
/* The same server's files in an image (a folder with data, innodb/data and innodb/logs): folders
 * that are one stay one. Where binary and relay logs are outside the data they stay as they are. */
void backup_directories_use_image(struct backup_directories *directories, const char *image);
/* The directory of a FileEntry's base; NULL for an unknown one. */
const char *backup_directories_of_base(const struct backup_directories *directories,
                                       const char *base);

/* Called on the thread that called backup_take or restore_copy, about once a second and at the end.
 */
typedef void (*backup_progress)(uint64_t done_bytes, uint64_t total_bytes, const char *text,
                                void *data);

#define BACKUP_THREADS_MOST 64

/* "2026-11-23.055542.zone1-0000000102"; caller frees. */
char *backup_name(int64_t start_time_ns, const char *alias);

struct backup_take_options {
    const char *keyspace, *shard, *alias; /* "zone1-0000000102" */
    const char *position, *purged_position, *server_uuid, *mysql_version, *hostname;
    const char *quiesce_mode; /* for the MANIFEST; NULL: "stop" */
    const char *state;        /* for the MANIFEST; NULL: "clean" */
    const char *proof;        /* for the MANIFEST; NULL: "" */
    int64_t unavailable_ms;   /* for the MANIFEST; 0: unknown */
    bool is_upgrade_safe;
    int concurrency;         /* threads, 1 to BACKUP_THREADS_MOST */
    const char *compression; /* "pgzip" (gzip), "pargzip", "zstd", "lz4", "none" */
    int compression_level;
    int64_t start_time_ns;
    uint64_t chunk_bytes;           /* a multiple of 64 KiB; 0: BACKUP_CHUNK_BYTES_DEFAULT */
    uint64_t max_memory_bytes;      /* chunks get smaller to fit; 0: BACKUP_MEMORY_BYTES_DEFAULT */
    uint64_t rate_bytes_per_second; /* of what is read; 0: no limit */
    uint64_t most_lsn;              /* the redo log's end: no page may be newer; 0: unknown */
    bool allows_corrupt_pages;      /* keeps them, and marks their files in the MANIFEST */
    /* A local file for what is stored already (NULL: none). After a process was killed, the same
     * options, files and storage with `resumes` go on from there, whatever is left of either; other
     * files or settings: it begins anew. The files must not change in between. */
    const char *progress_path;
    bool resumes;
    uint64_t *resumed_bytes;     /* may be NULL; plain bytes that were stored before */
    const char *draft_path;      /* a local file for the MANIFEST instead (NULL: none); see below */
    backup_progress on_progress; /* may be NULL */
    void *progress_data;
};
#define BACKUP_CHUNK_BYTES_DEFAULT (4u << 20)
#define BACKUP_MEMORY_BYTES_DEFAULT (64u << 20)
/* Copies the files of a stopped mysqld, in chunks that all threads share: one large file keeps all
 * of them busy. Every InnoDB page is checked on the way; a bad one is DATA_LOSS, naming file and
 * page. The MANIFEST is written last, or the backup's folder is removed. *ret_name: the backup's
 * name (caller frees). */
struct error *backup_take(struct storage *storage, const struct backup_directories *directories,
                          const struct backup_take_options *options, struct cancel *cancel,
                          char **ret_name) ERROR_MUST_CHECK;

/* With a draft_path the backup is not complete yet: its objects can be looked at first, by the
 * draft (NOT_FOUND: it is of another backup), and then its MANIFEST is put in its place, with what
 * was not known before (unavailable_ms 0: nothing). One that is there already is the same. */
struct manifest;
struct error *backup_read_draft(const char *draft_path, const char *name,
                                struct manifest **ret_manifest) ERROR_MUST_CHECK;
struct error *backup_publish(struct storage *storage, struct manifest *manifest,
                             int64_t unavailable_ms, struct cancel *cancel) ERROR_MUST_CHECK;

/* Choosing: newest usable full backup (Vitess's rules, facts 1.5, 2.5). NOT_FOUND "no backup" when
 * there is none at all; FAILED_PRECONDITION "no complete backup" when none is usable; why each was
 * skipped is appended to `ret_notes` (may be NULL). Any other error of the storage is returned: an
 * older backup is not taken because the newest could not be looked at.
 * not_after_ns: 0 for the latest. server_version: manifest_version_text(), or "" to skip the rule.
 * Name, keyspace and shard of the result are those of its place, whatever the MANIFEST says. */
struct manifest;
struct error *restore_choose(struct storage *storage, const char *keyspace, const char *shard,
                             int64_t not_after_ns, const char *server_version,
                             struct cancel *cancel, struct strv *ret_notes,
                             struct manifest **ret_manifest) ERROR_MUST_CHECK;
/* The MANIFEST of one backup, as restore_choose returns it. The second form waits for one that may
 * be hidden from us by the cache of a mount (storage.h, hidden_ms). */
struct error *restore_read(struct storage *storage, const char *keyspace, const char *shard,
                           const char *name, struct cancel *cancel,
                           struct manifest **ret_manifest) ERROR_MUST_CHECK;
struct error *restore_open(struct storage *storage, const char *keyspace, const char *shard,
                           const char *name, struct cancel *cancel,
                           struct manifest **ret_manifest) ERROR_MUST_CHECK;
/* Everything that can be checked before local data is deleted: all objects exist (and have the
 * stored size if known), their compression is known, the space suffices counting what will be
 * deleted. */
struct error *restore_check(struct storage *storage, const struct manifest *manifest,
                            const struct backup_directories *directories,
                            struct cancel *cancel) ERROR_MUST_CHECK;
/* Deletes the server's data, binary logs and relay logs; not my.cnf, and not the directories
 * themselves, which may be mount points. `keep` (may be NULL): the files of this backup stay that a
 * restore_copy with keeps_matching may find right: plain files of one name, with checksums in the
 * MANIFEST. */
struct error *restore_wipe(const struct backup_directories *directories,
                           const struct manifest *keep) ERROR_MUST_CHECK;
/* Where a file of a backup belongs; caller frees. */
struct manifest_entry;
char *restore_path(const struct backup_directories *directories,
                   const struct manifest_entry *entry);
struct restore_options {
    int concurrency;             /* threads, 1 to BACKUP_THREADS_MOST */
    backup_progress on_progress; /* may be NULL; bytes are stored bytes */
    void *progress_data;
    uint64_t rate_bytes_per_second; /* of stored bytes; 0: no limit */
    /* Chunks of present files that have the MANIFEST's checksums (CRC-32 and CRC-64 of each chunk)
     * are kept and not read from the storage: after an attempt that was killed, and over old data.
     */
    bool keeps_matching;
    /* Of a backup_verify just before: spares reading the present files once more, if they are still
     * the same ones. May be NULL. */
    const char *kept_path;
    uint64_t *kept_bytes; /* may be NULL; plain bytes, at the end */
};
/* Copies and verifies; durable when it returns NULL. The first error ends it; what was copied stays
 * (the caller's marker says that it is unfinished, and the next attempt keeps what is right). */
struct error *restore_copy(struct storage *storage, const struct manifest *manifest,
                           const struct backup_directories *directories,
                           const struct restore_options *options,
                           struct cancel *cancel) ERROR_MUST_CHECK;

/* Is every object there, with the size that is known for it (SIZE), and is every byte of it what
 * was written: hashes and checksums of stored and of decompressed bytes (FULL)? DATA_LOSS, naming
 * file, object and chunk. For any backup, ours or Vitess's; nothing is written. */
enum backup_verify_mode { BACKUP_VERIFY_SIZE, BACKUP_VERIFY_FULL };
struct backup_verify_options {
    enum backup_verify_mode mode;
    /* What a restore with keeps_matching would keep of these files is not read; NULL: all is. */
    const struct backup_directories *present;
    const char *kept_path; /* a local file that takes what was found right there (NULL: none) */
    int concurrency;       /* threads, 1 to BACKUP_THREADS_MOST */
    uint64_t rate_bytes_per_second; /* of stored bytes; 0: no limit */
    backup_progress on_progress;    /* may be NULL; bytes are stored bytes */
    void *progress_data;
};
struct error *backup_verify(struct storage *storage, const struct manifest *manifest,
                            const struct backup_verify_options *options,
                            struct cancel *cancel) ERROR_MUST_CHECK;

#endif
