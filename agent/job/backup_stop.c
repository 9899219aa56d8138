/* Backup by stopping mysqld: the tablet leaves service, the server is quiesced and stopped, a
 * worker copies its files, and then everything is put back, whatever happened in between. */
#include <string.h>

#include "agent/actions/actions.h"
#include "agent/actions/steps.h"
#include "agent/base/clock.h"
#include "agent/job/backup_job.h"

#define DEFAULT_SHUTDOWN_MS 300000
#define PUT_BACK_STEP_MS 60000
#define TOPOLOGY_PATIENCE_MS 60000
#define TOPOLOGY_PAUSE_MS 1000

/* ---- Taking it ---- */
static struct error *
leave_service(struct backup_job *job)
{
    job_set_phase(job->run.job, "quiesce");
    job->has_changed_type = true; /* also when it failed half-way */
    return error_wrap(tablet_change_type(job->run.context, job->run.cancel,
                                         TOPODATA__TABLET_TYPE__BACKUP, TABLET_LEAVE_READ_ONLY,
                                         SEMI_SYNC_NONE),
                      "change the type to BACKUP");
}

/* After this nothing writes any more: the position is that of the files. */
static struct error *
quiesce(struct backup_job *job, struct db *db)
{
    struct tablet_context *context = job->run.context;
    struct cancel *cancel = job->run.cancel;
    CLEANUP(position_freep) struct position *position = NULL;
    job->was_quiesced = true;
    if (job->facts.is_replica)
        TRY(step_stop(context, db, cancel));
    if (job->facts.before.was_writable)
        TRY(error_wrap(replication_fence(db, &context->dba_params, false, cancel),
                       "make the server read-only"));
    TRY(executed_position_read(db, cancel, &position));
    if (position == NULL)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "the server knows no position: is its binary log off");
    job->position = position_text(position);
    if (job->request.is_upgrade_safe)
        TRY(db_execute(db, cancel, "SET GLOBAL innodb_fast_shutdown = 0"));
    return NULL;
}

/* What was executed in between would be in the files and not in the position. */
static struct error *
check_quiet(struct backup_job *job, struct db *db)
{
    CLEANUP(position_freep) struct position *now = NULL;
    TRY(executed_position_read(db, job->run.cancel, &now));
    CLEANUP(freep) char *text = position_text(now);
    if (strcmp(text, job->position) == 0)
        return NULL;
    return error_new(ERROR_ABORTED,
                     "somebody writes to this server: its position moved from '%s' to '%s' after "
                     "replication was stopped",
                     job->position, text);
}

static struct error *
quiesce_server(struct backup_job *job)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(job->run.context, job->run.cancel, &dba));
    TRY(quiesce(job, dba.db));
    return check_quiet(job, dba.db);
}

static struct error *
stop_server(struct backup_job *job)
{
    int64_t timeout_ms = job->request.mysql_shutdown_timeout_ms;
    if (timeout_ms <= 0)
        timeout_ms = job->run.context->backup->mysql_shutdown_timeout_ms;
    if (timeout_ms <= 0)
        timeout_ms = DEFAULT_SHUTDOWN_MS;
    job_say(&job->run, LINE_INFO, "stopping mysqld at position %s", job->position);
    job->was_stopped = true;
    job->stopped_ms = clock_monotonic_ms();
    return server_stop(job->run.context, job->run.cancel, timeout_ms);
}

static struct error *
take(struct backup_job *job)
{
    TRY(leave_service(job));
    TRY(quiesce_server(job));
    TRY(stop_server(job));
    TRY(backup_copy_files(job));
    job->is_copied = true;
    return NULL;
}

/* ---- Putting everything back; the caller's token counts no more ---- */
static struct cancel *
own_token(void)
{
    return cancel_new_child(NULL, PUT_BACK_STEP_MS);
}

static struct error *
start_server(struct backup_job *job)
{
    if (!job->was_stopped)
        return NULL;
    TRY(server_start(job->run.context, NULL)); /* bounded by its own patience */
    job->unavailable_ms = clock_monotonic_ms() - job->stopped_ms;
    job_say(&job->run, LINE_INFO, "mysqld is up again after %.1f s",
            (double)job->unavailable_ms / 1000.0);
    return NULL;
}

/* The primary's own switch to read-write comes with its type. */
static struct error *
restore_flags(struct backup_job *job, struct db *db, struct cancel *cancel)
{
    const struct server_before *before = &job->facts.before;
    if (job->was_stopped)
        TRY(server_put_semi_sync_back(db, cancel, before));
    if (job->type == TOPODATA__TABLET_TYPE__PRIMARY)
        return NULL;
    return before->was_writable ? server_set_read_write(db, cancel)
                                : server_set_read_only(db, cancel);
}

static void
put_server_back(struct backup_job *job)
{
    CLEANUP(cancel_unrefp) struct cancel *cancel = own_token();
    CLEANUP(dba_done) struct dba dba = {0};
    struct error *error = dba_take(job->run.context, cancel, &dba);
    if (error != NULL) {
        job_say_error(&job->run, error, "the server's settings were not put back");
        return;
    }
    if (job->request.is_upgrade_safe && !job->was_stopped)
        job_say_error(&job->run, db_execute(dba.db, cancel, "SET GLOBAL innodb_fast_shutdown = 1"),
                      "innodb_fast_shutdown stays 0");
    job_say_error(&job->run, restore_flags(job, dba.db, cancel),
                  "semi-sync and read-only were not put back");
    if (!job->facts.before.was_replicating)
        return;
    job_say_error(&job->run, server_resume_replication(job->run.context, dba.db, cancel),
                  "replication was not resumed");
}

