#include "agent/job/run.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/job/process.h"
#include "agent/job/space.h"
#include "backup/backup.h"

#define DEFAULT_THREADS 4
#define PROGRESS_LINE_MS 3000
#define REMOVE_TIMEOUT_MS 60000
#define REMOVE_CALL_MS 10000

void
job_run_init(struct job_run *run, struct tablet_context *context, struct cancel *cancel,
             const char *name, struct job *job)
{
    *run = (struct job_run){.context = context, .cancel = cancel, .name = name, .job = job};
}

void
job_run_done(struct job_run *run)
{
    journal_done(&run->journal);
    strv_done(&run->result_keys);
    strv_done(&run->result_values);
    freep(&run->space_problem);
}

static void
say(struct job_run *run, int level, const char *text)
{
    enum log_level log_level = level == LINE_ERROR     ? LOG_LEVEL_ERROR
                               : level == LINE_WARNING ? LOG_LEVEL_WARN
                                                       : LOG_LEVEL_INFO;
    log_write(log_level, run->name, "%s", text);
    job_add_line(run->job, level, text);
}

void
job_say(struct job_run *run, int level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *text = xvasprintf(format, arguments);
    va_end(arguments);
    say(run, level, text);
}

void
job_say_error(struct job_run *run, struct error *take_error, const char *text)
{
    if (take_error != NULL)
        job_say(run, LINE_WARNING, "%s: %s", text, take_error->message);
    error_free(take_error);
}

struct error *
job_check_settings(const struct tablet_context *context)
{
    if (str_is_empty(context->identity->mycnf_path))
        return error_new(ERROR_FAILED_PRECONDITION, "no my.cnf is known: set --mycnf-file");
    if (context->mysqlctl == NULL)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "mysqld cannot be stopped and started: set --mysqlctl-socket");
    if (context->backup == NULL || str_is_empty(context->backup->storage_implementation))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "no backup storage is configured: set --backup-storage-implementation");
    return NULL;
}

struct error *
job_concurrency(int asked, int configured, int64_t *ret_threads)
{
    if (asked < 0)
        return error_new(ERROR_INVALID_ARGUMENT, "concurrency %d: 1 to %d", asked,
                         BACKUP_THREADS_MOST);
    int threads = asked > 0 ? asked : configured > 0 ? configured : DEFAULT_THREADS;
    *ret_threads = threads < BACKUP_THREADS_MOST ? threads : BACKUP_THREADS_MOST;
    return NULL;
}

struct worker_options
job_worker_options(const struct tablet_context *context, const char *mode)
{
    const struct tablet_identity *identity = context->identity;
    return (struct worker_options){
        .mode = xstrdup(mode),
        .storage_implementation = xstrdup(context->backup->storage_implementation),
        .file_root = xstrdup(context->backup->file_root),
        .gcs_bucket = xstrdup(context->backup->gcs_bucket),
        .gcs_root = xstrdup(context->backup->gcs_root),
        .keyspace = xstrdup(identity->keyspace),
        .shard = xstrdup(identity->shard),
        .alias = xstrdup(identity->alias_text),
        .mycnf = xstrdup(identity->mycnf_path),
        .storage_timeout_ms = context->backup->storage_timeout_ms,
    };
}

void
job_options_done(struct worker_options *options)
{
    worker_options_done(options);
}

/* ---- The worker ---- */
static void
on_start(int pid, void *data)
{
    struct job_run *run = data;
    if (!run->has_journal)
        return;
    run->journal.worker_pid = pid;
    run->journal.worker_start_ticks = process_start_ticks(pid);
    job_say_error(run, journal_write(run->context->identity->tablet_directory, &run->journal),
                  "the worker's pid is not in the journal");
}

static void
on_log(int level, const char *text, void *data)
{
    say(data, level, text);
}

static void
watch_space(struct job_run *run)
{
    if (run->watched_folder == NULL || run->space_problem != NULL)
        return;
    run->space_problem = space_problem(run->watched_folder);
    if (run->space_problem != NULL)
        cancel_request(run->work_cancel);
}

