/* grpc.health.v1: a server that answers is SERVING, until it stops. */
#include <string.h>

#include "agent/base/memory.h"
#include "agent/rpc/server.h"
#include "grpc_health.pb-c.h"

typedef Grpc__Health__V1__HealthCheckRequest health_request;
typedef Grpc__Health__V1__HealthCheckResponse health_response;

/* "" is the server as a whole; else the service of one of its methods. */
static bool
is_service_known(const struct rpc_server *server, const char *service)
{
    size_t length = strlen(service);
    if (length == 0)
        return true;
    for (size_t i = 0; i < server->method_count; i++) {
        const char *path = server->methods[i].path;
        if (strncmp(path + 1, service, length) == 0 && path[1 + length] == '/')
            return true;
    }
    return false;
}

static void
on_check(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const health_request *request = (const void *)message;
    if (!is_service_known(data, request->service)) {
        rpc_call_finish(call, NULL,
                        error_new(ERROR_NOT_FOUND, "unknown service '%s'", request->service));
        return;
    }
    health_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    rpc_call_finish(call, &response.base, NULL);
}

static void
send_status(struct rpc_call *call, Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    health_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = status;
    error_free(rpc_call_send(call, &response.base)); /* a client that is gone ends by on_gone */
}

/* False when somebody else has taken it off the list and will finish it. */
static bool
take_watch(struct rpc_server *server, struct rpc_call *call)
{
    pthread_mutex_lock(&server->lock);
    struct rpc_call **link = &server->watches;
    while (*link != NULL && *link != call)
        link = &(*link)->next_watch;
    bool is_ours = *link == call;
    if (is_ours)
        *link = call->next_watch;
    pthread_mutex_unlock(&server->lock);
    return is_ours;
}

static void
on_watcher_gone(struct rpc_call *call, void *data)
{
    (void)data;
    if (take_watch(call->server, call))
        rpc_call_finish(call, NULL, error_new(ERROR_CANCELED, "the client is gone"));
}

static void
finish_watch(struct rpc_call *call)
{
    send_status(call, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
    rpc_call_finish(call, NULL, error_new(ERROR_UNAVAILABLE, "the server is shutting down"));
}

static void
on_watch(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct rpc_server *server = data;
    const health_request *request = (const void *)message;
    send_status(call,
                is_service_known(server, request->service)
                    ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                    : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN);
    pthread_mutex_lock(&server->lock);
    bool is_stopping = server->is_stopping;
    if (!is_stopping) {
        call->next_watch = server->watches;
        server->watches = call;
    }
    pthread_mutex_unlock(&server->lock);
    if (is_stopping)
        finish_watch(call);
    else
        rpc_call_on_gone(call, on_watcher_gone, NULL);
}

void
health_stop(struct rpc_server *server)
{
    for (;;) {
        pthread_mutex_lock(&server->lock);
        struct rpc_call *call = server->watches;
        if (call != NULL)
            server->watches = call->next_watch;
        pthread_mutex_unlock(&server->lock);
        if (call == NULL)
            return;
        finish_watch(call);
    }
}

void
health_fill_methods(struct rpc_server *server, struct rpc_method *methods)
{
    const ProtobufCMessageDescriptor *request = &grpc__health__v1__health_check_request__descriptor;
    const ProtobufCMessageDescriptor *response =
        &grpc__health__v1__health_check_response__descriptor;
    methods[0] = (struct rpc_method){.path = "/grpc.health.v1.Health/Check",
                                     .request = request,
                                     .response = response,
                                     .handler = on_check,
                                     .data = server,
                                     .is_inline = true};
    methods[1] = (struct rpc_method){.path = "/grpc.health.v1.Health/Watch",
                                     .request = request,
                                     .response = response,
                                     .handler = on_watch,
                                     .data = server,
                                     .is_stream = true,
                                     .is_inline = true};
}
