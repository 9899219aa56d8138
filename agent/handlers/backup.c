/* Backup and RestoreFromBackup: checks of the request; the work is a job's. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/handlers/crc64.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"
#include "agent/job/job.h"

/* A Backup call's request and the job made of it. */
struct backup_call {
    struct tablet_context *context;
    Tabletmanagerdata__BackupRequest *in;
    struct backup_job *rest;
};

static void
backup_call_free(void *data)
{
    struct backup_call *backup = data;
    protobuf_c_message_free_unpacked(&backup->in->base, NULL);
    free(backup);
}

static struct error *
refuse_primary(bool is_primary)
{
    if (!is_primary)
        return NULL;
    return error_new(ERROR_UNKNOWN, "type PRIMARY cannot take backup. if you really need to do "
                                    "this, rerun the backup command with --allow_primary");
}

/* We may not have heard yet that somebody made us a primary. */
static struct error *
check_type(struct tablet_context *context, struct job *job)
{
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    TRY(refuse_primary(snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY));
    Topodata__Tablet *record = NULL;
    TRY(topo_get_tablet(context->topo, job_cancel(job), &context->identity->alias, &record, NULL));
    bool is_primary = record->type == TOPODATA__TABLET_TYPE__PRIMARY;
    topodata__tablet__free_unpacked(record, NULL);
    return refuse_primary(is_primary);
}

static bool
is_listed(const Tabletmanagerdata__BackupRequest__InitSQL *init_sql, Topodata__TabletType type)
{
    for (size_t i = 0; i < init_sql->n_tablet_types; i++)
        if (init_sql->tablet_types[i] == type)
            return true;
    return false;
}

static struct error *
run_init_queries(struct tablet_context *context, struct job *job,
                 const Tabletmanagerdata__BackupRequest__InitSQL *init, int64_t timeout_ms)
{
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(job_cancel(job), timeout_ms);
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    for (size_t i = 0; i < init->n_queries; i++) {
        CLEANUP(db_result_freep) struct db_result *result = NULL;
        TRY(error_wrap(db_query(dba.db, cancel, DB_NO_LIMIT, init->queries[i], &result),
                       "init SQL query %zu", i + 1));
    }
    return NULL;
}

static struct error *
run_init_sql(struct tablet_context *context, struct job *job,
             const Tabletmanagerdata__BackupRequest__InitSQL *init)
{
    if (init == NULL || init->n_queries == 0)
        return NULL;
    int64_t timeout_ms = message_duration_ms(init->timeout);
    if (timeout_ms <= 0)
        return error_new(ERROR_INVALID_ARGUMENT, "init SQL queries need a timeout");
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    if (!is_listed(init, snapshot.type))
        return NULL;
    job_set_phase(job, "init-sql");
    struct error *error = run_init_queries(context, job, init, timeout_ms);
    if (error == NULL || init->fail_on_error)
        return error_wrap(error, "failed to execute backup init SQL queries");
    LOG_WARN("backup", "init SQL: %s", error->message);
    job_add_line(job, LINE_WARNING, error->message);
    error_free(error);
    return NULL;
}

static const char *
engine_of(const Tabletmanagerdata__BackupRequest *in)
{
    bool is_set =
        in->_backup_engine_case == TABLETMANAGERDATA__BACKUP_REQUEST___BACKUP_ENGINE_BACKUP_ENGINE;
    return is_set && !str_is_empty(in->backup_engine) ? in->backup_engine : NULL;
}

static struct backup_request
backup_request_of(const Tabletmanagerdata__BackupRequest *in)
{
    return (struct backup_request){
        .concurrency = in->concurrency,
        .allows_primary = in->allow_primary,
        .is_upgrade_safe = in->upgrade_safe,
        .engine = engine_of(in),
        .incremental_from = in->incremental_from_pos,
        .mysql_shutdown_timeout_ms = message_duration_ms(in->mysql_shutdown_timeout),
    };
}

static struct error *
take_backup(struct job *job, void *data)
{
    struct backup_call *backup = data;
    const struct backup_request wanted = backup_request_of(backup->in);
    if (!backup->in->allow_primary)
        TRY(check_type(backup->context, job));
    TRY(run_init_sql(backup->context, job, backup->in->init_sql));
    return job_backup(backup->context, job, &wanted, &backup->rest);
}

