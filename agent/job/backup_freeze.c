/* Backup without stopping mysqld: the position stands still for a moment, the supervisor pauses the
 * server and shares its files' blocks into an image; the rest is done beside the running server. */
#include <stdlib.h>
#include <string.h>

#include "agent/actions/dba.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/job/backup_job.h"
#include "agent/job/space.h"
#include "agent/mysql/dialect.h"

#define STATUS_MS 15000
#define PAUSE_MOST_MS 2000
#define LOCK_MOST_MS 2000 /* commits wait that long at most before the pause */
#define STOP_SQL_MS 60000
#define FREEZE_MS 30000
#define STEP_MS 30000
#define DROP_MS 60000
#define GO_ON_ATTEMPTS 3
#define REDO_WRITE_MS 2000

/* The time in which the position stands still. */
struct standstill {
    struct backup_job *job;
    struct db *db;
    struct cancel *cancel;
    bool had_sql_thread, has_stopped_sql, is_locked;
    int64_t start_ms, locked_ms;
};

/* ---- Whether it can be done ---- */
char *
backup_freeze_problem(struct backup_job *job)
{
    struct tablet_context *context = job->run.context;
    CLEANUP(supervisor_state_done) struct supervisor_state state = {.freeze_reason = NULL};
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(job->run.cancel, STATUS_MS);
    CLEANUP(error_freep)
    struct error *error = supervisor_status(context->mysqlctl, cancel, true, &state);
    if (error_is(error, ERROR_UNIMPLEMENTED))
        return xstrdup("this supervisor is not vtagent's, it cannot pause mysqld");
    if (error != NULL)
        return xstrdup(error->message);
    if (!state.can_freeze)
        return xstrdup(state.freeze_reason);
    return space_problem(context->identity->tablet_directory);
}

/* ---- Standing still ---- */
static struct error *
read_sql_thread(struct standstill *still)
{
    if (!still->job->facts.is_replica)
        return NULL;
    CLEANUP(replication_status_done) struct replication_status status = {0};
    TRY(replication_status_read(still->db, still->cancel, &status));
    still->had_sql_thread = status.sql_state == REPLICATION_RUNNING;
    return NULL;
}

static struct error *
stop_sql_thread(struct standstill *still)
{
    if (!still->had_sql_thread)
        return NULL;
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(still->cancel, STOP_SQL_MS);
    still->has_stopped_sql = true; /* also when it failed half-way */
    return error_wrap(db_execute(still->db, bounded, db_dialect(still->db)->stop_sql_thread),
                      "stop the replication SQL thread");
}

/* A server that takes writes, and an image that will tell what it holds: MySQL keeps that in
 * InnoDB, commit by commit, and a commit that is only prepared is rolled back by the recovery. */
static bool
may_move(const struct standstill *still)
{
    return still->job->facts.before.was_writable &&
           db_dialect(still->db)->flavor != DIALECT_MARIADB &&
           !str_equal(still->job->run.context->backup->prove, "none");
}

/* On a server that takes writes no commit may pass between the position and the pause. */
static struct error *
lock_writers_out(struct standstill *still)
{
    still->job->is_moving = may_move(still);
    if (!still->job->facts.before.was_writable || still->job->is_moving)
        return NULL;
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(still->cancel, LOCK_MOST_MS);
    still->locked_ms = clock_monotonic_ms();
    still->is_locked = true;
    return error_wrap(db_execute(still->db, bounded, "FLUSH TABLES WITH READ LOCK"),
                      "hold commits back (a long statement runs)");
}

/* A commit may be in the binary log and not yet in the redo log's file; the image has only that.
 * MariaDB with innodb_flush_log_at_trx_commit = 0 writes it by a clock of one second. */
static struct error *
write_redo(struct standstill *still)
{
    TRY(error_wrap(db_execute(still->db, still->cancel, "FLUSH LOCAL ENGINE LOGS"),
                   "write the redo log"));
    if (db_dialect(still->db)->flavor != DIALECT_MARIADB)
        return NULL;
    CLEANUP(freep) char *mode = NULL;
    TRY(db_query_text(still->db, still->cancel, "SELECT @@global.innodb_flush_log_at_trx_commit",
                      &mode));
    return str_equal(mode, "0") ? cancel_sleep_ms(still->cancel, REDO_WRITE_MS) : NULL;
}