/* Whether the shard has got another primary meanwhile. */
static struct error *
has_other_primary(const struct tablet_context *context, struct cancel *cancel, bool *ret_has)
{
    Topodata__Shard *shard = NULL;
    TRY(topo_get_shard(context->topo, cancel, context->identity->keyspace, context->identity->shard,
                       &shard, NULL));
    struct tablet_alias primary = tablet_alias_of(shard->primary_alias);
    topodata__shard__free_unpacked(shard, NULL);
    *ret_has =
        !tablet_alias_is_zero(&primary) && !tablet_alias_equal(&primary, &context->identity->alias);
    return NULL;
}

static struct error *
try_primary_again(struct backup_job *job, struct cancel *cancel)
{
    struct tablet_context *context = job->run.context;
    bool has_other = false;
    TRY(has_other_primary(context, cancel, &has_other));
    if (has_other) {
        job_say(&job->run, LINE_WARNING, "the shard has another primary now: becoming a replica");
        return tablet_change_type(context, cancel, TOPODATA__TABLET_TYPE__REPLICA,
                                  TABLET_LEAVE_READ_ONLY, SEMI_SYNC_NONE);
    }
    return tablet_change_type(context, cancel, TOPODATA__TABLET_TYPE__PRIMARY,
                              job->facts.before.was_writable ? TABLET_SET_READ_WRITE
                                                             : TABLET_LEAVE_READ_ONLY,
                              SEMI_SYNC_NONE);
}

/* A primary's record is written before it takes writes: that needs the topology. */
static struct error *
become_primary_again(struct backup_job *job)
{
    int64_t end = clock_monotonic_ms() + TOPOLOGY_PATIENCE_MS;
    for (;;) {
        CLEANUP(cancel_unrefp) struct cancel *cancel = own_token();
        struct error *error = try_primary_again(job, cancel);
        if (error == NULL || clock_monotonic_ms() >= end)
            return error;
        error_free(error);
        TRY(cancel_sleep_ms(job->run.context->stop, TOPOLOGY_PAUSE_MS));
    }
}

static struct error *
enter_service(struct backup_job *job)
{
    struct tablet_context *context = job->run.context;
    if (!job->has_changed_type)
        return NULL;
    if (job->type == TOPODATA__TABLET_TYPE__PRIMARY)
        return become_primary_again(job);
    CLEANUP(cancel_unrefp) struct cancel *cancel = own_token();
    if (job->was_stopped && job->facts.before.was_replicating)
        tablet_must_catch_up(context);
    return tablet_change_type(context, cancel, job_type_after(context, job->type),
                              TABLET_LEAVE_READ_ONLY, SEMI_SYNC_NONE);
}

/* The primary may have moved, and the policy may want another semi-sync role. A server whose
 * replication somebody had stopped stays stopped. */
static void
follow_primary(struct backup_job *job)
{
    struct tablet_snapshot snapshot;
    bool follows = false;
    tablet_get_snapshot(job->run.context->tablet, &snapshot);
    if (snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY ||
        (!job->facts.before.was_replicating && job->type != TOPODATA__TABLET_TYPE__PRIMARY))
        return;
    CLEANUP(cancel_unrefp) struct cancel *cancel = own_token();
    job_say_error(&job->run, action_initialize_replication(job->run.context, cancel, &follows),
                  "the shard's primary is not followed yet");
}

/* Something is not as before: what is there of the backup is settled at once, without reading all
 * of it, since the action lock is held. */
static struct error *
settle(struct backup_job *job)
{
    CLEANUP(cancel_unrefp) struct cancel *cancel = own_token();
    if (job->is_copied)
        return backup_complete(job, "size", cancel);
    if (job->was_stopped)
        job_remove_incomplete(&job->run, job->backup_name);
    return NULL;
}

/* mysqld first: without it nothing else can be done, and the journal stays for the next start. */
static struct error *
put_back(struct backup_job *job, struct error **ret_incomplete)
{
    job_set_phase(job->run.job, "put-back");
    struct error *error = start_server(job);
    if (error == NULL && job->was_quiesced)
        put_server_back(job);
    bool is_up = error == NULL;
    error = error_first(error, error_wrap(enter_service(job), "change the type back"));
    if (is_up && job->was_quiesced)
        follow_primary(job);
    if (error == NULL && job->is_copied)
        error = job_note_copying(&job->run);
    if (error != NULL || !job->is_copied) {
        /* Last: the storage may hang. */
        *ret_incomplete = settle(job);
        if (is_up)
            job_close_journal(&job->run);
    }
    tablet_poke_health(job->run.context);
    return error;
}

struct error *
backup_stop_finish(struct backup_job *job)
{
    struct error *error = backup_complete(job, job->run.context->backup->verify, job->run.cancel);
    job_close_journal(&job->run);
    tablet_poke_health(job->run.context);
    return error;
}

static struct error *
finish(struct backup_job *job, struct error *take_error, struct error *take_after)
{
    if (take_after == NULL)
        return take_error;
    job_say(&job->run, LINE_ERROR, "after the backup: %s", take_after->message);
    if (take_error != NULL)
        return error_first(take_error, take_after);
    return error_wrap(take_after, "backup '%s' is complete, but the tablet is not as before",
                      job->backup_name);
}

struct error *
backup_stop_run(struct backup_job *job)
{
    TRY(backup_open_journal(job, &job->facts.before, false));
    struct error *error = take(job);
    if (error != NULL)
        job_say(&job->run, LINE_ERROR, "the backup failed, putting the tablet back: %s",
                error->message);
    struct error *incomplete = NULL;
    struct error *after = put_back(job, &incomplete);
    return finish(job, error_first(error, incomplete), after);
}
