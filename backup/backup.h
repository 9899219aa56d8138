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

/* Where a server keeps its files; from my.cnf. */
struct backup_directories {
    char *data, *innodb_data, *innodb_log, *binary_log; /* binary_log: folder of log-bin */
};
void backup_directories_done(struct backup_directories *directories);
/* Reads them from a my.cnf ("[mysqld]" section, dashes and underscores equal). */
struct error *backup_directories_read(const char *mycnf_path,
                                      struct backup_directories *ret) ERROR_MUST_CHECK;

typedef void (*backup_progress)(uint64_t done_bytes, uint64_t total_bytes, const char *text,
                                void *data);

struct backup_take_options {
    const char *keyspace, *shard, *alias; /* "zone1-0000000102" */
    const char *position, *purged_position, *server_uuid, *mysql_version, *hostname;
    bool is_upgrade_safe;
    int concurrency;         /* threads, >= 1 */
    const char *compression; /* "pgzip" (gzip), "pargzip", "zstd", "lz4", "none" */
    int compression_level;
    int64_t start_time_ns;
    backup_progress on_progress;
    void *progress_data;
};
/* Copies the files of a stopped mysqld. The MANIFEST is written last, or the backup's folder is
 * removed. *ret_name: the backup's name (caller frees). */
struct error *backup_take(struct storage *storage, const struct backup_directories *directories,
                          const struct backup_take_options *options, struct cancel *cancel,
                          char **ret_name) ERROR_MUST_CHECK;

/* Choosing: newest usable full backup (Vitess's rules, facts 1.5, 2.5). NOT_FOUND "no backup" when
 * there is none at all; FAILED_PRECONDITION "no complete backup" when none is usable; why each was
 * skipped is appended to `ret_notes` (may be NULL). */
struct manifest;
struct error *restore_choose(struct storage *storage, const char *keyspace, const char *shard,
                             int64_t not_after_ns, const char *server_version,
                             struct cancel *cancel, struct strv *ret_notes,
                             struct manifest **ret_manifest) ERROR_MUST_CHECK;
/* Everything that can be checked before local data is deleted: all objects exist (and have the
 * stored size if known), the space suffices counting what will be deleted, names stay inside. */
struct error *restore_check(struct storage *storage, const struct manifest *manifest,
                            const struct backup_directories *directories,
                            struct cancel *cancel) ERROR_MUST_CHECK;
/* Deletes the server's data (not my.cnf), then copies and verifies. */
struct restore_options {
    int concurrency;
    backup_progress on_progress;
    void *progress_data;
};
struct error *restore_wipe(const struct backup_directories *directories) ERROR_MUST_CHECK;
struct error *restore_copy(struct storage *storage, const struct manifest *manifest,
                           const struct backup_directories *directories,
                           const struct restore_options *options,
                           struct cancel *cancel) ERROR_MUST_CHECK;

#endif
