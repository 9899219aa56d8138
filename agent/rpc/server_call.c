/* A call's answers. The core takes one send at a time: a stream's further messages wait in a ring,
 * and the status waits for the ring to drain. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/rpc/message.h"
#include "agent/rpc/server.h"
#include "agent/rpc/status.h"

static void on_sent(struct rpc_tag *tag, bool is_ok);

struct rpc_call *
call_new(struct rpc_server *server)
{
    struct rpc_call *call = xcalloc(1, sizeof(*call));
    atomic_init(&call->references, 1);
    call->server = server;
    call->send_tag.function = on_sent;
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    arena_init(&call->arena, MESSAGE_ARENA_BYTES);
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->has_room, NULL);
    return call;
}

void
call_ref(struct rpc_call *call)
{
    atomic_fetch_add(&call->references, 1);
}

static void
destroy_buffer(grpc_byte_buffer **buffer)
{
    if (*buffer != NULL)
        grpc_byte_buffer_destroy(*buffer);
    *buffer = NULL;
}

static void
drop_queue(struct rpc_call *call)
{
    for (; call->queue_count > 0; call->queue_count--) {
        destroy_buffer(&call->queue[call->queue_first]);
        call->queue_first = (call->queue_first + 1) % SEND_QUEUE_LENGTH;
    }
}

static void
call_free(struct rpc_call *call)
{
    struct rpc_server *server = call->server;
    bool is_accepted = call->is_accepted;
    if (call->core != NULL)
        grpc_call_unref(call->core);
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    destroy_buffer(&call->request_buffer);
    destroy_buffer(&call->sending);
    destroy_buffer(&call->response);
    drop_queue(call);
    free(call->queue);
    atomic_fetch_sub(&server->request_bytes, call->arena.used_bytes);
    arena_done(&call->arena);
    cancel_unref(call->cancel);
    free(call->unknown_path);
    free(call->peer);
    free(call->status_text);
    pthread_cond_destroy(&call->has_room);
    pthread_mutex_destroy(&call->lock);
    free(call);
    if (!is_accepted)
        return;
    pthread_mutex_lock(&server->lock);
    server->live_count--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

void
call_unref(struct rpc_call *call)
{
    if (atomic_fetch_sub(&call->references, 1) == 1)
        call_free(call);
}

bool
call_is_gone(struct rpc_call *call)
{
    pthread_mutex_lock(&call->lock);
    bool is_gone = call->is_gone;
    pthread_mutex_unlock(&call->lock);
    return is_gone;
}

static size_t
add_metadata_op(struct rpc_call *call, grpc_op *ops)
{
    if (call->has_sent_metadata)
        return 0;
    call->has_sent_metadata = true;
    ops[0] = rpc_op(GRPC_OP_SEND_INITIAL_METADATA);
    return 1;
}

size_t
call_add_close_op(struct rpc_call *call, grpc_op *ops)
{
    if (call->has_close_op)
        return 0;
    call->has_close_op = true;
    ops[0] = rpc_op(GRPC_OP_RECV_CLOSE_ON_SERVER);
    ops[0].data.recv_close_on_server.cancelled = &call->is_canceled;
    return 1;
}

static size_t
add_message_op(struct rpc_call *call, grpc_op *ops, grpc_byte_buffer *message)
{
    if (message == NULL)
        return 0;
    call->sending = message;
    ops[0] = rpc_op(GRPC_OP_SEND_MESSAGE);
    ops[0].data.send_message.send_message = message;
    return 1;
}

/* Under the lock, nothing being sent: the next message, or the status after the last. */
static void
send_next(struct rpc_call *call)
{
    grpc_op ops[4];
    size_t count = 0;
    grpc_slice details = grpc_empty_slice();
    if (call->queue_count > 0) {
        count += add_metadata_op(call, ops);
        count += add_message_op(call, ops + count, call->queue[call->queue_first]);
        call->queue[call->queue_first] = NULL;
        call->queue_first = (call->queue_first + 1) % SEND_QUEUE_LENGTH;
        call->queue_count--;
    } else if (call->is_finishing && !call->is_finished) {
        call->is_finished = true;
        count += add_metadata_op(call, ops);
        count += add_message_op(call, ops + count, call->response);
        call->response = NULL;
        grpc_op *op = &ops[count++];
        *op = rpc_op(GRPC_OP_SEND_STATUS_FROM_SERVER);
        op->data.send_status_from_server.status = (grpc_status_code)call->status_code;
        if (call->status_text != NULL)
            details = grpc_slice_from_copied_string(call->status_text);
        op->data.send_status_from_server.status_details = &details;
        count += call_add_close_op(call, ops + count);
    }
    if (count == 0)
        return;
    call->is_sending = true;
    call_ref(call);
    rpc_start_batch(call->core, ops, count, &call->send_tag);
    grpc_slice_unref(details);
}

