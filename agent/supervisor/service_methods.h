/* The methods, one row each; private to the service. */
#ifndef VTAGENT_SUPERVISOR_SERVICE_METHODS_H
#define VTAGENT_SUPERVISOR_SERVICE_METHODS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/rpc/rpc.h"
#include "agent/supervisor/keeper.h"

struct service_method {
    const char *path;
    const ProtobufCMessageDescriptor *request, *response;
    /* Finishes the call. On the action worker, or the quick one: then it must not touch what the
     * action worker owns. */
    void (*function)(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *request);
    bool is_action;
};

const struct service_method *service_methods(size_t *ret_count);

#endif