static struct error *
read_position(struct standstill *still, char **ret_text)
{
    CLEANUP(position_freep) struct position *position = NULL;
    TRY(executed_position_read(still->db, still->cancel, &position));
    if (position == NULL)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "the server knows no position: is its binary log off");
    *ret_text = position_text(position);
    return NULL;
}

/* MariaDB keeps what this server wrote itself in the binary log alone. */
static struct error *
read_proof_position(struct standstill *still)
{
    struct backup_job *job = still->job;
    if (db_dialect(still->db)->flavor != DIALECT_MARIADB) {
        job->proof_position = xstrdup(job->position);
        return NULL;
    }
    CLEANUP(freep) char *set = NULL;
    TRY(db_query_text(still->db, still->cancel, "SELECT @@global.gtid_slave_pos", &set));
    job->proof_position = str_is_empty(set) ? xstrdup("") : xasprintf("MariaDB/%s", set);
    return NULL;
}

static struct error *
check_stood_still(struct standstill *still)
{
    CLEANUP(freep) char *now = NULL;
    if (still->job->is_moving)
        return NULL;
    TRY(read_position(still, &now));
    if (strcmp(now, still->job->position) == 0)
        return NULL;
    return error_new(ERROR_ABORTED,
                     "somebody writes to this server: its position moved from '%s' to '%s' while "
                     "replication was stopped",
                     still->job->position, now);
}

static struct error *
pause_server(struct standstill *still)
{
    struct backup_job *job = still->job;
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(still->cancel, FREEZE_MS);
    TRY(supervisor_freeze(job->run.context->mysqlctl, bounded, job->backup_name, PAUSE_MOST_MS,
                          &job->image));
    if (file_is_directory(job->image.path))
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "the image '%s' cannot be seen from here: agent and supervisor must share "
                     "the tablet's folder",
                     job->image.path);
}

static struct error *
stand_still(struct standstill *still)
{
    TRY(stop_sql_thread(still));
    TRY(lock_writers_out(still));
    TRY(read_position(still, &still->job->position));
    TRY(read_proof_position(still));
    TRY(write_redo(still)); /* also of what was committed by then */
    TRY(pause_server(still));
    return check_stood_still(still);
}

/* ---- Going on ---- */
static struct error *
start_sql_thread_once(struct standstill *still)
{
    CLEANUP(cancel_unrefp) struct cancel *own = cancel_new_child(NULL, STEP_MS);
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(still->job->run.context, own, &dba));
    return db_execute(dba.db, own, db_dialect(dba.db)->start_sql_thread);
}

static void
start_sql_thread(struct standstill *still)
{
    struct error *error = NULL;
    for (int attempt = 0; attempt < GO_ON_ATTEMPTS; attempt++) {
        error_free(error);
        error = start_sql_thread_once(still);
        if (error == NULL)
            return;
    }
    job_say_error(&still->job->run, error, "the replication SQL thread was not started again");
}

/* The caller's token counts no more. */
static void
go_on(struct standstill *still)
{
    struct backup_job *job = still->job;
    if (still->is_locked) {
        CLEANUP(cancel_unrefp) struct cancel *own = cancel_new_child(NULL, STEP_MS);
        job_say_error(&job->run, db_execute(still->db, own, "UNLOCK TABLES"),
                      "the connection that held commits back is given up");
    }
    if (still->has_stopped_sql)
        start_sql_thread(still);
    int64_t pause_ms = job->image.pause_us / 1000 + 1;
    job->unavailable_ms = still->is_locked ? clock_monotonic_ms() - still->locked_ms : pause_ms;
}

static void
drop_image(struct backup_job *job, bool *ret_is_dropped)
{
    CLEANUP(cancel_unrefp) struct cancel *own = cancel_new_child(NULL, DROP_MS);
    struct error *error = supervisor_drop_image(job->run.context->mysqlctl, own, job->backup_name);
    *ret_is_dropped = error == NULL;
    job_say_error(&job->run, error, "the image is left to the next start");
}

