/* Restore: nothing is deleted before everything that can be checked was checked. From the first
 * deletion on, the marker file says that the data is incomplete: to us and to Vitess's programs. */
#include <string.h>

#include "agent/actions/actions.h"
#include "agent/actions/steps.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/job/catch_up.h"
#include "agent/job/restore_marker.h"
#include "agent/job/run.h"

#define DEFAULT_SHUTDOWN_MS 300000
#define CONNECT_TIMEOUT_MS 10000
#define PUT_BACK_STEP_MS 60000
#define FOLLOW_PAUSE_MS 1000

struct restore_job {
    struct job_run run;
    const struct restore_request *request;
    Topodata__TabletType type; /* before */
    struct server_before before;
    char *version_text, *backup_name, *position;
    bool is_same_version, keeps_matching, has_second_worker;
    int64_t begun_ms;
    /* How far it went. */
    bool has_changed_type, was_stopped, is_wiped, has_data;
};

static void
restore_job_done(struct restore_job *job)
{
    job_run_done(&job->run);
    freep(&job->version_text);
    freep(&job->backup_name);
    freep(&job->position);
}

static int64_t
shutdown_timeout_ms(const struct restore_job *job)
{
    int64_t configured = job->run.context->backup->mysql_shutdown_timeout_ms;
    return configured > 0 ? configured : DEFAULT_SHUTDOWN_MS;
}

char *
job_restore_parameters(const struct restore_request *request)
{
    char time[32] = "";
    if (request->backup_time_ns != 0)
        clock_format_rfc3339(request->backup_time_ns, time);
    return xasprintf("%s%s%s", request->backup_time_ns != 0 ? "not after " : "newest backup", time,
                     request->is_dry_run ? ", dry run" : "");
}

/* ---- Before anything is changed ---- */
static struct error *
check_type(struct restore_job *job)
{
    struct tablet_context *context = job->run.context;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    if (snapshot.is_backup_running)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "a backup of this tablet is being copied: wait for its end");
    job->type = snapshot.type;
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
    return error_new(ERROR_UNKNOWN, "type PRIMARY cannot restore from backup: reparent first");
}

static struct error *
read_running_server(struct restore_job *job)
{
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(job->run.cancel, CONNECT_TIMEOUT_MS);
    CLEANUP(dba_done) struct dba dba = {0};
    CLEANUP(server_facts_done) struct server_facts facts = {.server_uuid = NULL};
    TRY(dba_take(job->run.context, cancel, &dba));
    TRY(server_facts_read(dba.db, cancel, &facts));
    job->before = facts.before;
    str_replace(&job->version_text, facts.version_text);
    return NULL;
}

/* A server that is down, or without data, cannot be asked; its program can. */
static struct error *
read_version(struct restore_job *job)
{
    struct error *error = read_running_server(job);
    if (error == NULL)
        return NULL;
    error_free(error);
    TRY(cancel_check(job->run.cancel));
    return error_wrap(
        mysqlctl_version(job->run.context->mysqlctl, job->run.cancel, &job->version_text),
        "ask for the server's version");
}

static struct error *
choose_and_check(struct restore_job *job)
{
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(job->run.context, "restore-check");
    options.mysql_version = xstrdup(job->version_text);
    options.not_after_ns = job->request->backup_time_ns;
    if (job->request->has_data && !job->keeps_matching) {
        options.verify = xstrdup("full");
        TRY(job_concurrency(0, job->run.context->backup->restore_concurrency,
                            &options.concurrency));
        job_say(&job->run, LINE_INFO, "reading the backup before the present data is deleted");
    }
    TRY(job_work(&job->run, &options, job->run.cancel));
    str_replace(&job->backup_name, job_result(&job->run, "name"));
    job_set_backup_name(job->run.job, job->backup_name);
    str_replace(&job->position, job_result(&job->run, "position"));
    job->is_same_version = strcmp(job_result(&job->run, "same_version"), "yes") == 0;
    job_say(&job->run, LINE_INFO,
            "backup '%s' (server version '%s') is complete and fits, "
            "position %s",
            job->backup_name, job_result(&job->run, "version"), job->position);
    return NULL;
}

static struct error *
choose(struct restore_job *job)
{
    CLEANUP(error_freep) struct error *error = choose_and_check(job);
    /* Nobody may start empty over half a database. */
    if (job->is_wiped && error_is(error, ERROR_NOT_FOUND))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "a restore is unfinished and there is nothing to finish it with: %s",
                         error->message);
    struct error *result = error;
    error = NULL;
    return result;
}

/* ---- Replacing the data ---- */
static struct error *
leave_service(struct restore_job *job)
{
    job_set_phase(job->run.job, "quiesce");
    job->has_changed_type = true; /* also when it failed half-way */
    return error_wrap(tablet_change_type(job->run.context, job->run.cancel,
                                         TOPODATA__TABLET_TYPE__RESTORE, TABLET_LEAVE_READ_ONLY,
                                         SEMI_SYNC_NONE),
                      "change the type to RESTORE");
}