static void
say_progress(struct job_run *run, uint64_t done, uint64_t total, const char *text)
{
    struct job_view view = {.done_bytes = done, .total_bytes = total};
    if (run->job != NULL)
        job_read(run->job, &view);
    CLEANUP(freep) char *progress = job_progress_text(&view);
    job_say(run, LINE_INFO, "%s, %s", progress, text);
}

static void
on_progress(uint64_t done, uint64_t total, const char *text, void *data)
{
    struct job_run *run = data;
    int64_t now = clock_monotonic_ms();
    if (done != total)
        watch_space(run);
    job_set_progress(run->job, done, total);
    bool is_first_at_end = done == total && !run->has_told_end;
    if (now - run->last_progress_ms < PROGRESS_LINE_MS && !is_first_at_end)
        return;
    run->last_progress_ms = now;
    run->has_told_end = done == total;
    say_progress(run, done, total, text);
}

static void
on_result(const char *key, const char *value, void *data)
{
    struct job_run *run = data;
    strv_add(&run->result_keys, key);
    strv_add(&run->result_values, value);
}

static void
on_killed(void *data)
{
    struct job_run *run = data;
    run->was_killed = true;
}

static void
on_left(int pid, const char *text, void *data)
{
    struct job_run *run = data;
    job_registry_add_stray(run->context->jobs, pid, text);
}

static void
forget_results(struct job_run *run)
{
    strv_done(&run->result_keys);
    strv_done(&run->result_values);
}

struct error *
job_work(struct job_run *run, const struct worker_options *options, struct cancel *cancel)
{
    CLEANUP(strv_done) struct strv argv = {.items = NULL};
    const struct worker_events events = {.on_start = on_start,
                                         .on_log = on_log,
                                         .on_progress = on_progress,
                                         .on_result = on_result,
                                         .on_killed = on_killed,
                                         .on_left = on_left,
                                         .data = run};
    TRY(job_registry_check_strays(run->context->jobs));
    run->was_killed = false;
    forget_results(run);
    worker_options_print(options, &argv);
    CLEANUP(cancel_unrefp) struct cancel *own = cancel_new_child(cancel, INT64_MAX);
    run->work_cancel = own;
    run->has_told_end = false;
    struct error *error = process_run(&argv, &events, &process_patience_default, own);
    run->work_cancel = NULL;
    if (error != NULL && run->space_problem != NULL) {
        error_free(error);
        error = error_new(ERROR_RESOURCE_EXHAUSTED, "%s", run->space_problem);
    }
    run->journal.worker_pid = 0;
    run->journal.worker_start_ticks = 0;
    return error;
}

static void
on_check(const char *name, const struct check_result *result, void *data)
{
    struct job_run *run = data;
    if (run->on_check != NULL)
        run->on_check(name, result, run->check_data);
}

struct error *
job_ask_worker(struct job_run *run, const struct worker_options *options, struct cancel *cancel)
{
    static const struct process_patience little = {.term_ms = 1000, .kill_ms = 1000};
    CLEANUP(strv_done) struct strv argv = {.items = NULL};
    const struct worker_events events = {
        .on_result = on_result, .on_check = on_check, .on_left = on_left, .data = run};
    struct job_stray strays[JOB_STRAYS_MOST];
    if (job_registry_read_strays(run->context->jobs, strays) > 0)
        return error_new(ERROR_UNAVAILABLE, "not asked while a worker hangs in it: %s",
                         strays[0].text);
    forget_results(run);
    worker_options_print(options, &argv);
    return process_run(&argv, &events, &little, cancel);
}

char *
job_progress_path(const struct job_run *run)
{
    return xasprintf("%s/vtagent_job.progress", run->context->identity->tablet_directory);
}

char *
job_draft_path(const struct job_run *run)
{
    return xasprintf("%s/vtagent_job.manifest", run->context->identity->tablet_directory);
}

char *
job_kept_path(const struct job_run *run)
{
    return xasprintf("%s/vtagent_job.kept", run->context->identity->tablet_directory);
}