static void
report_done(struct rpc_call *call)
{
    struct rpc_server *server = call->server;
    if (server->on_done != NULL)
        server->on_done(call->method != NULL ? call->method->path : "unknown", call->status_code,
                        clock_monotonic_us() - call->started_us, server->on_done_data);
}

static void
on_sent(struct rpc_tag *tag, bool is_ok)
{
    struct rpc_call *call = RPC_CONTAINER(tag, struct rpc_call, send_tag);
    pthread_mutex_lock(&call->lock);
    destroy_buffer(&call->sending);
    call->is_sending = false;
    call->is_gone |= !is_ok;
    if (call->is_gone)
        drop_queue(call);
    bool is_done = call->is_finished;
    if (!is_done)
        send_next(call);
    pthread_cond_broadcast(&call->has_room);
    pthread_mutex_unlock(&call->lock);
    if (is_done)
        report_done(call);
    call_unref(call);
}

/* Under the lock. */
static void
enqueue(struct rpc_call *call, grpc_byte_buffer *take_buffer)
{
    if (call->queue == NULL)
        call->queue = xcalloc(SEND_QUEUE_LENGTH, sizeof(*call->queue));
    call->queue[(call->queue_first + call->queue_count++) % SEND_QUEUE_LENGTH] = take_buffer;
    if (!call->is_sending)
        send_next(call);
}

struct error *
rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message)
{
    grpc_byte_buffer *buffer;
    TRY(message_pack(message, call->server->max_message_bytes, &buffer));
    pthread_mutex_lock(&call->lock);
    while (call->queue_count == SEND_QUEUE_LENGTH && !call->is_gone)
        pthread_cond_wait(&call->has_room, &call->lock);
    bool is_gone = call->is_gone;
    if (!is_gone) {
        enqueue(call, buffer);
        buffer = NULL;
    }
    pthread_mutex_unlock(&call->lock);
    destroy_buffer(&buffer);
    return is_gone ? error_new(ERROR_CANCELED, "the client is gone") : NULL;
}

struct error *
rpc_call_offer(struct rpc_call *call, const ProtobufCMessage *message, size_t most_queued)
{
    grpc_byte_buffer *buffer;
    TRY(message_pack(message, call->server->max_message_bytes, &buffer));
    pthread_mutex_lock(&call->lock);
    bool is_gone = call->is_gone;
    bool is_full = call->queue_count >= most_queued || call->queue_count == SEND_QUEUE_LENGTH;
    if (!is_gone && !is_full) {
        enqueue(call, buffer);
        buffer = NULL;
    }
    pthread_mutex_unlock(&call->lock);
    destroy_buffer(&buffer);
    if (is_gone)
        return error_new(ERROR_CANCELED, "the client is gone");
    return is_full ? error_new(ERROR_RESOURCE_EXHAUSTED,
                               "%zu messages wait for the client: it is too slow", most_queued)
                   : NULL;
}

void
rpc_call_on_gone(struct rpc_call *call, void (*on_gone)(struct rpc_call *call, void *data),
                 void *data)
{
    call->on_gone = on_gone;
    call->gone_data = data;
    if (call_is_gone(call))
        on_gone(call, data);
}

static void
set_status(struct rpc_call *call, const struct error *error)
{
    if (error == NULL)
        return;
    const char *path = call->method != NULL ? call->method->path : call->unknown_path;
    call->status_code = error->code == ERROR_OK ? ERROR_UNKNOWN : (int)error->code;
    call->status_text = status_text(path, call->server->alias, error->message);
}

void
rpc_call_finish(struct rpc_call *call, const ProtobufCMessage *response, struct error *take_error)
{
    grpc_byte_buffer *buffer = NULL;
    if (response != NULL && take_error == NULL)
        take_error = message_pack(response, call->server->max_message_bytes, &buffer);
    pthread_mutex_lock(&call->lock);
    set_status(call, take_error);
    call->response = buffer;
    call->is_finishing = true;
    if (!call->is_sending)
        send_next(call);
    pthread_mutex_unlock(&call->lock);
    error_free(take_error);
    call_unref(call);
}

struct cancel *
rpc_call_cancel(struct rpc_call *call)
{
    return call->cancel;
}

const char *
rpc_call_method(const struct rpc_call *call)
{
    return strrchr(call->method->path, '/') + 1;
}

const char *
rpc_call_peer(const struct rpc_call *call)
{
    return call->peer;
}