/* Pages that are about to be deleted need not be written; the redo log holds all that counts if the
 * data stays after all. */
static struct error *
spare_last_flush(struct restore_job *job)
{
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(job->run.cancel, CONNECT_TIMEOUT_MS);
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(job->run.context, cancel, &dba));
    return db_execute(dba.db, cancel, "SET GLOBAL innodb_fast_shutdown = 2");
}

static struct error *
stop_server(struct restore_job *job)
{
    error_free(spare_last_flush(job)); /* it may be down */
    TRY(cancel_check(job->run.cancel));
    job->was_stopped = true;
    return server_stop(job->run.context, job->run.cancel, shutdown_timeout_ms(job));
}

/* Of a backup that cannot be read nothing is deleted yet: the server comes back with its data. */
static struct error *
compare(struct restore_job *job)
{
    const struct tablet_context *context = job->run.context;
    if (!job->request->has_data || !job->keeps_matching || job->is_wiped)
        return NULL;
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(context, "restore-match");
    options.name = xstrdup(job->backup_name);
    options.kept = job_kept_path(&job->run);
    TRY(job_concurrency(0, context->backup->restore_concurrency, &options.concurrency));
    job_set_phase(job->run.job, "compare");
    job_say(&job->run, LINE_INFO,
            "comparing the present data with the backup, and reading what differs");
    return job_work(&job->run, &options, job->run.cancel);
}

static struct error *
wipe(struct restore_job *job)
{
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(job->run.context, "restore-wipe");
    TRY(cancel_check(job->run.cancel));
    job_set_phase(job->run.job, "wipe");
    if (job->keeps_matching)
        options.name = xstrdup(job->backup_name);
    job_say(&job->run, LINE_INFO, "deleting the present data%s",
            job->keeps_matching ? " but the files that the backup has too" : "");
    job->is_wiped = true;
    TRY(job_work(&job->run, &options, job->run.cancel));
    /* A new server id: with the old one it would not see what it once wrote itself. */
    return error_wrap(mysqlctl_reinit_config(job->run.context->mysqlctl, job->run.cancel),
                      "write my.cnf anew");
}

static struct error *
copy_files(struct restore_job *job)
{
    const struct tablet_context *context = job->run.context;
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(context, "restore-copy");
    options.name = xstrdup(job->backup_name);
    TRY(job_concurrency(0, context->backup->restore_concurrency, &options.concurrency));
    job_set_phase(job->run.job, "copy");
    options.keeps_matching = job->keeps_matching;
    options.kept = job_kept_path(&job->run);
    job_say(&job->run, LINE_INFO, "copying backup '%s'", job->backup_name);
    TRY(job_work(&job->run, &options, job->run.cancel));
    if (job->keeps_matching)
        job_say(&job->run, LINE_INFO, "resumed: %s of %s bytes were there",
                job_result(&job->run, "kept_bytes"), job_result(&job->run, "plain_bytes"));
    return NULL;
}

static struct error *
start_server(struct restore_job *job)
{
    job_set_phase(job->run.job, "start");
    if (!job->is_same_version) {
        job_say(&job->run, LINE_INFO, "the backup is of another server version: upgrading");
        TRY(server_upgrade(job->run.context, job->run.cancel, shutdown_timeout_ms(job)));
    }
    return server_start(job->run.context, job->run.cancel);
}

static struct error *
set_position(struct restore_job *job)
{
    struct cancel *cancel = job->run.cancel;
    CLEANUP(position_freep) struct position *position = NULL;
    CLEANUP(dba_done) struct dba dba = {0};
    enum semi_sync_action action;
    TRY(position_parse(job->position, &position));
    TRY(dba_take(job->run.context, cancel, &dba));
    TRY(replication_reset_parameters(dba.db, cancel));
    TRY(replication_set_position(dba.db, cancel, position));
    TRY(semi_sync_action_of(dba.db, cancel, false, &action));
    return semi_sync_fix(dba.db, cancel, action, false);
}

/* Once in a restore: what kills a worker twice is no accident. */
static struct error *
work_on(struct restore_job *job, struct error *(*work)(struct restore_job *job))
{
    struct error *error = work(job);
    if (error == NULL || !job->run.was_killed || job->has_second_worker)
        return error;
    job_say_error(&job->run, error, "another worker goes on");
    job->has_second_worker = job->keeps_matching = true;
    return work(job);
}

static struct error *
replace_data(struct restore_job *job)
{
    TRY(leave_service(job));
    TRY(stop_server(job));
    TRY(compare(job));
    TRY(restore_marker_write(job->run.context));
    TRY(stop_server(job)); /* somebody may have started it while there was no marker */
    TRY(work_on(job, wipe));
    TRY(work_on(job, copy_files));
    TRY(start_server(job));
    TRY(set_position(job));
    TRY(restore_marker_remove(job->run.context));
    job->has_data = true;
    job_say(&job->run, LINE_INFO, "the data is in place after %.1f s",
            (double)(clock_monotonic_ms() - job->begun_ms) / 1000.0);
    return NULL;
}

