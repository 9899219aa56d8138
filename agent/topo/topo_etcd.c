#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/topo/etcd.h"
#include "agent/topo/record_io.h"

#define ENDPOINTS_MAX 64
#define ATTEMPT_TIMEOUT_MS 5000
#define GIVE_UP_AFTER_MS 5000
#define ROUND_PAUSE_MS 200
#define DEFAULT_LEASE_TTL_SECONDS 30

/* ---- Calls ---- */

static struct error *
exchange_on_stream(struct rpc_stream *stream, const ProtobufCMessage *request,
                   ProtobufCMessage **ret_response)
{
    TRY(rpc_stream_send(stream, request));
    TRY(rpc_stream_receive(stream, ret_response));
    if (*ret_response == NULL)
        return error_new(ERROR_UNAVAILABLE, "etcd ended the stream without an answer");
    rpc_stream_half_close(stream);
    return NULL;
}

static struct error *
call_endpoint(const struct etcd_endpoint *endpoint, struct cancel *cancel,
              const struct etcd_method *method, const ProtobufCMessage *request,
              ProtobufCMessage **ret_response)
{
    if (!method->is_stream)
        return rpc_channel_call(endpoint->channel, method->path, request, method->response, cancel,
                                ret_response);
    struct rpc_stream *stream = NULL;
    TRY(rpc_stream_open(endpoint->channel, method->path, method->response, cancel, &stream));
    struct error *error = exchange_on_stream(stream, request, ret_response);
    rpc_stream_free(stream);
    return error;
}

/* One try, bounded so that an endpoint that hangs leaves time for the others. */
static struct error *
try_endpoint(const struct etcd_endpoint *endpoint, struct cancel *cancel,
             const struct etcd_method *method, const ProtobufCMessage *request,
             ProtobufCMessage **ret_response)
{
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(cancel, ATTEMPT_TIMEOUT_MS);
    struct error *error = call_endpoint(endpoint, bounded, method, request, ret_response);
    if (error_is(error, ERROR_DEADLINE_EXCEEDED) && !cancel_is_requested(cancel)) {
        error_free(error);
        error = error_new(ERROR_UNAVAILABLE, "no answer within %d s", ATTEMPT_TIMEOUT_MS / 1000);
    }
    return error_wrap(error, "etcd at '%s'", endpoint->address);
}

/* Texts of the gRPC core for calls that found no connection: nothing was sent. */
static bool
was_never_sent(const struct error *error)
{
    return strstr(error->message, "ailed to connect") != NULL ||
           strstr(error->message, "DNS resolution failed") != NULL;
}

bool
etcd_outcome_is_unknown(const struct error *error)
{
    return (error_is(error, ERROR_UNAVAILABLE) || error_is(error, ERROR_UNKNOWN) ||
            error_is(error, ERROR_INTERNAL)) &&
           !was_never_sent(error);
}

static bool
may_try_again(const struct etcd_method *method, const struct error *error)
{
    return error_is(error, ERROR_UNAVAILABLE) && (!method->is_write || was_never_sent(error));
}

void
etcd_endpoint_failed(struct etcd_conn *conn, size_t endpoint)
{
    size_t seen = endpoint;
    atomic_compare_exchange_strong(&conn->current, &seen, endpoint + 1);
}

struct error *
etcd_call(struct etcd_conn *conn, struct cancel *cancel, const struct etcd_method *method,
          const ProtobufCMessage *request, void *ret_response)
{
    int64_t start_ms = clock_monotonic_ms();
    for (size_t tries = 1;; tries++) {
        size_t at = atomic_load(&conn->current);
        ProtobufCMessage *response = NULL;
        struct error *error = try_endpoint(&conn->endpoints[at % conn->endpoint_count], cancel,
                                           method, request, &response);
        if (error == NULL) {
            memcpy(ret_response, &response, sizeof(response));
            return NULL;
        }
        if (!may_try_again(method, error))
            return error;
        etcd_endpoint_failed(conn, at);
        bool is_round_over = tries % conn->endpoint_count == 0;
        if (tries >= conn->endpoint_count && clock_monotonic_ms() - start_ms >= GIVE_UP_AFTER_MS)
            return error;
        struct error *ended = cancel_sleep_ms(cancel, is_round_over ? ROUND_PAUSE_MS : 0);
        if (ended != NULL)
            return error_first(error, ended); /* why etcd is away tells more than the deadline */
        error_free(error);
    }
}

struct error *
etcd_open_stream(struct etcd_conn *conn, struct cancel *cancel, const struct etcd_method *method,
                 size_t *ret_endpoint, struct rpc_stream **ret_stream)
{
    *ret_endpoint = atomic_load(&conn->current);
    const struct etcd_endpoint *endpoint = &conn->endpoints[*ret_endpoint % conn->endpoint_count];
    return error_wrap(
        rpc_stream_open(endpoint->channel, method->path, method->response, cancel, ret_stream),
        "etcd at '%s'", endpoint->address);
}

/* ---- Connections ---- */

char *
etcd_key(const struct etcd_conn *conn, const char *path)
{
    return xasprintf("%s%s", conn->prefix, path);
}

