/* The service as a table, and the service object behind it. */
#include <stdlib.h>

#include "agent/handlers/handlers.h"
#include "agent/handlers/service.h"
#include "agent/handlers/throttler_recent.h"
#include "vtagent_agent.pb-c.h"

#define GRANTS true
#define NO_GRANTS false

#define UNARY(method, prefix, handler, class_of, grants)                                           \
    {                                                                                              \
        .path = "/tabletmanagerservice.TabletManager/" #method,                                    \
        .request = &tabletmanagerdata__##prefix##_request__descriptor,                             \
        .response = &tabletmanagerdata__##prefix##_response__descriptor, .function = handler,      \
        .class = HANDLER_##class_of, .needs_grants = (grants)                                      \
    }
#define STREAM(method, prefix, handler)                                                            \
    {                                                                                              \
        .path = "/tabletmanagerservice.TabletManager/" #method,                                    \
        .request = &tabletmanagerdata__##prefix##_request__descriptor,                             \
        .response = &tabletmanagerdata__##prefix##_response__descriptor, .function = handler,      \
        .class = HANDLER_STREAM, .is_stream = true                                                 \
    }
/* vtagent's own service. */
#define AGENT(method, prefix, handler, class_of, is_a_stream)                                      \
    {                                                                                              \
        .path = "/vtagent.Agent/" #method, .request = &vtagent__##prefix##_request__descriptor,    \
        .response = &vtagent__##prefix##_response__descriptor, .function = handler,                \
        .class = HANDLER_##class_of, .is_stream = (is_a_stream)                                    \
    }

static const struct handler_row rows[] = {
    UNARY(Ping, ping, handle_ping, INLINE, NO_GRANTS),
    UNARY(Sleep, sleep, handle_sleep, ACTION, NO_GRANTS),
    UNARY(RunHealthCheck, run_health_check, handle_run_health_check, QUERY, NO_GRANTS),

    UNARY(FullStatus, full_status, handle_full_status, QUERY, GRANTS),
    UNARY(ReplicationStatus, replication_status, handle_replication_status, QUERY, GRANTS),
    UNARY(PrimaryStatus, primary_status, handle_primary_status, QUERY, GRANTS),
    UNARY(PrimaryPosition, primary_position, handle_primary_position, QUERY, GRANTS),
    UNARY(GetGlobalStatusVars, get_global_status_vars, handle_get_global_status_vars, QUERY,
          NO_GRANTS),
    UNARY(GetReplicas, get_replicas, handle_get_replicas, QUERY, GRANTS),
    UNARY(WaitForPosition, wait_for_position, handle_wait_for_position, WAIT, GRANTS),

    UNARY(StopReplication, stop_replication, handle_stop_replication, ACTION, GRANTS),
    UNARY(StartReplication, start_replication, handle_start_replication, ACTION, GRANTS),
    UNARY(RestartReplication, restart_replication, handle_restart_replication, ACTION, GRANTS),
    UNARY(StopReplicationMinimum, stop_replication_minimum, handle_stop_replication_minimum, ACTION,
          GRANTS),
    UNARY(StartReplicationUntilAfter, start_replication_until_after,
          handle_start_replication_until_after, ACTION, GRANTS),
    UNARY(ResetReplication, reset_replication, handle_reset_replication, ACTION, GRANTS),
    UNARY(ResetReplicationParameters, reset_replication_parameters,
          handle_reset_replication_parameters, ACTION, GRANTS),

    UNARY(InitPrimary, init_primary, handle_init_primary, ACTION, GRANTS),
    UNARY(InitReplica, init_replica, handle_init_replica, ACTION, GRANTS),
    UNARY(PopulateReparentJournal, populate_reparent_journal, handle_populate_reparent_journal,
          WAIT, GRANTS),
    UNARY(ReadReparentJournalInfo, read_reparent_journal_info, handle_read_reparent_journal_info,
          QUERY, GRANTS),
    UNARY(DemotePrimary, demote_primary, handle_demote_primary, ACTION, GRANTS),
    UNARY(UndoDemotePrimary, undo_demote_primary, handle_undo_demote_primary, ACTION, GRANTS),
    UNARY(PromoteReplica, promote_replica, handle_promote_replica, ACTION, GRANTS),
    UNARY(SetReplicationSource, set_replication_source, handle_set_replication_source, ACTION,
          GRANTS),
    UNARY(StopReplicationAndGetStatus, stop_replication_and_get_status,
          handle_stop_replication_and_get_status, ACTION, GRANTS),
    UNARY(ReplicaWasPromoted, replica_was_promoted, handle_replica_was_promoted, ACTION, GRANTS),
    UNARY(ReplicaWasRestarted, replica_was_restarted, handle_replica_was_restarted, ACTION, GRANTS),

    UNARY(SetReadOnly, set_read_only, handle_set_read_only, ACTION, NO_GRANTS),
    UNARY(SetReadWrite, set_read_write, handle_set_read_write, ACTION, NO_GRANTS),
    UNARY(ChangeType, change_type, handle_change_type, ACTION, NO_GRANTS),
    UNARY(ChangeTags, change_tags, handle_change_tags, ACTION, NO_GRANTS),
    UNARY(RefreshState, refresh_state, handle_refresh_state, ACTION, NO_GRANTS),

    UNARY(ExecuteFetchAsDba, execute_fetch_as_dba, handle_execute_fetch_as_dba, WAIT, GRANTS),
    UNARY(ExecuteMultiFetchAsDba, execute_multi_fetch_as_dba, handle_execute_multi_fetch_as_dba,
          WAIT, GRANTS),
    UNARY(ExecuteFetchAsAllPrivs, execute_fetch_as_all_privs, handle_execute_fetch_as_all_privs,
          WAIT, GRANTS),
    UNARY(ExecuteFetchAsApp, execute_fetch_as_app, handle_execute_fetch_as_app, WAIT, GRANTS),
    UNARY(ExecuteQuery, execute_query, handle_execute_query, WAIT, GRANTS),

    UNARY(GetSchema, get_schema, handle_get_schema, WAIT, NO_GRANTS),
    UNARY(ReloadSchema, reload_schema, handle_reload_schema, WAIT, NO_GRANTS),
    UNARY(ApplySchema, apply_schema, handle_apply_schema, ACTION, NO_GRANTS),
    UNARY(PreflightSchema, preflight_schema, handle_preflight_schema, ACTION, NO_GRANTS),

    UNARY(GetPermissions, get_permissions, handle_get_permissions, QUERY, NO_GRANTS),
    UNARY(ExecuteHook, execute_hook, handle_execute_hook, ACTION, NO_GRANTS),
    UNARY(LockTables, lock_tables, handle_lock_tables, WAIT, NO_GRANTS),
    UNARY(UnlockTables, unlock_tables, handle_unlock_tables, WAIT, NO_GRANTS),
    UNARY(CheckThrottler, check_throttler, handle_check_throttler, QUERY, NO_GRANTS),
    UNARY(GetThrottlerStatus, get_throttler_status, handle_get_throttler_status, QUERY, NO_GRANTS),
    UNARY(MysqlHostMetrics, mysql_host_metrics, handle_mysql_host_metrics, QUERY, NO_GRANTS),

    STREAM(Backup, backup, handle_backup),
    STREAM(RestoreFromBackup, restore_from_backup, handle_restore_from_backup),

    AGENT(Jobs, jobs, handle_jobs, QUERY, false),
    AGENT(CancelJob, cancel_job, handle_cancel_job, WAIT, false),
    AGENT(VerifyBackup, verify_backup, handle_verify_backup, STREAM, true),
};

