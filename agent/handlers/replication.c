/* Replication on and off. */
#include "agent/actions/actions.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

HANDLER(handle_stop_replication)
{
    (void)request;
    (void)response;
    return action_stop_replication(call->context, call->cancel);
}

HANDLER(handle_start_replication)
{
    (void)response;
    const Tabletmanagerdata__StartReplicationRequest *in = request;
    return action_start_replication(call->context, call->cancel, in->semisync);
}

HANDLER(handle_restart_replication)
{
    (void)response;
    const Tabletmanagerdata__RestartReplicationRequest *in = request;
    return action_restart_replication(call->context, call->cancel, in->semisync);
}

HANDLER(handle_stop_replication_minimum)
{
    const Tabletmanagerdata__StopReplicationMinimumRequest *in = request;
    Tabletmanagerdata__StopReplicationMinimumResponse *out = response;
    char *position = NULL;
    TRY(action_stop_replication_minimum(call->context, call->cancel, in->position,
                                        in->wait_timeout / 1000000, &position));
    out->position = position;
    return NULL;
}

HANDLER(handle_start_replication_until_after)
{
    (void)response;
    const Tabletmanagerdata__StartReplicationUntilAfterRequest *in = request;
    return action_start_replication_until_after(call->context, call->cancel, in->position,
                                                in->wait_timeout / 1000000);
}

HANDLER(handle_reset_replication)
{
    (void)request;
    (void)response;
    return action_reset_replication(call->context, call->cancel);
}

HANDLER(handle_reset_replication_parameters)
{
    (void)request;
    (void)response;
    return action_reset_replication_parameters(call->context, call->cancel);
}
