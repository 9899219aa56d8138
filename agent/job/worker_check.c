/* Looking at a stored backup. */
#include <string.h>

#include "agent/base/clock.h"
#include "agent/job/worker_private.h"
#include "backup/manifest.h"
#include "backup/verdict.h"

#ifndef VTAGENT_VERSION
#define VTAGENT_VERSION "unknown"
#endif

/* What was found counts, whether or not it can be recorded. */
static void
record(struct job_worker *worker, enum verdict_mode mode, const struct error *problem)
{
    const struct worker_options *in = worker->options;
    CLEANUP(verdict_done)
    struct verdict verdict = {
        .time_ns = clock_wall_ns(),
        .mode = mode,
        .is_good = problem == NULL,
        .problem = xstrdup(problem == NULL ? "" : problem->message),
        .alias = xstrdup(in->alias),
        .server_version = xstrdup(in->mysql_version),
        .program = xstrdup("vtagent " VTAGENT_VERSION),
    };
    CLEANUP(error_freep)
    struct error *error = verdict_write(worker->storage, worker->output->cancel, worker->directory,
                                        in->name, &verdict);
    if (error != NULL)
        worker_output_log(worker->output, LINE_WARNING, error->message);
}

static struct error *
read_back(struct job_worker *worker, enum verdict_mode mode)
{
    const struct worker_options *in = worker->options;
    struct cancel *cancel = worker->output->cancel;
    const struct backup_verify_options options = {
        .mode = mode == VERDICT_FULL ? BACKUP_VERIFY_FULL : BACKUP_VERIFY_SIZE,
        .concurrency = (int)in->concurrency,
        .rate_bytes_per_second = (uint64_t)in->rate_bytes_per_second,
        .on_progress = worker_on_progress,
        .progress_data = worker,
    };
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    TRY(restore_open(worker->storage, in->keyspace, in->shard, in->name, cancel, &manifest));
    return backup_verify(worker->storage, manifest, &options, cancel);
}

/* A backup that is not what was written must not be listed. */
struct error *
worker_verify(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    enum verdict_mode mode;
    TRY(verdict_mode_parse(in->verify, &mode));
    struct error *error = read_back(worker, mode);
    if (error == NULL)
        record(worker, mode, NULL);
    if (!error_is(error, ERROR_DATA_LOSS))
        return error;
    struct error *removal = worker->storage->interface->remove(
        worker->storage, worker->output->cancel, worker->directory, in->name);
    return error_first(error_wrap(error, "the backup was stored wrongly and is removed"), removal);
}
