/* One connection per call, as Vitess's clients do: nothing to keep, and a tablet that moved is
 * found at its new address by the next call. */
#include "agent/tmclient/tmclient.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"

struct tm_client {
    struct rpc_pump *pump;
    struct rpc_tls tls;
    struct rpc_static_auth auth;
};

struct tm_client *
tm_client_new(struct rpc_pump *pump, const struct rpc_tls *tls, const struct rpc_static_auth *auth)
{
    struct tm_client *client = xcalloc(1, sizeof(*client));
    client->pump = pump;
    if (tls != NULL) {
        client->tls = *tls;
        client->tls.certificate_file = xstrdup(tls->certificate_file);
        client->tls.key_file = xstrdup(tls->key_file);
        client->tls.ca_file = xstrdup(tls->ca_file);
        client->tls.crl_file = xstrdup(tls->crl_file);
        client->tls.server_name = xstrdup(tls->server_name);
    }
    if (auth != NULL)
        client->auth.client_file = xstrdup(auth->client_file);
    return client;
}

void
tm_client_free(struct tm_client *client)
{
    if (client == NULL)
        return;
    free(client->tls.certificate_file);
    free(client->tls.key_file);
    free(client->tls.ca_file);
    free(client->tls.crl_file);
    free(client->tls.server_name);
    free(client->auth.client_file);
    free(client);
}

static int32_t
grpc_port(const Topodata__Tablet *tablet)
{
    for (size_t i = 0; i < tablet->n_port_map; i++)
        if (strcmp(tablet->port_map[i]->key, "grpc") == 0)
            return tablet->port_map[i]->value;
    return 0;
}

struct error *
tm_tablet_address(const Topodata__Tablet *tablet, char **ret_address)
{
    bool has_host = !str_is_empty(tablet->hostname);
    bool has_nothing = !has_host && str_is_empty(tablet->mysql_hostname) && tablet->n_port_map == 0;
    if (tablet->tablet_shutdown_time != NULL ||
        (has_nothing && tablet->type != TOPODATA__TABLET_TYPE__UNKNOWN))
        return error_new(ERROR_UNAVAILABLE, "tablet is shutdown");
    if (!has_host)
        return error_new(ERROR_FAILED_PRECONDITION, "empty tablet hostname");
    if (tablet->n_port_map == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "no tablet port map");
    int32_t port = grpc_port(tablet);
    if (port <= 0 || port > 65535)
        return error_new(ERROR_FAILED_PRECONDITION, "invalid tablet grpc port: %" PRId32, port);
    bool is_ipv6 = strchr(tablet->hostname, ':') != NULL;
    *ret_address = xasprintf("%s%s%s:%" PRId32, is_ipv6 ? "[" : "", tablet->hostname,
                             is_ipv6 ? "]" : "", port);
    return NULL;
}

/* A tablet's own texts begin "TabletManager.Ping on zone1-100: ": not said twice. */
static struct error *
wrap(struct error *take_error, const Topodata__Tablet *tablet, const char *method)
{
    if (take_error == NULL)
        return NULL;
    char alias_text[TABLET_ALIAS_TEXT_MAX];
    struct tablet_alias alias = tablet_alias_of(tablet->alias);
    tablet_alias_format(&alias, alias_text);
    const char *slash = strrchr(method, '/');
    method = slash != NULL ? slash + 1 : method;
    CLEANUP(freep) char *theirs = xasprintf("TabletManager.%s on ", method);
    if (str_starts_with(take_error->message, theirs))
        return take_error;
    return error_wrap(take_error, "%s on tablet %s", method, alias_text);
}

/* Waits for a tablet that is starting, if the caller's patience has an end. */
static struct error *
connect_to(struct tm_client *client, const Topodata__Tablet *tablet, const struct cancel *cancel,
           struct rpc_channel **ret_channel)
{
    CLEANUP(freep) char *address = NULL;
    TRY(tm_tablet_address(tablet, &address));
    struct rpc_channel_options options = {.target = address,
                                          .tls = client->tls,
                                          .auth = client->auth,
                                          .waits_for_ready =
                                              cancel_remaining_ms(cancel) != INT64_MAX};
    return rpc_channel_new(client->pump, &options, ret_channel);
}

static char *
path_of(const char *method)
{
    return method[0] == '/' ? xstrdup(method)
                            : xasprintf("/tabletmanagerservice.TabletManager/%s", method);
}

struct error *
tm_call(struct tm_client *client, const Topodata__Tablet *tablet, const char *method,
        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_descriptor,
        struct cancel *cancel, ProtobufCMessage **ret_response)
{
    struct rpc_channel *channel = NULL;
    struct error *error = connect_to(client, tablet, cancel, &channel);
    if (error == NULL) {
        CLEANUP(freep) char *path = path_of(method);
        error = rpc_channel_call(channel, path, request, response_descriptor, cancel, ret_response);
    }
    rpc_channel_free(channel);
    return wrap(error, tablet, method);
}

static const Logutil__Event *
event_of(const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "event");
    if (field == NULL || field->descriptor != &logutil__event__descriptor ||
        field->label == PROTOBUF_C_LABEL_REPEATED)
        return NULL;
    const Logutil__Event *event;
    memcpy(&event, (const char *)message + field->offset, sizeof(event));
    return event;
}

static struct error *
read_events(struct rpc_stream *stream, tm_event_function on_event, void *data)
{
    for (;;) {
        ProtobufCMessage *message = NULL;
        TRY(rpc_stream_receive(stream, &message));
        if (message == NULL)
            return NULL;
        const Logutil__Event *event = event_of(message);
        if (event != NULL && on_event != NULL)
            on_event(event, data);
        protobuf_c_message_free_unpacked(message, NULL);
    }
}

static struct error *
stream_events(struct rpc_channel *channel, const char *method, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
              tm_event_function on_event, void *data)
{
    CLEANUP(freep) char *path = path_of(method);
    struct rpc_stream *stream = NULL;
    TRY(rpc_stream_open(channel, path, response_descriptor, cancel, &stream));
    /* When the sending fails, receiving tells why. */
    struct error *send_error = rpc_stream_send(stream, request);
    rpc_stream_half_close(stream);
    struct error *error = error_first(read_events(stream, on_event, data), send_error);
    rpc_stream_free(stream);
    return error;
}

struct error *
tm_call_events(struct tm_client *client, const Topodata__Tablet *tablet, const char *method,
               const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
               tm_event_function on_event, void *data)
{
    struct rpc_channel *channel = NULL;
    struct error *error = connect_to(client, tablet, cancel, &channel);
    if (error == NULL)
        error =
            stream_events(channel, method, request, response_descriptor, cancel, on_event, data);
    rpc_channel_free(channel);
    return wrap(error, tablet, method);
}
