#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/handlers/handlers.h"
#include "agent/handlers/service.h"
#include "tabletmanagerservice.pb-c.h"

static const struct handler_row *
find_row(const char *name)
{
    size_t count = 0;
    const struct handler_row *rows = handler_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(strrchr(rows[i].path, '/') + 1, name) == 0)
            return &rows[i];
    abort();
}

Test(table, every_method_of_the_service_has_its_row)
{
    const ProtobufCServiceDescriptor *service = &tabletmanagerservice__tablet_manager__descriptor;
    size_t count = 0;
    handler_rows(&count);
    cr_assert_eq(service->n_methods, 51u);
    cr_assert_eq(count, (size_t)service->n_methods + 3);
    for (unsigned i = 0; i < service->n_methods; i++) {
        const ProtobufCMethodDescriptor *method = &service->methods[i];
        const struct handler_row *row = find_row(method->name);
        cr_assert_eq(row->request, method->input);
        cr_assert_eq(row->response, method->output);
        cr_assert_not_null(row->function);
    }
}

Test(table, only_what_starts_a_job_is_a_stream)
{
    size_t count = 0;
    const struct handler_row *rows = handler_rows(&count);
    size_t streams = 0;
    for (size_t i = 0; i < count; i++)
        streams += rows[i].is_stream ? 1 : 0;
    cr_assert_eq(streams, 3u);
    cr_assert_eq(find_row("Backup")->class, HANDLER_STREAM);
    cr_assert_eq(find_row("RestoreFromBackup")->class, HANDLER_STREAM);
    cr_assert_eq(find_row("VerifyBackup")->class, HANDLER_STREAM);
}

/* Hazard 24: a backup may hold the action lock for hours. */
Test(table, what_others_poll_never_takes_the_action_lock)
{
    static const char *const lock_free[] = {"Ping",
                                            "FullStatus",
                                            "ReplicationStatus",
                                            "PrimaryStatus",
                                            "PrimaryPosition",
                                            "WaitForPosition",
                                            "PopulateReparentJournal",
                                            "ReadReparentJournalInfo",
                                            "GetGlobalStatusVars",
                                            "ReloadSchema",
                                            "GetSchema",
                                            "ExecuteFetchAsDba",
                                            "ExecuteMultiFetchAsDba",
                                            "ExecuteFetchAsApp",
                                            "ExecuteFetchAsAllPrivs",
                                            "ExecuteQuery",
                                            "GetPermissions",
                                            "GetReplicas",
                                            "RunHealthCheck",
                                            "CheckThrottler",
                                            "GetThrottlerStatus",
                                            "MysqlHostMetrics",
                                            "LockTables",
                                            "UnlockTables",
                                            "Jobs",
                                            "CancelJob"};
    for (size_t i = 0; i < sizeof(lock_free) / sizeof(lock_free[0]); i++)
        cr_assert_neq(find_row(lock_free[i])->class, HANDLER_ACTION);
}

Test(table, what_changes_the_tablet_takes_the_action_lock)
{
    static const char *const locked[] = {"Sleep",
                                         "StopReplication",
                                         "StartReplication",
                                         "RestartReplication",
                                         "ResetReplication",
                                         "InitPrimary",
                                         "InitReplica",
                                         "DemotePrimary",
                                         "UndoDemotePrimary",
                                         "PromoteReplica",
                                         "SetReplicationSource",
                                         "StopReplicationAndGetStatus",
                                         "ResetReplicationParameters",
                                         "SetReadOnly",
                                         "SetReadWrite",
                                         "ChangeType",
                                         "ChangeTags",
                                         "RefreshState",
                                         "ExecuteHook",
                                         "ApplySchema",
                                         "PreflightSchema",
                                         "StopReplicationMinimum",
                                         "StartReplicationUntilAfter",
                                         "ReplicaWasPromoted",
                                         "ReplicaWasRestarted"};
    for (size_t i = 0; i < sizeof(locked) / sizeof(locked[0]); i++)
        cr_assert_eq(find_row(locked[i])->class, HANDLER_ACTION);
}

Test(table, methods_carry_the_rows)
{
    struct tablet_context context = {0};
    size_t count = 0;
    const struct rpc_method *methods = handlers_methods(&context, &count);
    cr_assert_eq(count, 55u);
    for (size_t i = 0; i < count; i++) {
        cr_assert(strncmp(methods[i].path, "/tabletmanagerservice.TabletManager/", 36) == 0 ||
                  strncmp(methods[i].path, "/queryservice.Query/", 20) == 0 ||
                  strncmp(methods[i].path, "/vtagent.Agent/", 15) == 0);
        cr_assert_not_null(methods[i].handler);
    }
    handlers_free(methods);
    handlers_free(NULL);
}