const struct handler_row *
handler_rows(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(rows);
    return rows;
}

const struct rpc_method *
handlers_methods(struct tablet_context *context, size_t *ret_count)
{
    size_t count = ARRAY_LENGTH(rows);
    struct service *service = xcalloc(1, sizeof(*service));
    service->context = context;
    service->methods = xcalloc(count + 1, sizeof(*service->methods));
    service->bindings = xcalloc(count, sizeof(*service->bindings));
    service->table_lock = table_lock_new(service);
    service->throttler = throttler_cache_new();
    service->throttler_recent = throttler_recent_new();
    service->streams = stream_health_new(context->identity);
    service->action_watch = action_watch_new(context->loop);
    for (size_t i = 0; i < count; i++) {
        service->bindings[i] = (struct handler_binding){.service = service, .row = &rows[i]};
        service->methods[i] = (struct rpc_method){
            .path = rows[i].path,
            .request = rows[i].request,
            .response = rows[i].response,
            .handler = handler_dispatch,
            .data = &service->bindings[i],
            .is_stream = rows[i].is_stream,
        };
    }
    service->methods[count] = stream_health_method(service->streams);
    *ret_count = count + 1;
    return service->methods;
}

static struct service *
service_of(const struct rpc_method *methods)
{
    return ((struct handler_binding *)methods[0].data)->service;
}

struct stream_health *
handlers_streams(const struct rpc_method *methods)
{
    return service_of(methods)->streams;
}

struct action_watch *
handlers_action_watch(const struct rpc_method *methods)
{
    return service_of(methods)->action_watch;
}

void
handlers_free(const struct rpc_method *methods)
{
    if (methods == NULL)
        return;
    struct service *service = service_of(methods);
    stream_health_free(service->streams);
    action_watch_free(service->action_watch);
    table_lock_free(service->table_lock);
    throttler_cache_free(service->throttler);
    throttler_recent_free(service->throttler_recent);
    free(service->bindings);
    free(service->methods);
    free(service);
}