struct error *
job_publish(struct job_run *run, const struct job_publication *publication, struct cancel *cancel)
{
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(run->context, "publish");
    options.draft = job_draft_path(run);
    options.name = xstrdup(publication->backup_name);
    options.verify = xstrdup(publication->verify);
    options.mysql_version = xstrdup(publication->server_version);
    options.unavailable_ms = publication->unavailable_ms;
    options.concurrency = publication->concurrency;
    options.rate_bytes_per_second = run->context->backup->rate_bytes_per_second;
    job_set_phase(run->job, "verify");
    struct error *error =
        file_exists(options.draft)
            ? error_wrap(job_work(run, &options, cancel), "read back and complete backup '%s'",
                         publication->backup_name)
            : error_new(ERROR_NOT_FOUND, "its files were not all copied");
    if (error != NULL)
        job_remove_incomplete(run, publication->backup_name);
    return error;
}

struct error *
job_work_on(struct job_run *run, struct worker_options *options, struct cancel *cancel)
{
    strv_done(&run->journal.worker_words);
    worker_options_print(options, &run->journal.worker_words);
    struct error *error = job_work(run, options, cancel);
    if (error == NULL || !run->was_killed)
        return error;
    job_say_error(run, error, "another worker goes on with the copy");
    options->resumes = true;
    TRY(job_work(run, options, cancel));
    job_say(run, LINE_INFO, "resumed: %s bytes were stored already",
            job_result(run, "resumed_bytes"));
    return NULL;
}

const char *
job_result(const struct job_run *run, const char *key)
{
    for (size_t i = 0; i < run->result_keys.count; i++) {
        if (strcmp(run->result_keys.items[i], key) == 0)
            return run->result_values.items[i];
    }
    return "";
}

void
job_remove_incomplete(struct job_run *run, const char *backup_name)
{
    CLEANUP(cancel_unrefp) struct cancel *own = cancel_new_child(NULL, REMOVE_TIMEOUT_MS);
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(run->context, "remove-incomplete");
    str_replace(&options.name, backup_name);
    if (options.storage_timeout_ms > REMOVE_CALL_MS)
        options.storage_timeout_ms = REMOVE_CALL_MS;
    job_say_error(run, job_work(run, &options, own),
                  "an incomplete backup may be left behind: run 'vtagent ctl RemoveBackup'");
}

/* ---- The journal ---- */
static struct error *
remove_records(const struct job_run *run)
{
    CLEANUP(freep) char *progress = job_progress_path(run);
    CLEANUP(freep) char *draft = job_draft_path(run);
    CLEANUP(freep) char *kept = job_kept_path(run);
    return error_first(file_remove(progress), error_first(file_remove(draft), file_remove(kept)));
}

struct error *
job_open_journal(struct job_run *run, enum journal_kind kind, const char *backup_name,
                 Topodata__TabletType type, const struct server_before *before)
{
    journal_done(&run->journal);
    run->journal = (struct journal){
        .kind = kind,
        .backup_name = xstrdup(backup_name),
        .image_name = xstrdup(run->has_image ? backup_name : ""),
        .original_type = (int)type,
        .was_replicating = before->was_replicating,
        .was_writable = before->was_writable,
        .semi_sync_primary = before->semi_sync_primary,
        .semi_sync_replica = before->semi_sync_replica,
    };
    TRY(remove_records(run)); /* of a job that has no journal any more */
    TRY(error_wrap(journal_write(run->context->identity->tablet_directory, &run->journal),
                   "write the job's journal"));
    run->has_journal = true;
    return NULL;
}

struct error *
job_note_copying(struct job_run *run)
{
    run->journal.is_copying = true;
    return error_wrap(journal_write(run->context->identity->tablet_directory, &run->journal),
                      "write the job's journal");
}

void
job_close_journal(struct job_run *run)
{
    run->has_journal = false;
    job_say_error(run, remove_records(run), "a record of what was copied stays");
    job_say_error(run, journal_remove(run->context->identity->tablet_directory),
                  "the job's journal stays");
}

Topodata__TabletType
job_type_after(const struct tablet_context *context, Topodata__TabletType type)
{
    if (type == TOPODATA__TABLET_TYPE__BACKUP || type == TOPODATA__TABLET_TYPE__RESTORE ||
        type == TOPODATA__TABLET_TYPE__UNKNOWN)
        return context->identity->init_type;
    return type;
}
