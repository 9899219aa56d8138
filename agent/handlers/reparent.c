/* Changes of role. The steps are in agent/actions; here are only messages. */
#include <string.h>

#include "agent/actions/actions.h"
#include "agent/handlers/convert.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

HANDLER(handle_init_primary)
{
    const Tabletmanagerdata__InitPrimaryRequest *in = request;
    Tabletmanagerdata__InitPrimaryResponse *out = response;
    char *position = NULL;
    TRY(action_init_primary(call->context, call->cancel, in->semisync, &position));
    out->position = position;
    return NULL;
}

HANDLER(handle_populate_reparent_journal)
{
    (void)response;
    const Tabletmanagerdata__PopulateReparentJournalRequest *in = request;
    CLEANUP(position_freep) struct position *position = NULL;
    TRY(position_parse(in->replication_position, &position));
    CLEANUP(freep) char *text = position_text(position);
    struct tablet_alias alias = tablet_alias_of(in->primary_alias);
    char alias_text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(&alias, alias_text);
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    return reparent_journal_insert(dba.db, call->cancel, call->context->identity->sidecar,
                                   in->time_created_ns, in->action_name, alias_text, text);
}

HANDLER(handle_read_reparent_journal_info)
{
    (void)request;
    Tabletmanagerdata__ReadReparentJournalInfoResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    return reparent_journal_length(dba.db, call->cancel, call->context->identity->sidecar,
                                   &out->length);
}

HANDLER(handle_init_replica)
{
    (void)response;
    const Tabletmanagerdata__InitReplicaRequest *in = request;
    struct tablet_alias parent = tablet_alias_of(in->parent);
    return action_init_replica(call->context, call->cancel, &parent, in->replication_position,
                               in->time_created_ns, in->semisync);
}

HANDLER(handle_demote_primary)
{
    const Tabletmanagerdata__DemotePrimaryRequest *in = request;
    Tabletmanagerdata__DemotePrimaryResponse *out = response;
    CLEANUP(primary_status_done) struct primary_status status = {0};
    TRY(action_demote_primary(call->context, call->cancel, in->force, &status));
    out->primary_status = convert_primary_status(&status);
    call->after = action_demote_primary_finish;
    return NULL;
}

HANDLER(handle_undo_demote_primary)
{
    (void)response;
    const Tabletmanagerdata__UndoDemotePrimaryRequest *in = request;
    return action_undo_demote_primary(call->context, call->cancel, in->semisync);
}

HANDLER(handle_promote_replica)
{
    const Tabletmanagerdata__PromoteReplicaRequest *in = request;
    Tabletmanagerdata__PromoteReplicaResponse *out = response;
    char *position = NULL;
    TRY(action_promote_replica(call->context, call->cancel, in->semisync, &position));
    out->position = position;
    return NULL;
}

HANDLER(handle_set_replication_source)
{
    (void)response;
    const Tabletmanagerdata__SetReplicationSourceRequest *in = request;
    struct set_source_request wanted = {
        .parent = tablet_alias_of(in->parent),
        .time_created_ns = in->time_created_ns,
        .forces_start = in->force_start_replication,
        .wait_position = in->wait_position,
        .semi_sync = in->semisync,
        .heartbeat_interval = in->heartbeat_interval,
    };
    return action_set_replication_source(call->context, call->cancel, &wanted);
}

HANDLER(handle_stop_replication_and_get_status)
{
    const Tabletmanagerdata__StopReplicationAndGetStatusRequest *in = request;
    Tabletmanagerdata__StopReplicationAndGetStatusResponse *out = response;
    CLEANUP(full_status_done) struct full_status flags = {0};
    CLEANUP(replication_status_done) struct replication_status before = {0}, after = {0};
    bool io_thread_only =
        in->stop_replication_mode == REPLICATIONDATA__STOP_REPLICATION_MODE__IOTHREADONLY;
    TRY(action_stop_replication_and_get_status(call->context, call->cancel, io_thread_only, &flags,
                                               &before, &after));
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(call->context->tablet, &snapshot);
    out->status = message_new(&replicationdata__stop_replication_status__descriptor);
    out->status->before = convert_replication_status(&before);
    out->status->after = convert_replication_status(&after);
    out->status->before->backup_running = snapshot.is_backup_running;
    out->status->after->backup_running = snapshot.is_backup_running;
    convert_semi_sync_flags(&flags, out->status->before);
    convert_semi_sync_flags(&flags, out->status->after);
    return NULL;
}

HANDLER(handle_replica_was_promoted)
{
    (void)request;
    (void)response;
    return action_replica_was_promoted(call->context, call->cancel);
}

HANDLER(handle_replica_was_restarted)
{
    (void)request;
    (void)response;
    return action_replica_was_restarted(call->context, call->cancel);
}
