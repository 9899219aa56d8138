/* What the two ways to take a backup share; private to this folder. */
#ifndef VTAGENT_JOB_BACKUP_JOB_H
#define VTAGENT_JOB_BACKUP_JOB_H

#include "agent/job/run.h"

struct backup_job {
    struct job_run run;
    struct backup_request request; /* a copy; its texts are only there while job_backup runs */
    Topodata__TabletType type;     /* before */
    struct server_facts facts;
    int64_t threads, start_time_ns;
    char *backup_name, *position;
    /* stop */
    int64_t stopped_ms;
    bool was_quiesced, was_stopped, has_changed_type; /* what has to be undone */
    bool is_copied;
    /* freeze */
    struct supervisor_image image; /* path NULL: none */
    int64_t unavailable_ms;
    char *proof_position; /* what a server on the image must say that it has */
    bool is_moving;       /* commits went on: the position is what the proof finds */
    const char *state;    /* of the image: "crash", "clean" */
    const char *proof;    /* that a server gave of it: "start", "tables"; NULL: none */
};

/* A worker that copies the server's files, or the image's, under the job's name. */
struct error *backup_copy_files(struct backup_job *job) ERROR_MUST_CHECK;
/* Reads back what was stored, as --backup-verify says it, and lists the backup; on failure nothing
 * of it stays. */
struct error *backup_complete(struct backup_job *job, const char *verify,
                              struct cancel *cancel) ERROR_MUST_CHECK;
/* A name from the time now, and the journal. */
struct error *backup_open_journal(struct backup_job *job, const struct server_before *before,
                                  bool has_image) ERROR_MUST_CHECK;

/* backup_stop.c: mysqld is down while its files are copied. Everything is as before afterwards,
 * whoever still waits for it. */
struct error *backup_stop_run(struct backup_job *job) ERROR_MUST_CHECK;
/* Any thread: completes the backup. */
struct error *backup_stop_finish(struct backup_job *job) ERROR_MUST_CHECK;

/* backup_freeze.c: mysqld is paused for an image of its files. */
/* Why this server cannot be paused, NULL when it can. Caller frees. */
char *backup_freeze_problem(struct backup_job *job);
/* [action] Replication stands or commits wait while the image is made; both go on afterwards,
 * whatever happened. On failure there is no image and no journal. */
struct error *backup_freeze_take(struct backup_job *job) ERROR_MUST_CHECK;
/* Any thread: proves and copies the image, completes the backup, and drops the image. */
struct error *backup_freeze_finish(struct backup_job *job) ERROR_MUST_CHECK;

#endif
