#include "agent/job/recover_copy.h"

#include <stdlib.h>

#include "agent/base/file.h"
#include "agent/base/log.h"

#define DROP_MS 60000

struct copy {
    struct job_run run; /* its journal is the last agent's */
    struct worker_options options;
};

static void
copy_free(void *data)
{
    struct copy *copy = data;
    tablet_set_backup_running(copy->run.context, false);
    worker_options_done(&copy->options);
    job_run_done(&copy->run);
    free(copy);
}

struct error *
recover_drop_image(struct job_run *run)
{
    if (run->context->mysqlctl == NULL)
        return NULL;
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(NULL, DROP_MS);
    struct error *error =
        supervisor_drop_image(run->context->mysqlctl, bounded, run->journal.image_name);
    if (!error_is(error, ERROR_UNIMPLEMENTED))
        return error;
    error_free(error); /* another supervisor than the one that made it */
    return NULL;
}

/* The first part of it was written by a process that is dead: it is read back whole. */
static struct error *
complete(struct copy *copy)
{
    struct job_run *run = &copy->run;
    bool is_unread = str_equal(run->context->backup->verify, "none");
    const struct job_publication publication = {
        .backup_name = run->journal.backup_name,
        .verify = is_unread ? "none" : "full",
        .server_version = copy->options.mysql_version,
        .concurrency = copy->options.concurrency,
    };
    return job_publish(run, &publication, run->cancel);
}

static struct error *
go_on(struct copy *copy)
{
    struct job_run *run = &copy->run;
    job_set_backup_name(run->job, run->journal.backup_name);
    job_set_phase(run->job, "copy");
    job_say(run, LINE_INFO, "going on with backup '%s'", run->journal.backup_name);
    run->watched_folder = copy->options.image;
    struct error *error = job_work(run, &copy->options, run->cancel);
    run->watched_folder = NULL;
    if (error != NULL) {
        job_remove_incomplete(run, run->journal.backup_name);
        return error;
    }
    job_say(run, LINE_INFO, "resumed: %s bytes were stored already",
            job_result(run, "resumed_bytes"));
    return complete(copy);
}

static struct error *
resume(struct job *job, void *data)
{
    struct copy *copy = data;
    struct job_run *run = &copy->run;
    run->job = job;
    run->cancel = job_cancel(job);
    struct error *error = go_on(copy);
    if (error == NULL)
        job_say(run, LINE_INFO, "backup '%s' is complete", run->journal.backup_name);
    else
        job_say(run, LINE_ERROR, "the backup failed: %s", error->message);
    struct error *problem = recover_drop_image(run);
    if (problem == NULL)
        job_close_journal(run); /* else both are left to the next start */
    job_say_error(run, problem, "the image is left to the next start");
    tablet_poke_health(run->context);
    return error;
}

static struct copy *
copy_new(const struct job_run *run)
{
    const struct strv *words = &run->journal.worker_words;
    struct copy *copy = xcalloc(1, sizeof(*copy));
    /* The first word is the program's. */
    struct error *error = words->count < 2 ? error_new(ERROR_NOT_FOUND, "it had not begun to copy")
                                           : worker_options_parse((int)words->count - 1,
                                                                  words->items + 1, &copy->options);
    if (error == NULL &&
        (str_is_empty(copy->options.image) || !file_is_directory(copy->options.image)))
        error = error_new(ERROR_NOT_FOUND, "its image is gone");
    if (error == NULL)
        return copy;
    log_error_take(LOG_LEVEL_INFO, run->name, error, "the backup cannot be gone on with");
    worker_options_done(&copy->options);
    free(copy);
    return NULL;
}

bool
recover_copy(struct job_run *run)
{
    struct tablet_context *context = run->context;
    if (context->backup == NULL || context->mysqlctl == NULL || context->jobs == NULL)
        return false;
    struct copy *copy = copy_new(run);
    if (copy == NULL)
        return false;
    copy->options.resumes = true;
    job_run_init(&copy->run, context, NULL, "backup", NULL);
    copy->run.journal = run->journal;
    copy->run.has_journal = true;
    run->journal = (struct journal){.backup_name = NULL};
    tablet_set_backup_running(context, true);
    const struct job_plan plan = {.kind = JOB_BACKUP,
                                  .parameters = "resumed",
                                  .first = {context->job_worker, resume},
                                  .data = copy,
                                  .free_data = copy_free};
    struct job *job = NULL;
    bool is_attached = false;
    struct error *error = job_start(context->jobs, &plan, &job, &is_attached);
    if (error != NULL)
        log_error_take(LOG_LEVEL_ERROR, run->name, error, "the backup is left to the next start");
    job_unref(job);
    return true;
}
