/* A call with any number of messages. The pump thread keeps one message received in advance and
 * sends one at a time; the two ends each have a wake-up of their own. */
#include <stdlib.h>

#include "agent/base/memory.h"
#include "agent/rpc/client.h"
#include "agent/rpc/message.h"
#include "agent/rpc/status.h"

struct rpc_stream {
    struct rpc_channel *channel;
    const ProtobufCMessageDescriptor *descriptor;
    grpc_call *call;
    struct cancel *cancel;
    bool is_canceled_by_receiver, is_canceled_by_sender;
    struct signal received, sent;
    struct rpc_tag start_tag, receive_tag, send_tag, status_tag;
    grpc_metadata_array initial, trailing;
    grpc_slice details;

    pthread_mutex_t lock; /* the rest */
    size_t tags_under_way;
    grpc_byte_buffer *sending, *incoming; /* incoming is the core's while is_receiving */
    bool is_receiving, is_sending, has_ended, has_status, is_send_broken, is_half_closed;
    grpc_status_code code;
};

static void
tag_is_back(struct rpc_stream *stream)
{
    stream->tags_under_way--;
    signal_raise(&stream->received);
    signal_raise(&stream->sent);
}

/* Under the lock. */
static void
start(struct rpc_stream *stream, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    stream->tags_under_way++;
    rpc_start_batch(stream->call, ops, count, tag);
}

