/* Between the files of the worker. */
#ifndef VTAGENT_JOB_WORKER_PRIVATE_H
#define VTAGENT_JOB_WORKER_PRIVATE_H

#include "agent/job/worker.h"
#include "backup/backup.h"

enum { LINE_INFO = 0, LINE_WARNING = 1 };

struct job_worker {
    const struct worker_options *options;
    const struct worker_output *output;
    struct storage *storage;
    struct backup_directories directories;
    char *directory; /* "ks/shard" */
};
/* A backup_progress; data is the worker. */
void worker_on_progress(uint64_t done, uint64_t total, const char *text, void *data);
/* How the worker's options want a backup read. */
struct backup_verify_options worker_verify_options(struct job_worker *worker,
                                                   enum backup_verify_mode mode);

#define NEWEST_LOOKED_AT 8

struct error *worker_open_storage(struct job_worker *worker, bool wants_write) ERROR_MUST_CHECK;

/* worker_doctor.c: can backups be written, and can this server be backed up? The second form tells
 * of every row, and needs neither storage nor directories to be there. */
struct error *worker_check_storage(struct job_worker *worker) ERROR_MUST_CHECK;
struct error *worker_doctor(struct job_worker *worker) ERROR_MUST_CHECK;
/* worker_check.c: modes that look at a stored backup and record what they found. */
struct error *worker_publish(struct job_worker *worker) ERROR_MUST_CHECK;
struct error *worker_look(struct job_worker *worker) ERROR_MUST_CHECK;
struct error *worker_find(struct job_worker *worker) ERROR_MUST_CHECK;
struct error *worker_read_back(struct job_worker *worker) ERROR_MUST_CHECK;
struct error *worker_record(struct job_worker *worker) ERROR_MUST_CHECK;
struct error *worker_check_scratch(struct job_worker *worker) ERROR_MUST_CHECK;

#endif
