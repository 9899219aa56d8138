#include "agent/rpc/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"

enum {
    DEFAULT_MESSAGE_BYTES = 16 * 1024 * 1024, /* Vitess's */
    HANDSHAKE_MS = 20000,
    PING_EVERY_MS = 30000, /* notices clients that vanished without a word */
    PING_TIMEOUT_MS = 20000,
    LEAST_PING_INTERVAL_MS = 5000, /* Vitess's clients ping every 10 s */
    STREAMS_PER_CONNECTION = 1024,
};

static grpc_arg
integer_arg(const char *key, int64_t value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    arg.value.integer = (int)value;
    return arg;
}

static grpc_server *
create_core(int64_t max_message_bytes)
{
    grpc_arg args[] = {
        integer_arg(GRPC_ARG_ALLOW_REUSEPORT,
                    0), /* else a second agent shares the port, silently */
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, max_message_bytes),
        integer_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, max_message_bytes),
        integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_PER_CONNECTION),
        integer_arg(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0),
        integer_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, LEAST_PING_INTERVAL_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, PING_EVERY_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, PING_TIMEOUT_MS),
        integer_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
        integer_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
        /* Of answers; nobody asks for it, and a call is a tenth cheaper without. */
        integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0),
    };
    grpc_channel_args all = {ARRAY_LENGTH(args), args};
    return grpc_server_create(&all, NULL);
}

static int
compare_methods(const void *a, const void *b)
{
    const struct rpc_method *left = a, *right = b;
    return strcmp(left->path, right->path);
}

static void
copy_methods(struct rpc_server *server, const struct rpc_server_options *options)
{
    size_t count = options->method_count;
    server->method_count = count + HEALTH_METHOD_COUNT;
    server->methods = xcalloc(server->method_count, sizeof(*server->methods));
    if (count > 0)
        memcpy(server->methods, options->methods, count * sizeof(*server->methods));
    health_fill_methods(server, server->methods + count);
    qsort(server->methods, server->method_count, sizeof(*server->methods), compare_methods);
}

static int
compare_path(const char *path, size_t length, const char *known)
{
    int order = strncmp(path, known, length);
    return order != 0 ? order : (known[length] == '\0' ? 0 : -1);
}

const struct rpc_method *
server_find_method(const struct rpc_server *server, const char *path, size_t length)
{
    size_t first = 0, end = server->method_count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        const struct rpc_method *method = &server->methods[middle];
        int order = compare_path(path, length, method->path);
        if (order == 0)
            return method;
        if (order < 0)
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

static void
on_shutdown(struct rpc_tag *tag, bool is_ok)
{
    (void)is_ok;
    struct rpc_server *server = RPC_CONTAINER(tag, struct rpc_server, shutdown_tag);
    pthread_mutex_lock(&server->lock);
    server->is_shut_down = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static struct rpc_server *
server_new(struct rpc_pump *pump, const struct rpc_server_options *options)
{
    struct rpc_server *server = xcalloc(1, sizeof(*server));
    server->pump = pump;
    server->alias = xstrdup(options->error_suffix_alias);
    server->max_message_bytes =
        options->max_message_bytes > 0 ? options->max_message_bytes : DEFAULT_MESSAGE_BYTES;
    if (server->max_message_bytes > INT32_MAX)
        server->max_message_bytes = INT32_MAX;
    server->on_done = options->on_done;
    server->on_done_data = options->on_done_data;
    server->shutdown_tag.function = on_shutdown;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    copy_methods(server, options);
    server->core = create_core(server->max_message_bytes);
    grpc_server_register_completion_queue(server->core, rpc_pump_queue(pump), NULL);
    return server;
}

static bool
is_quiet(const struct rpc_server *server)
{
    return server->is_shut_down && server->live_count == 0 && server->accept_count == 0;
}

static void
wait_until_quiet(struct rpc_server *server, int64_t timeout_ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += timeout_ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    int failure = 0;
    pthread_mutex_lock(&server->lock);
    while (!is_quiet(server) && failure != ETIMEDOUT)
        failure = pthread_cond_timedwait(&server->changed, &server->lock, &end);
    pthread_mutex_unlock(&server->lock);
}

static void
wait_for_handlers(struct rpc_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (!is_quiet(server))
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

void
rpc_server_stop(struct rpc_server *server, int64_t grace_ms)
{
    if (server == NULL)
        return;
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_mutex_unlock(&server->lock);
    rpc_tag_release(&server->shutdown_tag);
    grpc_server_shutdown_and_notify(server->core, rpc_pump_queue(server->pump),
                                    &server->shutdown_tag);
    health_stop(server);
    if (grace_ms > 0)
        wait_until_quiet(server, grace_ms);
    grpc_server_cancel_all_calls(server->core);
    wait_for_handlers(server);
    grpc_server_destroy(server->core);
    listeners_close(&server->listeners);
    auth_server_free(server->auth);
    peer_rules_free(server->peers);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->methods);
    free(server->alias);
    free(server);
}

struct error *
rpc_server_start(struct rpc_pump *pump, const struct rpc_server_options *options,
                 struct rpc_server **ret_server)
{
    struct rpc_server *server = server_new(pump, options);
    struct error *error = NULL;
    if (!str_is_empty(options->auth.users_file))
        error = auth_server_new(options->auth.users_file, &server->auth);
    if (error == NULL &&
        (!str_is_empty(options->tls.crl_file) || options->allowed_subjects != NULL))
        error = peer_rules_new(&options->tls, options->allowed_subjects, &server->peers);
    if (error == NULL)
        error = listeners_open(&server->listeners, server->core, options);
    if (error != NULL) {
        rpc_server_stop(server, 0);
        return error;
    }
    grpc_server_start(server->core);
    for (int i = 0; i < ACCEPT_SLOTS; i++)
        call_post_accept(server);
    *ret_server = server;
    return NULL;
}

int
rpc_server_port(const struct rpc_server *server, size_t address_index)
{
    return address_index < server->listeners.count ? server->listeners.items[address_index].port
                                                   : 0;
}
