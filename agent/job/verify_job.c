/* Verifying a stored backup: beside the running server, which notices nothing. */
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/job/run.h"
#include "agent/job/space.h"

/* The supervisor's folder that the backup is restored into; none of a job's images is named so. */
#define SCRATCH_NAME "verify"
#define SCRATCH_MS 60000

struct verify_job {
    struct job_run run;
    const struct verify_request *request;
    char *name, *position, *version_text;
    char *scratch; /* NULL: none was made */
};

static void
verify_job_done(struct verify_job *job)
{
    job_run_done(&job->run);
    freep(&job->name);
    freep(&job->position);
    freep(&job->version_text);
    freep(&job->scratch);
}

char *
job_verify_parameters(const struct verify_request *request)
{
    return xasprintf("%s of '%s/%s', %s",
                     request->name[0] != '\0' ? request->name : "newest backup", request->keyspace,
                     request->shard, request->mode);
}

static struct worker_options
options_of(const struct verify_job *job, const char *mode)
{
    const struct tablet_context *context = job->run.context;
    struct worker_options options = job_worker_options(context, mode);
    str_replace(&options.keyspace, job->request->keyspace);
    str_replace(&options.shard, job->request->shard);
    options.name = xstrdup(job->name != NULL ? job->name : job->request->name);
    options.verify = xstrdup(job->request->mode);
    options.mysql_version = xstrdup(job->version_text);
    options.image = xstrdup(job->scratch);
    options.rate_bytes_per_second = context->backup->rate_bytes_per_second;
    return options;
}

static struct error *
work(struct verify_job *job, const char *mode)
{
    CLEANUP(job_options_done) struct worker_options options = options_of(job, mode);
    TRY(job_concurrency(0, job->run.context->backup->restore_concurrency, &options.concurrency));
    return job_work(&job->run, &options, job->run.cancel);
}

static struct error *
check_settings(struct verify_job *job)
{
    const struct tablet_context *context = job->run.context;
    if (str_equal(job->request->mode, "restore"))
        return job_check_settings(context);
    if (context->backup == NULL || str_is_empty(context->backup->storage_implementation))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "no backup storage is configured: set --backup-storage-implementation");
    return NULL;
}

static struct error *
find(struct verify_job *job)
{
    job_set_phase(job->run.job, "check");
    struct error *error = work(job, "find");
    if (job_result(&job->run, "name")[0] != '\0') {
        job->name = xstrdup(job_result(&job->run, "name"));
        job_set_backup_name(job->run.job, job->name);
    }
    job->position = xstrdup(job_result(&job->run, "position"));
    return error;
}

static struct error *
read_back(struct verify_job *job)
{
    job_say(&job->run, LINE_INFO, "reading backup '%s' back", job->name);
    job_set_phase(job->run.job, "verify");
    return work(job, "read-back");
}

/* ---- Restoring it beside the data ---- */

static struct error *
make_scratch(struct verify_job *job)
{
    struct tablet_context *context = job->run.context;
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(job->run.cancel, SCRATCH_MS);
    TRY(error_wrap(mysqlctl_version(context->mysqlctl, bounded, &job->version_text),
                   "ask for the server's version"));
    struct error *error =
        supervisor_new_image(context->mysqlctl, bounded, SCRATCH_NAME, &job->scratch);
    if (error_is(error, ERROR_UNIMPLEMENTED)) {
        error_free(error);
        return error_new(ERROR_FAILED_PRECONDITION,
                         "this supervisor is not vtagent's: it cannot start a server of its own on "
                         "a restored backup");
    }
    TRY(error);
    if (file_is_directory(job->scratch))
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "the folder '%s' cannot be seen from here: agent and supervisor must share "
                     "the tablet's folder",
                     job->scratch);
}

static struct error *
copy(struct verify_job *job)
{
    TRY(work(job, "scratch-check"));
    job_say(&job->run, LINE_INFO, "restoring backup '%s' into '%s'", job->name, job->scratch);
    job_set_phase(job->run.job, "copy");
    job->run.watched_folder = job->scratch;
    struct error *error = work(job, "restore-copy");
    job->run.watched_folder = NULL;
    return error;
}