/* The journal stays as long as the image: a restarted agent or supervisor removes both. */
static void
leave_image(struct backup_job *job)
{
    bool is_dropped = false;
    drop_image(job, &is_dropped);
    if (is_dropped)
        job_close_journal(&job->run);
    supervisor_image_done(&job->image);
}

static void
say_taken(struct standstill *still)
{
    struct backup_job *job = still->job;
    job_say(&job->run, LINE_INFO,
            "image of %lld files, %lld MB taken at %s %s: mysqld was unavailable for %lld "
            "ms, replication stood for %lld ms",
            (long long)job->image.file_count, (long long)(job->image.bytes >> 20),
            job->is_moving ? "or after position" : "position", job->position,
            (long long)job->unavailable_ms,
            (long long)(still->has_stopped_sql ? clock_monotonic_ms() - still->start_ms : 0));
}

struct error *
backup_freeze_take(struct backup_job *job)
{
    struct standstill still = {
        .job = job, .cancel = job->run.cancel, .start_ms = clock_monotonic_ms()};
    CLEANUP(dba_done) struct dba dba = {0};
    job_set_phase(job->run.job, "image");
    TRY(dba_take(job->run.context, job->run.cancel, &dba));
    still.db = dba.db;
    TRY(read_sql_thread(&still));
    struct server_before before = job->facts.before;
    before.was_replicating = still.had_sql_thread;
    TRY(backup_open_journal(job, &before, true));
    struct error *error = stand_still(&still);
    go_on(&still);
    job->state = "crash";
    if (error == NULL)
        error = job_note_copying(&job->run);
    if (error == NULL) {
        say_taken(&still);
        return NULL;
    }
    leave_image(job);
    freep(&job->position);
    freep(&job->proof_position);
    job->unavailable_ms = 0;
    return error;
}

/* ---- Beside the running server ---- */
static struct error *
take_proven_position(struct backup_job *job, const char *position)
{
    if (!job->is_moving)
        return NULL;
    if (str_is_empty(position))
        return error_new(ERROR_INTERNAL, "the proof does not tell the image's position");
    str_replace(&job->position, position);
    job_say(&job->run, LINE_INFO, "the image's position is %s", position);
    return NULL;
}

static struct error *
prove(struct backup_job *job)
{
    const char *mode = job->run.context->backup->prove;
    CLEANUP(supervisor_proof_done) struct supervisor_proof proof = {.milliseconds = 0};
    if (str_equal(mode, "none"))
        return NULL;
    bool checks_tables = str_equal(mode, "tables");
    job_set_phase(job->run.job, "prove");
    job_say(&job->run, LINE_INFO, "proving the image: a server of its own recovers it and %s",
            checks_tables ? "checks every table" : "opens every table");
    TRY(error_wrap(supervisor_prove_image(job->run.context->mysqlctl, job->run.cancel,
                                          job->backup_name, checks_tables, job->proof_position,
                                          &proof),
                   "prove the image"));
    job->state = "clean";
    job->proof = mode;
    TRY(take_proven_position(job, proof.position));
    job_say(&job->run, LINE_INFO, "the image is proven: %lld tables, %.1f s",
            (long long)proof.table_count, (double)proof.milliseconds / 1000.0);
    return NULL;
}

static struct error *
prove_and_copy(struct backup_job *job)
{
    TRY(prove(job));
    job->run.watched_folder = job->image.path;
    struct error *error = backup_copy_files(job);
    job->run.watched_folder = NULL;
    if (error == NULL)
        return backup_complete(job, job->run.context->backup->verify, job->run.cancel);
    job_remove_incomplete(&job->run, job->backup_name);
    return error;
}

struct error *
backup_freeze_finish(struct backup_job *job)
{
    struct error *error = prove_and_copy(job);
    if (error != NULL)
        job_say(&job->run, LINE_ERROR, "the backup failed: %s", error->message);
    leave_image(job);
    tablet_poke_health(job->run.context);
    return error;
}
