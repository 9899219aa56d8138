/* What backup and restore share: their lines, the worker, the journal. Private to this folder;
 * action thread. */
#ifndef VTAGENT_JOB_RUN_H
#define VTAGENT_JOB_RUN_H

#include "agent/job/job.h"
#include "agent/job/journal.h"
#include "agent/job/server.h"
#include "agent/job/worker_options.h"

struct job_run {
    struct tablet_context *context;
    struct cancel *cancel; /* the job's */
    struct job *job;       /* who follows it, and what is shown of it; NULL: nobody and nothing */
    const char *name;      /* "backup", "restore" */
    struct journal journal;
    bool has_journal; /* it is on disk */
    bool has_image;   /* the journal to open owns the image of its backup's name */
    /* While a worker runs: its end when this folder's file system runs full; NULL: not looked at.
     */
    const char *watched_folder;
    struct cancel *work_cancel;
    char *space_problem;
    bool was_killed; /* the last worker: by somebody else */
    int64_t last_progress_ms;
    bool has_told_end;                      /* that this worker has done all bytes */
    struct strv result_keys, result_values; /* of the last worker */
    check_report on_check;                  /* NULL: nobody wants to know */
    void *check_data;
};
void job_run_init(struct job_run *run, struct tablet_context *context, struct cancel *cancel,
                  const char *name, struct job *job);
void job_run_done(struct job_run *run);

/* To those who follow the job, and to the log. */
void job_say(struct job_run *run, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says "<text>: <error>" as a warning and frees the error; NULL: nothing. */
void job_say_error(struct job_run *run, struct error *take_error, const char *text);

/* FAILED_PRECONDITION without my.cnf, supervisor or storage. */
struct error *job_check_settings(const struct tablet_context *context) ERROR_MUST_CHECK;
/* 0: `configured`; INVALID_ARGUMENT below 0. */
struct error *job_concurrency(int asked, int configured, int64_t *ret_threads) ERROR_MUST_CHECK;

/* Storage, shard, alias, my.cnf and mode; the caller fills in the rest and ends it with
 * job_options_done (the fields are copies). */
struct worker_options job_worker_options(const struct tablet_context *context, const char *mode);
void job_options_done(struct worker_options *options);
/* Runs a worker; its pid is in the journal while it runs, its lines and progress are passed on. */
struct error *job_work(struct job_run *run, const struct worker_options *options,
                       struct cancel *cancel) ERROR_MUST_CHECK;
/* Without a job, its journal and its lines: bounded by `cancel`, and quick to give up. Any thread;
 * the run is only asked for results. */
struct error *job_ask_worker(struct job_run *run, const struct worker_options *options,
                             struct cancel *cancel) ERROR_MUST_CHECK;
/* A result of the last worker; "" when it reported none. */
const char *job_result(const struct job_run *run, const char *key);

struct error *job_open_journal(struct job_run *run, enum journal_kind kind, const char *backup_name,
                               Topodata__TabletType type,
                               const struct server_before *before) ERROR_MUST_CHECK;
/* From here on a crash leaves nothing to put back in the server. */
struct error *job_note_copying(struct job_run *run) ERROR_MUST_CHECK;
/* A journal that cannot be removed is said, not fatal. */
void job_close_journal(struct job_run *run);

/* Beside the journal, and removed with it: what a copy has stored. Caller frees. */
char *job_progress_path(const struct job_run *run);
/* The same for the MANIFEST of a copy that is complete when the server is up again. */
char *job_draft_path(const struct job_run *run);
/* The same for what a restore finds right in the present data. */
char *job_kept_path(const struct job_run *run);
/* Looks at what was stored ("full", "size" or "none" of --backup-verify) and completes the backup
 * by its draft; on failure nothing of it stays. NOT_FOUND: it has no draft; DATA_LOSS: it was
 * stored wrongly. */
struct job_publication {
    const char *backup_name, *verify, *server_version;
    int64_t unavailable_ms; /* 0: as the draft says */
    int64_t concurrency;
};
struct error *job_publish(struct job_run *run, const struct job_publication *publication,
                          struct cancel *cancel) ERROR_MUST_CHECK;
/* The journal keeps what to run again when this copy is killed; then it is run again, once, and
 * goes on where it was. */
struct error *job_work_on(struct job_run *run, struct worker_options *options,
                          struct cancel *cancel) ERROR_MUST_CHECK;

/* Removes the backup's folder unless it is complete; bounded. */
void job_remove_incomplete(struct job_run *run, const char *backup_name);
/* The type that the tablet has again after a job that began at `type`. */
Topodata__TabletType job_type_after(const struct tablet_context *context,
                                    Topodata__TabletType type);

#endif