static void
on_started(struct rpc_tag *tag, bool is_ok)
{
    (void)is_ok; /* the status says why not */
    struct rpc_stream *stream = RPC_CONTAINER(tag, struct rpc_stream, start_tag);
    pthread_mutex_lock(&stream->lock);
    tag_is_back(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void
on_status(struct rpc_tag *tag, bool is_ok)
{
    (void)is_ok;
    struct rpc_stream *stream = RPC_CONTAINER(tag, struct rpc_stream, status_tag);
    pthread_mutex_lock(&stream->lock);
    stream->has_status = true;
    tag_is_back(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void
on_received(struct rpc_tag *tag, bool is_ok)
{
    struct rpc_stream *stream = RPC_CONTAINER(tag, struct rpc_stream, receive_tag);
    pthread_mutex_lock(&stream->lock);
    stream->is_receiving = false;
    stream->has_ended = !is_ok || stream->incoming == NULL;
    tag_is_back(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void
on_sent(struct rpc_tag *tag, bool is_ok)
{
    struct rpc_stream *stream = RPC_CONTAINER(tag, struct rpc_stream, send_tag);
    pthread_mutex_lock(&stream->lock);
    if (stream->sending != NULL)
        grpc_byte_buffer_destroy(stream->sending);
    stream->sending = NULL;
    stream->is_sending = false;
    stream->is_send_broken |= !is_ok;
    tag_is_back(stream);
    pthread_mutex_unlock(&stream->lock);
}

/* Under the lock. */
static void
receive_next(struct rpc_stream *stream)
{
    grpc_op op = rpc_op(GRPC_OP_RECV_MESSAGE);
    op.data.recv_message.recv_message = &stream->incoming;
    stream->is_receiving = true;
    start(stream, &op, 1, &stream->receive_tag);
}

static void
start_all(struct rpc_stream *stream, struct client_start *first)
{
    grpc_op ops[2];
    ops[0] = rpc_op(GRPC_OP_SEND_INITIAL_METADATA);
    ops[0].flags = first->flags;
    ops[0].data.send_initial_metadata.count = first->metadata_count;
    ops[0].data.send_initial_metadata.metadata = first->metadata;
    ops[1] = rpc_op(GRPC_OP_RECV_INITIAL_METADATA);
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &stream->initial;
    grpc_op status = rpc_op(GRPC_OP_RECV_STATUS_ON_CLIENT);
    status.data.recv_status_on_client.trailing_metadata = &stream->trailing;
    status.data.recv_status_on_client.status = &stream->code;
    status.data.recv_status_on_client.status_details = &stream->details;
    pthread_mutex_lock(&stream->lock);
    start(stream, ops, 2, &stream->start_tag);
    start(stream, &status, 1, &stream->status_tag);
    receive_next(stream);
    pthread_mutex_unlock(&stream->lock);
}

struct error *
rpc_stream_open(struct rpc_channel *channel, const char *path,
                const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
                struct rpc_stream **ret_stream)
{
    TRY(cancel_check(cancel));
    struct signal received, sent;
    TRY(signal_init(&received));
    struct error *error = signal_init(&sent);
    if (error != NULL) {
        signal_done(&received);
        return error;
    }
    struct rpc_stream *stream = xcalloc(1, sizeof(*stream));
    stream->channel = channel;
    stream->descriptor = response_descriptor;
    stream->cancel = cancel_ref(cancel);
    stream->received = received;
    stream->sent = sent;
    stream->start_tag.function = on_started;
    stream->receive_tag.function = on_received;
    stream->send_tag.function = on_sent;
    stream->status_tag.function = on_status;
    stream->details = grpc_empty_slice();
    pthread_mutex_init(&stream->lock, NULL);
    struct client_start first = channel_start_call(channel, path, cancel);
    stream->call = first.call;
    start_all(stream, &first);
    auth_release_metadata(first.metadata, first.metadata_count);
    *ret_stream = stream;
    return NULL;
}

/* Under the lock: waits until the last send is through. */
static void
wait_for_send(struct rpc_stream *stream)
{
    while (stream->is_sending) {
        pthread_mutex_unlock(&stream->lock);
        signal_wait(&stream->sent, stream->call, stream->cancel, &stream->is_canceled_by_sender);
        pthread_mutex_lock(&stream->lock);
    }
}

/* Under the lock. */
static struct error *
status_of(struct rpc_stream *stream)
{
    return status_to_error(stream->code, stream->details, stream->cancel);
}

struct error *
rpc_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message)
{
    grpc_byte_buffer *buffer;
    TRY(message_pack(message, stream->channel->max_message_bytes, &buffer));
    struct error *error = NULL;
    pthread_mutex_lock(&stream->lock);
    wait_for_send(stream);
    if (stream->has_status)
        error = status_of(stream);
    if (error == NULL && (stream->has_status || stream->is_send_broken))
        error = error_new(ERROR_UNAVAILABLE, "the peer has ended the stream");
    if (error == NULL) {
        grpc_op op = rpc_op(GRPC_OP_SEND_MESSAGE);
        op.data.send_message.send_message = buffer;
        stream->sending = buffer;
        stream->is_sending = true;
        start(stream, &op, 1, &stream->send_tag);
    }
    pthread_mutex_unlock(&stream->lock);
    if (error != NULL)
        grpc_byte_buffer_destroy(buffer);
    return error;
}

void
rpc_stream_half_close(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    wait_for_send(stream);
    if (!stream->is_half_closed) {
        grpc_op op = rpc_op(GRPC_OP_SEND_CLOSE_FROM_CLIENT);
        stream->is_half_closed = true;
        stream->is_sending = true;
        start(stream, &op, 1, &stream->send_tag);
    }
    pthread_mutex_unlock(&stream->lock);
}

static bool
has_something(const struct rpc_stream *stream)
{
    if (stream->is_receiving)
        return false;
    return stream->incoming != NULL || stream->has_status;
}

struct error *
rpc_stream_receive(struct rpc_stream *stream, ProtobufCMessage **ret_message)
{
    struct error *error = NULL;
    ProtobufCMessage *message = NULL;
    pthread_mutex_lock(&stream->lock);
    while (!has_something(stream)) {
        pthread_mutex_unlock(&stream->lock);
        signal_wait(&stream->received, stream->call, stream->cancel,
                    &stream->is_canceled_by_receiver);
        pthread_mutex_lock(&stream->lock);
    }
    grpc_byte_buffer *buffer = stream->incoming;
    stream->incoming = NULL;
    if (buffer == NULL)
        error = status_of(stream);
    else if (!stream->has_ended)
        receive_next(stream);
    pthread_mutex_unlock(&stream->lock);
    if (buffer != NULL) {
        error = message_unpack_heap(buffer, stream->descriptor, &message);
        grpc_byte_buffer_destroy(buffer);
    }
    if (error != NULL)
        return channel_explain(stream->channel, error);
    *ret_message = message;
    return NULL;
}

void
rpc_stream_free(struct rpc_stream *stream)
{
    if (stream == NULL)
        return;
    pthread_mutex_lock(&stream->lock);
    if (!stream->has_status)
        grpc_call_cancel(stream->call, NULL);
    while (stream->tags_under_way > 0) {
        pthread_mutex_unlock(&stream->lock);
        bool is_canceled = true;
        signal_wait(&stream->received, stream->call, NULL, &is_canceled);
        pthread_mutex_lock(&stream->lock);
    }
    pthread_mutex_unlock(&stream->lock);
    if (stream->incoming != NULL)
        grpc_byte_buffer_destroy(stream->incoming);
    grpc_metadata_array_destroy(&stream->initial);
    grpc_metadata_array_destroy(&stream->trailing);
    grpc_slice_unref(stream->details);
    grpc_call_unref(stream->call);
    cancel_unref(stream->cancel);
    signal_done(&stream->received);
    signal_done(&stream->sent);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}
