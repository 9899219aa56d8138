/* Calls of the TabletManager service that several verbs make. */
#include <string.h>

#include "agent/ctl/session.h"
#include "tabletmanagerservice.pb-c.h"
#include "vtagent_agent.pb-c.h"

#define OUR_SERVICE "/vtagent.Agent/"
#define NOT_A_REPLICA_ERRNO 100

static struct error *
find_method(const char *name, const ProtobufCMethodDescriptor **ret_method)
{
    bool is_ours = str_starts_with(name, OUR_SERVICE);
    const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(
        is_ours ? &vtagent__agent__descriptor : &tabletmanagerservice__tablet_manager__descriptor,
        is_ours ? name + strlen(OUR_SERVICE) : name);
    if (method == NULL)
        return error_new(ERROR_INTERNAL, "method '%s' is unknown", name);
    *ret_method = method;
    return NULL;
}

static struct error *
call_with(struct ctl *ctl, const Topodata__Tablet *tablet, const char *method,
          const ProtobufCMessage *request, struct cancel *cancel, ProtobufCMessage **ret_response)
{
    const ProtobufCMethodDescriptor *descriptor = NULL;
    TRY(find_method(method, &descriptor));
    if (request != NULL)
        return ctl->call(ctl, tablet, method, request, descriptor->output, cancel, ret_response);
    CLEANUP(freep) ProtobufCMessage *empty = xcalloc(1, descriptor->input->sizeof_message);
    descriptor->input->message_init(empty);
    return ctl->call(ctl, tablet, method, empty, descriptor->output, cancel, ret_response);
}

struct error *
ctl_call(struct ctl *ctl, const Topodata__Tablet *tablet, const char *method,
         const ProtobufCMessage *request, struct cancel *cancel, int64_t timeout_ms,
         void *ret_response)
{
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(cancel, timeout_ms > 0 ? timeout_ms : INT64_MAX);
    CLEANUP(record_freep) ProtobufCMessage *response = NULL;
    TRY(call_with(ctl, tablet, method, request, bounded, &response));
    if (ret_response != NULL) {
        memcpy(ret_response, &response, sizeof(response));
        response = NULL;
    }
    return NULL;
}

bool
error_says_not_a_replica(const struct error *error)
{
    return error != NULL && error->mysql_errno == NOT_A_REPLICA_ERRNO;
}

struct error *
call_primary_position(struct ctl *ctl, const Topodata__Tablet *tablet, struct cancel *cancel,
                      int64_t timeout_ms, char **ret_position)
{
    CLEANUP(record_freep) Tabletmanagerdata__PrimaryPositionResponse *response = NULL;
    TRY(ctl_call(ctl, tablet, "PrimaryPosition", NULL, cancel, timeout_ms, &response));
    *ret_position = xstrdup(response->position);
    return NULL;
}

struct error *
call_wait_for_position(struct ctl *ctl, const Topodata__Tablet *tablet, const char *position,
                       struct cancel *cancel, int64_t timeout_ms)
{
    Tabletmanagerdata__WaitForPositionRequest request =
        TABLETMANAGERDATA__WAIT_FOR_POSITION_REQUEST__INIT;
    request.position = (char *)(uintptr_t)position;
    return ctl_call(ctl, tablet, "WaitForPosition", &request.base, cancel, timeout_ms, NULL);
}

struct error *
call_set_source(struct ctl *ctl, const Topodata__Tablet *tablet, const struct set_source *source,
                struct cancel *cancel, int64_t timeout_ms)
{
    Tabletmanagerdata__SetReplicationSourceRequest request =
        TABLETMANAGERDATA__SET_REPLICATION_SOURCE_REQUEST__INIT;
    request.parent = (Topodata__TabletAlias *)(uintptr_t)source->parent;
    request.time_created_ns = source->time_created_ns;
    request.force_start_replication = source->is_forced;
    request.wait_position = (char *)(uintptr_t)source->wait_position;
    request.semisync = source->wants_semi_sync;
    return ctl_call(ctl, tablet, "SetReplicationSource", &request.base, cancel, timeout_ms, NULL);
}

struct error *
call_promote(struct ctl *ctl, const Topodata__Tablet *tablet, bool is_first, bool wants_semi_sync,
             struct cancel *cancel, int64_t timeout_ms, char **ret_position)
{
    if (is_first) {
        Tabletmanagerdata__InitPrimaryRequest request =
            TABLETMANAGERDATA__INIT_PRIMARY_REQUEST__INIT;
        CLEANUP(record_freep) Tabletmanagerdata__InitPrimaryResponse *response = NULL;
        request.semisync = wants_semi_sync;
        TRY(ctl_call(ctl, tablet, "InitPrimary", &request.base, cancel, timeout_ms, &response));
        *ret_position = xstrdup(response->position);
        return NULL;
    }
    Tabletmanagerdata__PromoteReplicaRequest request =
        TABLETMANAGERDATA__PROMOTE_REPLICA_REQUEST__INIT;
    CLEANUP(record_freep) Tabletmanagerdata__PromoteReplicaResponse *response = NULL;
    request.semisync = wants_semi_sync;
    TRY(ctl_call(ctl, tablet, "PromoteReplica", &request.base, cancel, timeout_ms, &response));
    *ret_position = xstrdup(response->position);
    return NULL;
}

struct error *
call_populate_journal(struct ctl *ctl, const Topodata__Tablet *primary, int64_t time_created_ns,
                      const char *action, const char *position, struct cancel *cancel,
                      int64_t timeout_ms)
{
    Tabletmanagerdata__PopulateReparentJournalRequest request =
        TABLETMANAGERDATA__POPULATE_REPARENT_JOURNAL_REQUEST__INIT;
    request.time_created_ns = time_created_ns;
    request.action_name = (char *)(uintptr_t)action;
    request.primary_alias = primary->alias;
    request.replication_position = (char *)(uintptr_t)position;
    return ctl_call(ctl, primary, "PopulateReparentJournal", &request.base, cancel, timeout_ms,
                    NULL);
}
