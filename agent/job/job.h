/* Long jobs of the tablet: one child process each, because a storage that hangs can be abandoned
 * only with its process. A journal file beside the data answers a crash at the next start. */
#ifndef VTAGENT_JOB_JOB_H
#define VTAGENT_JOB_JOB_H

#include "agent/job/registry.h"
#include "agent/tablet/tablet.h"
#include "backup/check.h"
#include "backup/list.h"

/* Backup and restore as child processes (`vtagent job`). Called on the action thread; lines go to
 * the job's followers as they come and to the log. The job's cancel ends the child. Settings come
 * from context->backup. */
struct backup_request {
    int concurrency; /* 0: as configured */
    bool allows_primary, is_upgrade_safe;
    const char *engine;                /* NULL: ours */
    const char *incremental_from;      /* "" for full */
    int64_t mysql_shutdown_timeout_ms; /* 0: as configured */
};
/* Whatever happens, mysqld is back in service, the type is what it was and replication resumed when
 * it returns; the steps for that run although the cancel has ended. When mysqld cannot be started
 * the journal stays, and the next start of the agent tries again. Storage, settings and type are
 * checked before mysqld is stopped: FAILED_PRECONDITION; NOT_FOUND for an engine other than
 * "builtin", UNIMPLEMENTED for incremental backups. */
struct backup_job;
struct error *job_backup(struct tablet_context *context, struct job *job,
                         const struct backup_request *request,
                         struct backup_job **ret_rest) ERROR_MUST_CHECK;
/* What needs no action lock and is left in *ret_rest on success: with --backup-quiesce freeze (or
 * auto, where the file system can) job_backup returns once the server's image is taken, and this
 * proves the image and copies it, while the tablet has its type and serves; then, in either mode,
 * the stored backup is read back (--backup-verify). Any thread; frees it. The tablet's
 * is_backup_running stays until then, and restores are refused. */
struct error *job_backup_finish(struct backup_job *take_rest) ERROR_MUST_CHECK;
struct restore_request {
    int64_t backup_time_ns; /* 0: latest */
    bool is_dry_run;
    bool has_data; /* the present data is worth keeping: the whole backup is read and verified
                      before it is deleted */
};
/* Chooses the newest usable backup, checks all that can be checked, and only then deletes the data
 * and copies; follows the primary, and returns when it has executed what the primary had executed.
 * NOT_FOUND: there is no backup at all. FAILED_PRECONDITION: none is complete. Nothing was touched
 * in either case.
 * A failure after data was deleted leaves type RESTORE, mysqld down and the file
 * `restore_in_progress` in the tablet's folder: the next restore keeps what has the checksums
 * of the backup that is then the newest, and copies the rest; so does every restore with
 * --restore-delta. An older backup is not taken in place of a damaged one (ask for it by its time).
 */
struct error *job_restore(struct tablet_context *context, struct job *job,
                          const struct restore_request *request) ERROR_MUST_CHECK;
/* Reads a stored backup back, or restores it into a folder of its own beside the data and has a
 * server start on it, and records the verdict beside the backup. The tablet serves meanwhile; any
 * thread. DATA_LOSS: the backup is no good, and what about it (file, object, chunk or table); any
 * other error: it could not be found out, and nothing is recorded. */
struct verify_request {
    char *keyspace, *shard;
    char *name; /* "": the newest complete one */
    char *mode; /* "size", "full", "restore" */
};
struct error *job_verify(struct tablet_context *context, struct job *job,
                         const struct verify_request *request) ERROR_MUST_CHECK;
/* At the agent's start: removes what a verification that was killed has left. An error means: try
 * again. */
struct error *job_verify_clean(struct tablet_context *context,
                               struct cancel *cancel) ERROR_MUST_CHECK;
/* Looks at the storage in a process of its own, bounded by `cancel`: whether it can be opened … */
struct error *job_open_storage(struct tablet_context *context, bool wants_write,
                               struct cancel *cancel) ERROR_MUST_CHECK;
/* … and which backups of this shard there are: the newest few, with name, times, size, state,
 * proof, verdict and problem. *newest (owned; NULL: look in any case) is the name of the newest
 * complete one; while that is the same, nothing is read and *ret_has_list is false. Any thread. */
struct error *job_look_at_backups(struct tablet_context *context, struct cancel *cancel,
                                  char **newest, struct backup_list *ret_list,
                                  bool *ret_has_list) ERROR_MUST_CHECK;
/* Every check of storage and data, told as it is made; context needs identity and backup only.
 * *ret_newest_ns: when the newest complete backup was taken, 0: there is none. An error: the worker
 * could not go on (its storage hangs, say). */
struct error *job_examine(struct tablet_context *context, struct cancel *cancel,
                          check_report report, void *data, int64_t *ret_newest_ns) ERROR_MUST_CHECK;
/* The requests as parameters of jobs; caller frees. */
char *job_verify_parameters(const struct verify_request *request);
char *job_backup_parameters(const struct backup_request *request);
char *job_restore_parameters(const struct restore_request *request);

/* At the agent's start, before mysqld is waited for: answers a job that the last agent did not end.
 * Ends a worker that still runs, goes on with the copy of an image in a job of its own (beside
 * everything else) or removes the incomplete backup, starts mysqld unless a restore is
 * unfinished, puts semi-sync, replication and type back. No journal: nothing to do, NULL. Action
 * thread. An error means: try again. */
struct error *job_recover(struct tablet_context *context, struct cancel *cancel) ERROR_MUST_CHECK;

/* `vtagent job …` (internal): the child's main. Exit code of the process. */
int job_main(int argc, char **argv);

#endif
