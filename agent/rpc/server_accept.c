/* From the wire to the handler; all of it on the pump thread. */
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/rpc/message.h"
#include "agent/rpc/server.h"

static int64_t
deadline_ms(gpr_timespec deadline)
{
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
        return INT64_MAX;
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    return clock_monotonic_ms() + gpr_time_to_millis(left);
}

/* Authentication exempts the health check: probes of Kubernetes cannot send credentials. */
static struct error *
check_caller(struct rpc_call *call)
{
    struct rpc_server *server = call->server;
    CLEANUP(peer_certificates_donep) STACK_OF(X509) *chain = NULL;
    if (server->peers != NULL) {
        chain = peer_certificates(call->core);
        TRY(peer_rules_check_revoked(server->peers, chain));
    }
    if (str_starts_with(call->method->path, "/grpc.health.v1.Health/"))
        return NULL;
    if (server->peers != NULL)
        TRY(peer_rules_check_subject(server->peers, chain));
    return server->auth == NULL ? NULL : auth_server_check(server->auth, &call->metadata);
}

static struct error *
admit(struct rpc_call *call)
{
    struct rpc_server *server = call->server;
    pthread_mutex_lock(&server->lock);
    size_t live_count = server->live_count;
    pthread_mutex_unlock(&server->lock);
    if (live_count > MOST_LIVE_CALLS)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "%d calls are running already", MOST_LIVE_CALLS);
    return check_caller(call);
}

static struct error *
decode(struct rpc_call *call, ProtobufCMessage **ret_request)
{
    struct rpc_server *server = call->server;
    if (atomic_load(&server->request_bytes) > MOST_REQUEST_BYTES)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "too much memory is held by other requests");
    struct error *error =
        message_unpack(call->request_buffer, call->method->request, &call->arena, ret_request);
    atomic_fetch_add(&server->request_bytes, call->arena.used_bytes);
    grpc_byte_buffer_destroy(call->request_buffer);
    call->request_buffer = NULL;
    return error;
}

static void
on_message(struct rpc_tag *tag, bool is_ok)
{
    struct rpc_call *call = RPC_CONTAINER(tag, struct rpc_call, message_tag);
    ProtobufCMessage *request = NULL;
    struct error *error = NULL;
    if (!is_ok || call->request_buffer == NULL)
        error = error_new(ERROR_INTERNAL, "the call came without a request message");
    else
        error = decode(call, &request);
    if (error != NULL)
        rpc_call_finish(call, NULL, error);
    else
        call->method->handler(call, request, call->method->data);
    call_unref(call);
}

static void
on_close(struct rpc_tag *tag, bool is_ok)
{
    (void)is_ok;
    struct rpc_call *call = RPC_CONTAINER(tag, struct rpc_call, close_tag);
    if (call->is_canceled) {
        cancel_request(call->cancel);
        pthread_mutex_lock(&call->lock);
        call->is_gone = true;
        pthread_cond_broadcast(&call->has_room);
        pthread_mutex_unlock(&call->lock);
        if (call->on_gone != NULL)
            call->on_gone(call, call->gone_data);
    }
    call_unref(call);
}

/* A call that is answered at once has no use for the news: it asks together with its answer. */
static void
watch_for_close(struct rpc_call *call)
{
    const struct rpc_method *method = call->method;
    if (method == NULL || (method->is_inline && !method->is_stream))
        return;
    grpc_op op;
    size_t count = call_add_close_op(call, &op);
    call_ref(call);
    rpc_start_batch(call->core, &op, count, &call->close_tag);
}

static void
receive_request(struct rpc_call *call)
{
    grpc_op op = rpc_op(GRPC_OP_RECV_MESSAGE);
    op.data.recv_message.recv_message = &call->request_buffer;
    call_ref(call);
    rpc_start_batch(call->core, &op, 1, &call->message_tag);
}

static void
find_method(struct rpc_call *call)
{
    const char *path = (const char *)GRPC_SLICE_START_PTR(call->details.method);
    size_t length = GRPC_SLICE_LENGTH(call->details.method);
    call->method = server_find_method(call->server, path, length);
    if (call->method == NULL)
        call->unknown_path = xstrndup(path, length);
}

static struct error *
unknown_method(const struct rpc_call *call)
{
    const char *alias = call->server->alias;
    return error_new(ERROR_UNIMPLEMENTED, "unknown method '%s'%s%s", call->unknown_path,
                     alias != NULL ? " on " : "", alias != NULL ? alias : "");
}

static void
dispatch(struct rpc_call *call)
{
    struct error *error;
    if (call->method == NULL)
        error = unknown_method(call);
    else
        error = admit(call);
    if (error != NULL)
        rpc_call_finish(call, NULL, error);
    else
        receive_request(call);
}

static void
on_accept(struct rpc_tag *tag, bool is_ok)
{
    struct rpc_call *call = RPC_CONTAINER(tag, struct rpc_call, accept_tag);
    struct rpc_server *server = call->server;
    pthread_mutex_lock(&server->lock);
    server->accept_count--;
    server->live_count += is_ok;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (!is_ok) {
        call_unref(call);
        return;
    }
    call_post_accept(server);
    call->is_accepted = true;
    call->started_us = clock_monotonic_us();
    char *peer = grpc_call_get_peer(call->core);
    call->peer = xstrdup(peer);
    gpr_free(peer);
    find_method(call);
    if (call->method != NULL && !call->method->is_inline)
        call->cancel = cancel_new(deadline_ms(call->details.deadline));
    watch_for_close(call);
    dispatch(call);
}

void
call_post_accept(struct rpc_server *server)
{
    struct rpc_call *call = call_new(server);
    call->accept_tag.function = on_accept;
    call->message_tag.function = on_message;
    call->close_tag.function = on_close;
    pthread_mutex_lock(&server->lock);
    bool is_stopping = server->is_stopping;
    server->accept_count += !is_stopping;
    pthread_mutex_unlock(&server->lock);
    if (is_stopping) {
        call_unref(call);
        return;
    }
    grpc_completion_queue *queue = rpc_pump_queue(server->pump);
    rpc_tag_release(&call->accept_tag);
    grpc_call_error failure =
        grpc_server_request_call(server->core, &call->core, &call->details, &call->metadata, queue,
                                 queue, &call->accept_tag);
    if (failure != GRPC_CALL_OK)
        abort(); /* our bug: wrong queue */
}