ProtobufCBinaryData
etcd_bytes(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

/* "/vitess//global/" becomes "/vitess/global/": joined as Vitess joins paths. */
static char *
prefix_of_root(const char *root)
{
    CLEANUP(strv_done) struct strv parts = {0};
    strv_split(&parts, root, '/');
    const char *start = root[0] == '/' ? "/" : "";
    if (parts.count == 0)
        return xstrdup(start);
    CLEANUP(freep) char *joined = strv_join(&parts, "/");
    return xasprintf("%s%s/", start, joined);
}

/* The endpoint's target for a channel and whether it speaks TLS. */
static struct error *
parse_endpoint(const char *text, bool has_tls_files, char **ret_target, bool *ret_is_tls)
{
    static const struct {
        const char *scheme, *target_prefix;
        bool is_tls;
    } schemes[] = {
        {"http://", "", false},
        {"https://", "", true},
        {"unix://", "unix:", false},
        {"unixs://", "unix:", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        if (!str_starts_with(text, schemes[i].scheme))
            continue;
        const char *rest = text + strlen(schemes[i].scheme);
        size_t length = strlen(rest);
        if (schemes[i].target_prefix[0] == '\0' && length > 0 && rest[length - 1] == '/')
            length--;
        *ret_target = xasprintf("%s%.*s", schemes[i].target_prefix, (int)length, rest);
        *ret_is_tls = schemes[i].is_tls;
        return NULL;
    }
    const char *colon = strrchr(text, ':');
    if (strstr(text, "://") != NULL || colon == NULL || !isdigit((unsigned char)colon[1]))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s' is not an etcd address: expected host:port, http://host:port, "
                         "https://host:port or unix://path",
                         text);
    *ret_target = xstrdup(text);
    *ret_is_tls = has_tls_files;
    return NULL;
}

static struct error *
add_endpoint(struct etcd_conn *conn, struct rpc_pump *pump, const char *text,
             const struct rpc_tls *tls)
{
    CLEANUP(freep) char *target = NULL;
    bool is_tls = false;
    bool has_files = !str_is_empty(tls->certificate_file) && !str_is_empty(tls->key_file);
    TRY(parse_endpoint(text, has_files, &target, &is_tls));
    struct rpc_channel_options options = {.target = target};
    if (is_tls && has_files)
        options.tls = *tls; /* a CA alone is ignored, as Vitess does */
    options.tls.is_enabled = is_tls;
    struct rpc_channel *channel = NULL;
    TRY(error_wrap(rpc_channel_new(pump, &options, &channel), "etcd at '%s'", text));
    conn->endpoints[conn->endpoint_count++] = (struct etcd_endpoint){xstrdup(text), channel};
    return NULL;
}

static struct error *
add_endpoints(struct etcd_conn *conn, struct rpc_pump *pump,
              const struct topo_etcd_options *options)
{
    CLEANUP(strv_done) struct strv addresses = {0};
    strv_split(&addresses, options->addresses, ',');
    if (addresses.count == 0 || addresses.count > ENDPOINTS_MAX)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "expected 1 to %d etcd addresses, separated by commas, got '%s'",
                         ENDPOINTS_MAX, options->addresses);
    conn->endpoints = xcalloc(addresses.count, sizeof(*conn->endpoints));
    for (size_t i = 0; i < addresses.count; i++)
        TRY(add_endpoint(conn, pump, addresses.items[i], &options->tls));
    return NULL;
}

static void
etcd_free(struct topo_conn *base)
{
    struct etcd_conn *conn = (struct etcd_conn *)base;
    for (size_t i = 0; i < conn->endpoint_count; i++) {
        rpc_channel_free(conn->endpoints[i].channel);
        free(conn->endpoints[i].address);
    }
    free(conn->endpoints);
    free(conn->prefix);
    free(conn);
}

struct error *
topo_etcd_new(struct rpc_pump *pump, const struct topo_etcd_options *options,
              struct topo_conn **ret_conn)
{
    static const struct topo_backend backend = {
        .get = etcd_get,
        .create = etcd_create,
        .update = etcd_update,
        .remove = etcd_remove,
        .list = etcd_list,
        .lock = etcd_lock,
        .lock_check = etcd_lock_check,
        .unlock = etcd_unlock,
        .watch = etcd_watch,
        .lease_grant = etcd_lease_grant,
        .lease_renew = etcd_lease_renew,
        .lease_revoke = etcd_lease_revoke,
        .put_leased = etcd_put_leased,
        .free = etcd_free,
    };
    struct etcd_conn *conn = xcalloc(1, sizeof(*conn));
    conn->base.backend = &backend;
    conn->prefix = prefix_of_root(options->root == NULL ? "" : options->root);
    conn->lease_ttl_seconds =
        options->lease_ttl_seconds > 0 ? options->lease_ttl_seconds : DEFAULT_LEASE_TTL_SECONDS;
    atomic_init(&conn->current, 0);
    struct error *error = add_endpoints(conn, pump, options);
    if (error != NULL) {
        etcd_free(&conn->base);
        return error;
    }
    *ret_conn = &conn->base;
    return NULL;
}