/* MariaDB keeps what a primary wrote itself in its binary log, which is not in a backup. */
static struct error *
prove(struct verify_job *job)
{
    CLEANUP(supervisor_proof_done) struct supervisor_proof proof = {.milliseconds = 0};
    const char *position = str_starts_with(job->position, "MySQL56/") ? job->position : "";
    job_say(&job->run, LINE_INFO, "a server of its own starts on it and checks every table");
    job_set_phase(job->run.job, "prove");
    TRY(error_wrap(supervisor_prove_image(job->run.context->mysqlctl, job->run.cancel, SCRATCH_NAME,
                                          true, position, &proof),
                   "start the restored backup"));
    job_say(&job->run, LINE_INFO, "the backup is proven: %lld tables, %.1f s",
            (long long)proof.table_count, (double)proof.milliseconds / 1000.0);
    return NULL;
}

static void
drop_scratch(struct verify_job *job)
{
    CLEANUP(cancel_unrefp) struct cancel *own = cancel_new_child(NULL, SCRATCH_MS);
    job_say_error(&job->run, supervisor_drop_image(job->run.context->mysqlctl, own, SCRATCH_NAME),
                  "the restored files are left to the next start");
    freep(&job->scratch);
}

static struct error *
restore(struct verify_job *job)
{
    struct error *error = make_scratch(job);
    if (error == NULL)
        error = copy(job);
    if (error == NULL)
        error = prove(job);
    if (job->scratch != NULL)
        drop_scratch(job);
    return error;
}

/* ---- The verdict ---- */

static struct error *
record(struct verify_job *job, const struct error *problem)
{
    CLEANUP(job_options_done) struct worker_options options = options_of(job, "record");
    options.problem = xstrdup(problem != NULL ? problem->message : "");
    return job_work(&job->run, &options, job->run.cancel);
}

static struct error *
conclude(struct verify_job *job, struct error *take_error, int64_t start_ms)
{
    bool is_verdict = take_error == NULL || error_is(take_error, ERROR_DATA_LOSS);
    if (!is_verdict || job->name == NULL)
        return take_error;
    struct error *unrecorded = record(job, take_error);
    if (take_error != NULL) {
        job_say(&job->run, LINE_ERROR, "backup '%s' is no good: %s", job->name,
                take_error->message);
        job_say_error(&job->run, unrecorded, "the verdict is not recorded");
        return take_error;
    }
    TRY(unrecorded);
    job_say(&job->run, LINE_INFO, "backup '%s' is good (%s, %.1f s)", job->name, job->request->mode,
            (double)(clock_monotonic_ms() - start_ms) / 1000.0);
    return NULL;
}

struct error *
job_verify(struct tablet_context *context, struct job *registered,
           const struct verify_request *request)
{
    CLEANUP(verify_job_done) struct verify_job job = {.request = request};
    int64_t start_ms = clock_monotonic_ms();
    job_run_init(&job.run, context, job_cancel(registered), "verify", registered);
    TRY(check_settings(&job));
    struct error *error = find(&job);
    if (error == NULL)
        error = str_equal(request->mode, "restore") ? restore(&job) : read_back(&job);
    return conclude(&job, error, start_ms);
}

struct error *
job_verify_clean(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(freep)
    char *scratch =
        xasprintf("%s/vtagent_image/" SCRATCH_NAME, context->identity->tablet_directory);
    if (context->mysqlctl == NULL || !file_exists(scratch))
        return NULL;
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(cancel, SCRATCH_MS);
    struct error *error = supervisor_drop_image(context->mysqlctl, bounded, SCRATCH_NAME);
    if (!error_is(error, ERROR_UNIMPLEMENTED))
        return error_wrap(error, "remove '%s'", scratch);
    error_free(error); /* another supervisor than the one that made it */
    return NULL;
}
