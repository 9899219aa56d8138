/* What the last agent left undone. Each step may be repeated: a failure leaves the journal for the
 * next attempt. */
#include "agent/actions/actions.h"
#include "agent/actions/steps.h"
#include "agent/base/log.h"
#include "agent/job/process.h"
#include "agent/job/recover_copy.h"
#include "agent/job/restore_marker.h"
#include "agent/job/run.h"
#include "agent/mysql/dialect.h"

#define COMPONENT "recover"
#define PUBLISH_MS 60000
#define STRAY_WAIT_MS 10000

static struct error *
end_stray_worker(struct job_run *run)
{
    const struct journal *journal = &run->journal;
    struct error *error = process_end_stray(journal->worker_pid, journal->worker_start_ticks,
                                            STRAY_WAIT_MS, run->cancel);
    if (!error_is(error, ERROR_DEADLINE_EXCEEDED) || cancel_is_requested(run->cancel))
        return error;
    if (journal->kind == JOURNAL_RESTORE)
        return error; /* it may still write into the data */
    job_say_error(run, error, "going on without its end");
    return NULL;
}

static struct error *
put_server_back(struct job_run *run)
{
    const struct server_before before = {
        .was_replicating = run->journal.was_replicating,
        .was_writable = run->journal.was_writable,
        .semi_sync_primary = run->journal.semi_sync_primary,
        .semi_sync_replica = run->journal.semi_sync_replica,
    };
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(run->context, run->cancel, &dba));
    TRY(server_put_semi_sync_back(dba.db, run->cancel, &before));
    return before.was_replicating ? step_start(run->context, dba.db, run->cancel) : NULL;
}

/* The start has given the tablet a role; a type that somebody had chosen by hand is taken again. A
 * primary is one only by the topology's word. */
static struct error *
put_type_back(struct job_run *run)
{
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(run->context->tablet, &snapshot);
    Topodata__TabletType type =
        job_type_after(run->context, (Topodata__TabletType)run->journal.original_type);
    if (type == snapshot.type || type == TOPODATA__TABLET_TYPE__PRIMARY ||
        snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY ||
        snapshot.type == TOPODATA__TABLET_TYPE__UNKNOWN)
        return NULL;
    return tablet_change_type(run->context, run->cancel, type, TABLET_LEAVE_READ_ONLY,
                              SEMI_SYNC_NONE);
}

static struct error *
start_server(struct job_run *run)
{
    if (run->context->mysqlctl == NULL)
        return NULL;
    TRY(server_start(run->context, run->cancel));
    job_say_error(run, put_server_back(run), "semi-sync and replication were not put back");
    return NULL;
}

/* The agent died while the server stood still for an image. */
static struct error *
start_sql_thread(struct job_run *run)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(run->context, run->cancel, &dba));
    return db_execute(dba.db, run->cancel, db_dialect(dba.db)->start_sql_thread);
}

/* mysqld went on all the time. One that died meanwhile comes back by its supervisor, and follows
 * again as at every start. */
static struct error *
answer_image(struct job_run *run)
{
    if (!run->journal.is_copying && run->journal.was_replicating)
        job_say_error(run, start_sql_thread(run), "the replication SQL thread was not started");
    TRY(end_stray_worker(run));
    if (recover_copy(run))
        return NULL;
    if (run->context->backup != NULL)
        job_remove_incomplete(run, run->journal.backup_name);
    TRY(recover_drop_image(run));
    job_close_journal(run);
    return NULL;
}

/* A copy that had all files is a good backup, whatever became of the server afterwards. */
static void
complete_or_remove(struct job_run *run)
{
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(run->cancel, PUBLISH_MS);
    const struct job_publication publication = {
        .backup_name = run->journal.backup_name, .verify = "size", .server_version = ""};
    struct error *error = job_publish(run, &publication, bounded);
    if (error == NULL)
        job_say(run, LINE_INFO, "backup '%s' is complete", run->journal.backup_name);
    job_say_error(run, error, "the backup is given up");
}

static struct error *
answer(struct job_run *run)
{
    const struct journal *journal = &run->journal;
    bool is_backup = journal->kind == JOURNAL_BACKUP;
    job_say(run, LINE_WARNING, "the last agent did not end its %s ('%s'): putting the tablet back",
            is_backup ? "backup" : "restore", journal->backup_name);
    if (!str_is_empty(journal->image_name))
        return answer_image(run);
    TRY(end_stray_worker(run));
    if (journal->is_copying) {
        job_say(run, LINE_INFO, "the tablet was back in service already");
    } else if (!is_backup && restore_marker_exists(run->context)) {
        job_say(run, LINE_WARNING, "its data is incomplete: mysqld stays down until a restore");
    } else {
        TRY(start_server(run));
        job_say_error(run, put_type_back(run), "the type is not as before");
    }
    /* Last: the storage may hang. */
    if (is_backup && run->context->backup != NULL)
        complete_or_remove(run);
    job_close_journal(run);
    job_say(run, LINE_INFO, "the last agent's job is answered");
    return NULL;
}

struct error *
job_recover(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(job_run_done) struct job_run run;
    job_run_init(&run, context, cancel, COMPONENT, NULL);
    TRY(job_verify_clean(context, cancel));
    struct error *error = journal_read(context->identity->tablet_directory, &run.journal);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return NULL;
    }
    if (error_is(error, ERROR_DATA_LOSS)) {
        log_error_take(LOG_LEVEL_ERROR, COMPONENT, error, "the journal is removed unread");
        return journal_remove(context->identity->tablet_directory);
    }
    TRY(error);
    return answer(&run);
}
