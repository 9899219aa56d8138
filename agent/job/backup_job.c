/* Backup: what is checked before anything is changed, and which way it is taken. */
#include <stdlib.h>
#include <string.h>

#include "agent/actions/dba.h"
#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/job/backup_job.h"
#include "backup/backup.h"

#define ENGINE_NAME "builtin"

static void
backup_job_free(struct backup_job *job)
{
    if (job == NULL)
        return;
    job_run_done(&job->run);
    supervisor_image_done(&job->image);
    freep(&job->proof_position);
    server_facts_done(&job->facts);
    freep(&job->backup_name);
    freep(&job->position);
    free(job);
}

char *
job_backup_parameters(const struct backup_request *request)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    buffer_appendf(&text, "concurrency %d", request->concurrency);
    if (request->allows_primary)
        buffer_append_text(&text, ", allow-primary");
    if (request->is_upgrade_safe)
        buffer_append_text(&text, ", upgrade-safe");
    if (!str_is_empty(request->engine))
        buffer_appendf(&text, ", engine '%s'", request->engine);
    if (!str_is_empty(request->incremental_from))
        buffer_appendf(&text, ", incremental from '%s'", request->incremental_from);
    if (request->mysql_shutdown_timeout_ms != 0)
        buffer_appendf(&text, ", shutdown timeout %lld ms",
                       (long long)request->mysql_shutdown_timeout_ms);
    return buffer_take(&text);
}

/* ---- Before anything is changed ---- */
static struct error *
check_request(struct backup_job *job)
{
    const struct backup_request *request = &job->request;
    const struct tablet_context *context = job->run.context;
    if (!str_is_empty(request->engine) && strcmp(request->engine, ENGINE_NAME) != 0)
        return error_new(ERROR_NOT_FOUND,
                         "unknown BackupEngine implementation \"%s\": known is "
                         "\"" ENGINE_NAME "\"",
                         request->engine);
    if (!str_is_empty(request->incremental_from))
        return error_new(ERROR_UNIMPLEMENTED,
                         "incremental backups are not supported: take a full backup");
    TRY(job_check_settings(context));
    return job_concurrency(request->concurrency, context->backup->backup_concurrency,
                           &job->threads);
}

/* In memory, and in the topology: we may not have heard yet that somebody made us a primary. */
static struct error *
check_type(struct backup_job *job)
{
    struct tablet_context *context = job->run.context;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    job->type = snapshot.type;
    if (job->request.allows_primary)
        return NULL;
    bool is_primary = job->type == TOPODATA__TABLET_TYPE__PRIMARY;
    if (!is_primary) {
        Topodata__Tablet *record = NULL;
        TRY(topo_get_tablet(context->topo, job->run.cancel, &context->identity->alias, &record,
                            NULL));
        is_primary = record->type == TOPODATA__TABLET_TYPE__PRIMARY;
        topodata__tablet__free_unpacked(record, NULL);
    }
    if (!is_primary)
        return NULL;
    return error_new(ERROR_UNKNOWN, "type PRIMARY cannot take backup. if you really need to do "
                                    "this, rerun the backup command with --allow_primary");
}

static struct error *
check_storage(struct backup_job *job)
{
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(job->run.context, "check-storage");
    return job_work(&job->run, &options, job->run.cancel);
}

static struct error *
read_facts(struct backup_job *job)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(job->run.context, job->run.cancel, &dba));
    return error_wrap(server_facts_read(dba.db, job->run.cancel, &job->facts),
                      "read the server's state");
}

struct error *
backup_copy_files(struct backup_job *job)
{
    const struct tablet_context *context = job->run.context;
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(context, "backup");
    options.position = xstrdup(job->position);
    options.purged_position = xstrdup(job->facts.purged_position);
    options.server_uuid = xstrdup(job->facts.server_uuid);
    options.mysql_version = xstrdup(job->facts.version_text);
    options.hostname = xstrdup(context->identity->hostname);
    options.compression = xstrdup(context->backup->compression);
    options.compression_level = context->backup->compression_level;
    options.concurrency = job->threads;
    options.start_time_ns = job->start_time_ns;
    options.is_upgrade_safe = job->request.is_upgrade_safe;
    options.image = xstrdup(job->image.path != NULL ? job->image.path : "");
    options.state = xstrdup(job->image.path != NULL ? job->state : "");
    options.proof = xstrdup(job->proof);
    options.unavailable_ms = job->unavailable_ms;
    options.chunk_bytes = context->backup->chunk_bytes;
    options.max_memory_bytes = context->backup->max_memory_bytes;
    options.rate_bytes_per_second = context->backup->rate_bytes_per_second;
    options.allows_corrupt_pages = context->backup->allows_corrupt_pages;
    job_say(&job->run, LINE_INFO, "copying the server's files to backup '%s'", job->backup_name);
    job_set_phase(job->run.job, "copy");
    int64_t start_ms = clock_monotonic_ms();
    options.draft = job_draft_path(&job->run);
    if (job->image.path != NULL) {
        options.progress = job_progress_path(&job->run);
        TRY(job_work_on(&job->run, &options, job->run.cancel));
    } else {
        TRY(job_work(&job->run, &options, job->run.cancel));
    }
    job_say(&job->run, LINE_INFO, "the files are copied after %.2f s, with %llu MB of memory",
            (double)(clock_monotonic_ms() - start_ms) / 1000.0,
            strtoull(job_result(&job->run, "memory_bytes"), NULL, 10) >> 20);
    return NULL;
}