static struct error *
finish_backup(struct job *job, void *data)
{
    (void)job;
    return job_backup_finish(((struct backup_call *)data)->rest);
}

/* Init SQL by its checksum: two requests with other statements are not the same. */
static char *
backup_parameters(const Tabletmanagerdata__BackupRequest *in)
{
    const struct backup_request wanted = backup_request_of(in);
    CLEANUP(freep) char *text = job_backup_parameters(&wanted);
    if (in->init_sql == NULL || in->init_sql->n_queries == 0)
        return xstrdup(text);
    size_t size = protobuf_c_message_get_packed_size(&in->init_sql->base);
    CLEANUP(freep) uint8_t *packed = xmalloc(size + 1);
    protobuf_c_message_pack(&in->init_sql->base, packed);
    return xasprintf("%s, init SQL %016" PRIx64, text, crc64_iso(packed, size));
}

HANDLER(handle_backup)
{
    (void)response;
    const Tabletmanagerdata__BackupRequest *in = request;
    struct tablet_context *context = call->context;
    if (str_is_empty(context->identity->mycnf_path))
        return error_new(ERROR_UNKNOWN, "cannot perform backup without my.cnf, please restart "
                                        "with --mycnf-file");
    struct backup_call *backup = xcalloc(1, sizeof(*backup));
    backup->context = context;
    backup->in = message_copy(&in->base);
    CLEANUP(freep) char *parameters = backup_parameters(in);
    const struct job_plan plan = {
        .kind = JOB_BACKUP,
        .parameters = parameters,
        .first = {context->action_worker, take_backup},
        .second = {context->job_worker, finish_backup},
        .data = backup,
        .free_data = backup_call_free,
    };
    return handler_run_job(call, &plan);
}

/* ---- Restore ---- */
struct restore_call {
    struct tablet_context *context;
    struct restore_request wanted;
};

static struct error *
restore(struct job *job, void *data)
{
    const struct restore_call *restore = data;
    return job_restore(restore->context, job, &restore->wanted);
}

static bool
allows_our_engine(const Tabletmanagerdata__RestoreFromBackupRequest *in)
{
    for (size_t i = 0; i < in->n_allowed_backup_engines; i++)
        if (strcmp(in->allowed_backup_engines[i], "builtin") == 0)
            return true;
    return in->n_allowed_backup_engines == 0;
}

static struct error *
check_restore(const Tabletmanagerdata__RestoreFromBackupRequest *in)
{
    bool has_position = !str_is_empty(in->restore_to_pos);
    bool has_time = message_time_ns(in->restore_to_timestamp) != 0;
    if (has_position && has_time)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "--restore-to-pos and --restore-to-timestamp are mutually exclusive");
    if (has_position || has_time)
        return error_new(ERROR_UNIMPLEMENTED,
                         "restoring to a position or time between backups is not supported: "
                         "restore a full backup, with --backup-timestamp for an older one");
    if (!allows_our_engine(in))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "only backups of the builtin engine can be restored");
    return NULL;
}

HANDLER(handle_restore_from_backup)
{
    (void)response;
    const Tabletmanagerdata__RestoreFromBackupRequest *in = request;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(call->context->tablet, &snapshot);
    if (snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY)
        return error_new(ERROR_UNKNOWN,
                         "type PRIMARY cannot restore from backup, if you really need to do this, "
                         "restart with --restore-from-backup");
    if (str_is_empty(call->context->identity->mycnf_path))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "cannot perform restore without my.cnf, please restart with "
                         "--mycnf-file");
    TRY(check_restore(in));
    struct restore_call *restoring = xcalloc(1, sizeof(*restoring));
    restoring->context = call->context;
    restoring->wanted = (struct restore_request){
        .backup_time_ns = message_time_ns(in->backup_time),
        .is_dry_run = in->dry_run,
        .has_data = true,
    };
    CLEANUP(freep) char *parameters = job_restore_parameters(&restoring->wanted);
    const struct job_plan plan = {
        .kind = JOB_RESTORE,
        .parameters = parameters,
        .first = {call->context->action_worker, restore},
        .data = restoring,
        .free_data = free,
    };
    return handler_run_job(call, &plan);
}
