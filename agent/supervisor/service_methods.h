/* The methods, one row each; private to the service. */
#ifndef VTAGENT_SUPERVISOR_SERVICE_METHODS_H
#define VTAGENT_SUPERVISOR_SERVICE_METHODS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/rpc/rpc.h"
#include "agent/supervisor/keeper.h"

/* Where a method runs. Only the action worker may touch what the keeper's functions marked [action]
 * own; the image worker is for what takes long and needs none of it. */
enum service_worker { SERVICE_QUICK, SERVICE_ACTION, SERVICE_IMAGE };
struct service_method {
    const char *path;
    const ProtobufCMessageDescriptor *request, *response;
    /* Finishes the call. */
    void (*function)(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *request);
    enum service_worker worker;
    /* UNAVAILABLE while a start or a shutdown is under way: by its end, nobody may want it. */
    bool is_refused_when_busy;
};

/* service_image.c */
#define SERVICE_METHOD(name)                                                                       \
    void name(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
SERVICE_METHOD(service_status);
SERVICE_METHOD(service_freeze);
SERVICE_METHOD(service_new_image);
SERVICE_METHOD(service_drop_image);
SERVICE_METHOD(service_prove_image);

const struct service_method *service_methods(size_t *ret_count);

#endif
