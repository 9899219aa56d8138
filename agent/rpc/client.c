#include "agent/rpc/client.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/rpc/message.h"
#include "agent/rpc/status.h"

enum {
    DEFAULT_MESSAGE_BYTES = 64 * 1024 * 1024,
    PING_EVERY_MS = 10000, /* Vitess's values */
    PING_TIMEOUT_MS = 10000,
    FIRST_RECONNECT_MS = 200,
    MOST_RECONNECT_MS = 3000,
    CONNECT_TIMEOUT_MS = 5000,
    RESOLVE_AGAIN_MS = 2000,
    METADATA_BYTES = 64 * 1024,
    EXPLAIN_MS = 300,
};
#define HEALTH_CHECK "/grpc.health.v1.Health/Check"

static grpc_arg
integer_arg(const char *key, int64_t value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    arg.value.integer = (int)value;
    return arg;
}

static grpc_channel *
create_core(const struct rpc_channel *channel, grpc_channel_credentials *credentials)
{
    grpc_arg args[16] = {
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, channel->max_message_bytes),
        integer_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, channel->max_message_bytes),
        integer_arg(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES),
        integer_arg(GRPC_ARG_ENABLE_RETRIES, 0), /* transparent ones can hang a call */
        integer_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, PING_EVERY_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, PING_TIMEOUT_MS),
        integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, FIRST_RECONNECT_MS),
        integer_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, MOST_RECONNECT_MS),
        integer_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS),
        integer_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RESOLVE_AGAIN_MS),
        integer_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0), /* tablets are in the cluster */
        integer_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        integer_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
    };
    size_t count = 15;
    if (!str_is_empty(channel->tls.server_name)) {
        args[count].type = GRPC_ARG_STRING;
        args[count].key = (char *)(uintptr_t)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG;
        args[count++].value.string = channel->tls.server_name;
    }
    grpc_channel_args all = {count, args};
    return grpc_channel_create(channel->target, credentials, &all);
}

static struct error *
make_credentials(const struct rpc_channel *channel, grpc_channel_credentials **ret_credentials)
{
    if (tls_is_used(&channel->tls) && !str_starts_with(channel->target, "unix:"))
        return tls_client_credentials(&channel->tls, ret_credentials);
    *ret_credentials = grpc_insecure_credentials_create();
    return NULL;
}

/* Under the lock: (re)makes the core's channel from what the files say now. Calls under way keep
 * the old one alive. */
static struct error *
connect_core(struct rpc_channel *channel)
{
    grpc_channel_credentials *credentials;
    struct auth_client auth;
    TRY(auth_client_read(channel->client_file, &auth));
    struct error *error = make_credentials(channel, &credentials);
    if (error != NULL) {
        auth_client_done(&auth);
        return error;
    }
    if (channel->core != NULL)
        grpc_channel_destroy(channel->core);
    channel->core = create_core(channel, credentials);
    grpc_channel_credentials_release(credentials);
    auth_client_done(&channel->auth);
    channel->auth = auth;
    return NULL;
}

static bool
has_changed(struct rpc_channel *channel)
{
    const char *paths[] = {channel->tls.certificate_file, channel->tls.key_file,
                           channel->tls.ca_file, channel->tls.crl_file, channel->client_file};
    bool is_changed = false;
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct stamp now = stamp_of(paths[i]);
        is_changed |= !stamp_equal(&now, &channel->stamps[i]);
        channel->stamps[i] = now;
    }
    return is_changed;
}