struct error *
backup_complete(struct backup_job *job, const char *verify, struct cancel *cancel)
{
    const struct job_publication publication = {
        .backup_name = job->backup_name,
        .verify = verify,
        .server_version = job->facts.version_text,
        .unavailable_ms = job->unavailable_ms,
        .concurrency = job->threads,
    };
    return job_publish(&job->run, &publication, cancel);
}

/* ---- Which way ---- */
struct error *
backup_open_journal(struct backup_job *job, const struct server_before *before, bool has_image)
{
    job->start_time_ns = clock_wall_ns();
    freep(&job->backup_name);
    job->backup_name = backup_name(job->start_time_ns, job->run.context->identity->alias_text);
    job->run.has_image = has_image;
    job_set_backup_name(job->run.job, job->backup_name);
    return job_open_journal(&job->run, JOURNAL_BACKUP, job->backup_name, job->type, before);
}

/* Whether mysqld is to be paused; FAILED_PRECONDITION when it must be and cannot. */
static struct error *
choose_way(struct backup_job *job, bool *ret_freezes)
{
    const char *quiesce = job->run.context->backup->quiesce;
    *ret_freezes = false;
    if (str_equal(quiesce, "stop"))
        return NULL;
    if (job->request.is_upgrade_safe) {
        job_say(&job->run, LINE_INFO, "an upgrade-safe backup needs a shutdown: mysqld is stopped");
        return NULL;
    }
    CLEANUP(freep) char *problem = backup_freeze_problem(job);
    if (problem == NULL) {
        *ret_freezes = true;
        return NULL;
    }
    if (str_equal(quiesce, "freeze"))
        return error_new(ERROR_FAILED_PRECONDITION, "--backup-quiesce freeze: %s", problem);
    job_say(&job->run, LINE_INFO, "mysqld is stopped for the copy: %s", problem);
    return NULL;
}

/* A pause that failed leaves everything as it was: with "auto" there is another way. */
static struct error *
take_image(struct backup_job *job, bool *ret_is_taken)
{
    struct error *error = backup_freeze_take(job);
    *ret_is_taken = error == NULL;
    if (error == NULL || str_equal(job->run.context->backup->quiesce, "freeze") ||
        cancel_is_requested(job->run.cancel))
        return error;
    job_say_error(&job->run, error, "no image could be taken, mysqld is stopped for the copy");
    return NULL;
}

static struct error *
back_up(struct backup_job *job, bool *ret_has_image)
{
    bool freezes = false;
    TRY(check_storage(job));
    TRY(read_facts(job));
    TRY(choose_way(job, &freezes));
    if (freezes)
        TRY(take_image(job, ret_has_image));
    return *ret_has_image ? NULL : backup_stop_run(job);
}

static struct error *
end(struct backup_job *job, struct error *take_error)
{
    struct tablet_context *context = job->run.context;
    if (take_error == NULL)
        job_say(&job->run, LINE_INFO, "backup '%s' is complete", job->backup_name);
    tablet_set_backup_running(context, false);
    backup_job_free(job);
    return take_error;
}

struct error *
job_backup(struct tablet_context *context, struct job *registered,
           const struct backup_request *request, struct backup_job **ret_rest)
{
    struct backup_job *job = xcalloc(1, sizeof(*job));
    bool has_image = false;
    job->request = *request;
    job_run_init(&job->run, context, job_cancel(registered), "backup", registered);
    job_set_phase(registered, "check");
    struct error *error = check_request(job);
    if (error == NULL)
        error = check_type(job);
    if (error != NULL) {
        backup_job_free(job);
        return error;
    }
    job_say(&job->run, LINE_INFO, "backup asked for, type %s", tablet_type_name(job->type));
    tablet_set_backup_running(context, true);
    error = back_up(job, &has_image);
    if (error != NULL)
        return end(job, error);
    *ret_rest = job;
    return NULL;
}

struct error *
job_backup_finish(struct backup_job *take_rest)
{
    struct error *error = take_rest->image.path != NULL ? backup_freeze_finish(take_rest)
                                                        : backup_stop_finish(take_rest);
    return end(take_rest, error);
}