static struct error *
join_shard(struct restore_job *job)
{
    bool follows = false;
    TRY(error_wrap(action_initialize_replication(job->run.context, job->run.cancel, &follows),
                   "follow the shard's primary"));
    if (!follows) {
        job_say(&job->run, LINE_INFO, "the shard has no primary to follow yet");
        return NULL;
    }
    tablet_must_catch_up(job->run.context);
    job_set_phase(job->run.job, "catch-up");
    return catch_up_wait(&job->run);
}

/* ---- The end, good or not; the caller's token counts no more ---- */
static struct error *
enter_service(struct restore_job *job)
{
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, PUT_BACK_STEP_MS);
    return error_wrap(tablet_change_type(job->run.context, cancel,
                                         job_type_after(job->run.context, job->type),
                                         TABLET_LEAVE_READ_ONLY, SEMI_SYNC_NONE),
                      "change the type back");
}

/* Semi-sync is decided by the type: once more now that it is the final one. A mysqld that has just
 * died comes back without a source, and nobody else would give it one. */
static void
follow_with_final_type(struct restore_job *job)
{
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, PUT_BACK_STEP_MS);
    for (;;) {
        bool follows = false;
        struct error *error = action_initialize_replication(job->run.context, cancel, &follows);
        bool is_lost = error_is(error, ERROR_UNAVAILABLE) || error_is(error, ERROR_CANCELED);
        job_say_error(&job->run, error, "the shard's primary is not followed yet");
        if (!is_lost || cancel_is_requested(cancel))
            return;
        CLEANUP(error_freep)
        struct error *ended = cancel_sleep_ms(job->run.context->stop, FOLLOW_PAUSE_MS);
        if (ended != NULL)
            return; /* the next start sets it */
    }
}

static void
resume(struct restore_job *job)
{
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, PUT_BACK_STEP_MS);
    CLEANUP(dba_done) struct dba dba = {0};
    struct error *error = dba_take(job->run.context, cancel, &dba);
    if (error == NULL)
        error = server_put_semi_sync_back(dba.db, cancel, &job->before);
    if (error == NULL && job->before.was_replicating)
        error = server_resume_replication(job->run.context, dba.db, cancel);
    job_say_error(&job->run, error, "replication was not resumed");
}

/* Nothing was deleted: the server comes back with the data it had. */
static void
put_back(struct restore_job *job)
{
    job_say_error(&job->run, restore_marker_remove(job->run.context),
                  "the marker of an unfinished restore stays");
    struct error *error = NULL;
    if (job->was_stopped) {
        error = server_start(job->run.context, NULL); /* bounded by its own patience */
        if (error == NULL)
            resume(job);
    }
    job_say_error(&job->run, error, "mysqld is down");
    if (job->has_changed_type)
        job_say_error(&job->run, enter_service(job), "the type is not as before");
}

static struct error *
finish(struct restore_job *job, struct error *take_error)
{
    struct error *error = take_error;
    if (error == NULL)
        error = join_shard(job);
    if (job->has_data) {
        error = error_first(error, enter_service(job));
        follow_with_final_type(job);
    } else if (!job->is_wiped) {
        put_back(job);
    } else {
        error = error_wrap(error, "the restore is unfinished and must be run again, until then the "
                                  "tablet has no data");
    }
    job_close_journal(&job->run);
    tablet_poke_health(job->run.context);
    return error;
}

static struct error *
restore(struct restore_job *job)
{
    int64_t started_ms = clock_monotonic_ms();
    TRY(job_open_journal(&job->run, JOURNAL_RESTORE, job->backup_name, job->type, &job->before));
    TRY(finish(job, replace_data(job)));
    job_say(&job->run, LINE_INFO, "restored backup '%s' in %.1f s", job->backup_name,
            (double)(clock_monotonic_ms() - started_ms) / 1000.0);
    return NULL;
}

struct error *
job_restore(struct tablet_context *context, struct job *registered,
            const struct restore_request *request)
{
    CLEANUP(restore_job_done)
    struct restore_job job = {.request = request, .begun_ms = clock_monotonic_ms()};
    job_run_init(&job.run, context, job_cancel(registered), "restore", registered);
    job_set_phase(registered, "check");
    TRY(job_check_settings(context));
    TRY(check_type(&job));
    /* What an unfinished restore has left is no data to go back to. */
    job.is_wiped = restore_marker_exists(context);
    job.keeps_matching = job.is_wiped || context->backup->restores_delta;
    TRY(read_version(&job));
    TRY(choose(&job));
    if (request->is_dry_run) {
        job_say(&job.run, LINE_INFO, "dry run: nothing was changed");
        return NULL;
    }
    return restore(&job);
}