struct error *
rpc_channel_new(struct rpc_pump *pump, const struct rpc_channel_options *options,
                struct rpc_channel **ret_channel)
{
    struct rpc_channel *channel = xcalloc(1, sizeof(*channel));
    channel->pump = pump;
    channel->target = xstrdup(options->target);
    channel->tls = tls_copy(&options->tls);
    channel->client_file = xstrdup(options->auth.client_file);
    channel->waits_for_ready = options->waits_for_ready;
    channel->max_message_bytes =
        options->max_message_bytes > 0 ? options->max_message_bytes : DEFAULT_MESSAGE_BYTES;
    if (channel->max_message_bytes > INT32_MAX)
        channel->max_message_bytes = INT32_MAX;
    pthread_mutex_init(&channel->lock, NULL);
    has_changed(channel);
    struct error *error = connect_core(channel);
    if (error != NULL) {
        rpc_channel_free(channel);
        return error_wrap(error, "prepare calls to '%s'", options->target);
    }
    *ret_channel = channel;
    return NULL;
}

void
rpc_channel_free(struct rpc_channel *channel)
{
    if (channel == NULL)
        return;
    if (channel->core != NULL)
        grpc_channel_destroy(channel->core);
    auth_client_done(&channel->auth);
    tls_done(&channel->tls);
    free(channel->client_file);
    free(channel->target);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

static gpr_timespec
core_deadline(const struct cancel *cancel)
{
    int64_t left = cancel_remaining_ms(cancel);
    if (left == INT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(left, GPR_TIMESPAN));
}

struct client_start
channel_start_call(struct rpc_channel *channel, const char *path, const struct cancel *cancel)
{
    struct client_start start = {.call = NULL};
    if (channel->waits_for_ready)
        start.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY |
                      GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    pthread_mutex_lock(&channel->lock);
    if (has_changed(channel)) {
        struct error *error = connect_core(channel);
        log_error_take(LOG_LEVEL_WARN, "rpc", error, "calls to '%s' use the files read before",
                       channel->target);
    }
    start.metadata_count = auth_client_fill(&channel->auth, start.metadata);
    grpc_slice method = grpc_slice_from_copied_string(path);
    start.call = grpc_channel_create_call(channel->core, NULL, GRPC_PROPAGATE_DEFAULTS,
                                          rpc_pump_queue(channel->pump), method, NULL,
                                          core_deadline(cancel), NULL);
    grpc_slice_unref(method);
    pthread_mutex_unlock(&channel->lock);
    return start;
}

/* ---- One unary call: a single batch, so that the waiting thread is woken once. ---- */
struct unary {
    struct rpc_tag tag;
    struct signal signal;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *request, *response;
    grpc_status_code code;
    grpc_slice details;
};

static void
on_unary_done(struct rpc_tag *tag, bool is_ok)
{
    (void)is_ok; /* always: the batch holds the status */
    struct signal signal = RPC_CONTAINER(tag, struct unary, tag)->signal;
    signal_raise(&signal); /* from here on the memory is the waiting thread's */
}

static void
unary_start(struct unary *unary, const struct client_start *start)
{
    grpc_op ops[6];
    ops[0] = rpc_op(GRPC_OP_SEND_INITIAL_METADATA);
    ops[0].flags = start->flags;
    ops[0].data.send_initial_metadata.count = start->metadata_count;
    ops[0].data.send_initial_metadata.metadata = (grpc_metadata *)(uintptr_t)start->metadata;
    ops[1] = rpc_op(GRPC_OP_SEND_MESSAGE);
    ops[1].data.send_message.send_message = unary->request;
    ops[2] = rpc_op(GRPC_OP_SEND_CLOSE_FROM_CLIENT);
    ops[3] = rpc_op(GRPC_OP_RECV_INITIAL_METADATA);
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &unary->initial;
    ops[4] = rpc_op(GRPC_OP_RECV_MESSAGE);
    ops[4].data.recv_message.recv_message = &unary->response;
    ops[5] = rpc_op(GRPC_OP_RECV_STATUS_ON_CLIENT);
    ops[5].data.recv_status_on_client.trailing_metadata = &unary->trailing;
    ops[5].data.recv_status_on_client.status = &unary->code;
    ops[5].data.recv_status_on_client.status_details = &unary->details;
    unary->tag.function = on_unary_done;
    rpc_start_batch(start->call, ops, ARRAY_LENGTH(ops), &unary->tag);
}

static struct error *
unary_result(struct unary *unary, const ProtobufCMessageDescriptor *descriptor,
             const struct cancel *cancel, ProtobufCMessage **ret_response)
{
    TRY(status_to_error(unary->code, unary->details, cancel));
    if (unary->response == NULL)
        return error_new(ERROR_INTERNAL, "the peer sent no %s", descriptor->name);
    return message_unpack_heap(unary->response, descriptor, ret_response);
}

static void
unary_done(struct unary *unary)
{
    grpc_byte_buffer_destroy(unary->request);
    if (unary->response != NULL)
        grpc_byte_buffer_destroy(unary->response);
    grpc_metadata_array_destroy(&unary->initial);
    grpc_metadata_array_destroy(&unary->trailing);
    grpc_slice_unref(unary->details);
    signal_done(&unary->signal);
}

struct error *
rpc_channel_call(struct rpc_channel *channel, const char *path, const ProtobufCMessage *request,
                 const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
                 ProtobufCMessage **ret_response)
{
    TRY(cancel_check(cancel));
    struct unary unary = {.code = GRPC_STATUS_UNKNOWN, .details = grpc_empty_slice()};
    TRY(message_pack(request, channel->max_message_bytes, &unary.request));
    struct error *error = signal_init(&unary.signal);
    if (error != NULL) {
        grpc_byte_buffer_destroy(unary.request);
        return error;
    }
    struct client_start start = channel_start_call(channel, path, cancel);
    unary_start(&unary, &start);
    auth_release_metadata(start.metadata, start.metadata_count);
    bool is_canceled = false;
    signal_wait(&unary.signal, start.call, cancel, &is_canceled);
    error = unary_result(&unary, response_descriptor, cancel, ret_response);
    unary_done(&unary);
    grpc_call_unref(start.call);
    return channel_explain(channel, error);
}

/* ---- Why there is no connection ---- */

/* A call that waits for the connection is never told why there is none; one that does not wait is.
 * Nothing happens when there is one after all: asking after the health of a server is harmless. */
static char *
ask_cause(struct rpc_channel *channel)
{
    struct unary unary = {.code = GRPC_STATUS_UNKNOWN, .details = grpc_empty_slice()};
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, EXPLAIN_MS);
    struct error *error = signal_init(&unary.signal);
    if (error != NULL) {
        error_free(error);
        return NULL;
    }
    unary.request = grpc_raw_byte_buffer_create(NULL, 0);
    struct client_start start = channel_start_call(channel, HEALTH_CHECK, cancel);
    start.flags = 0;
    unary_start(&unary, &start);
    auth_release_metadata(start.metadata, start.metadata_count);
    bool is_canceled = false;
    signal_wait(&unary.signal, start.call, cancel, &is_canceled);
    bool has_cause = unary.code == GRPC_STATUS_UNAVAILABLE;
    char *cause = has_cause ? xstrndup((const char *)GRPC_SLICE_START_PTR(unary.details),
                                       GRPC_SLICE_LENGTH(unary.details))
                            : NULL;
    unary_done(&unary);
    grpc_call_unref(start.call);
    return cause;
}

struct error *
channel_explain(struct rpc_channel *channel, struct error *take_error)
{
    if (!error_is(take_error, ERROR_DEADLINE_EXCEEDED))
        return take_error;
    pthread_mutex_lock(&channel->lock);
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(channel->core, 0);
    pthread_mutex_unlock(&channel->lock);
    if (state == GRPC_CHANNEL_READY || state == GRPC_CHANNEL_IDLE)
        return take_error;
    CLEANUP(freep) char *cause = ask_cause(channel);
    if (cause == NULL)
        return error_wrap(take_error, "no connection to '%s'", channel->target);
    struct error *error = error_new(
        take_error->code, "no connection to '%s' before the deadline: %s", channel->target, cause);
    error_free(take_error);
    return error;
}
