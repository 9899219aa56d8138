#include <string.h>

#include "agent/topo/etcd.h"
#include "agent/topo/record_io.h"

/* A watch that hears nothing for so long is opened anew, with a fresh reading before: a connection
 * that died silently costs a minute, not for ever. */
#define FOLLOW_MS 60000
#define RECONNECT_MS 1000

static const struct etcd_method method_watch = {
    .path = "/etcdserverpb.Watch/Watch",
    .response = &etcdserverpb__watch_response__descriptor,
    .is_stream = true,
};

static struct error *
open_watch(struct etcd_conn *conn, struct cancel *cancel, const char *key, int64_t from_revision,
           struct rpc_stream **ret_stream)
{
    size_t endpoint;
    struct rpc_stream *stream = NULL;
    TRY(etcd_open_stream(conn, cancel, &method_watch, &endpoint, &stream));
    Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
    create.key = etcd_bytes(key);
    create.start_revision = from_revision;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
    request.create_request = &create;
    struct error *error = rpc_stream_send(stream, &request.base);
    if (error != NULL) {
        rpc_stream_free(stream);
        etcd_endpoint_failed(conn, endpoint);
        return error;
    }
    *ret_stream = stream;
    return NULL;
}

typedef bool (*event_function)(const Mvccpb__Event *event, void *data); /* false: enough */

/* Hands events over until the stream ends or somebody had enough. */
static struct error *
follow(struct etcd_conn *conn, struct cancel *cancel, const char *key, int64_t from_revision,
       event_function on_event, void *data)
{
    struct rpc_stream *stream = NULL;
    size_t endpoint = atomic_load(&conn->current);
    TRY(open_watch(conn, cancel, key, from_revision, &stream));
    struct error *error = NULL;
    bool goes_on = true;
    while (goes_on && error == NULL) {
        CLEANUP(record_freep) ProtobufCMessage *message = NULL;
        error = rpc_stream_receive(stream, &message);
        if (error != NULL)
            break;
        const Etcdserverpb__WatchResponse *response = (Etcdserverpb__WatchResponse *)message;
        if (response == NULL || response->canceled) {
            error = error_new(ERROR_UNAVAILABLE, "etcd ended the watch: %s",
                              response == NULL ? "end of stream" : response->cancel_reason);
            break;
        }
        for (size_t i = 0; i < response->n_events && goes_on; i++)
            goes_on = on_event(response->events[i], data);
    }
    rpc_stream_free(stream);
    if (error != NULL && !cancel_is_requested(cancel))
        etcd_endpoint_failed(conn, endpoint);
    return error;
}

/* ---- A file ---- */

struct watched {
    topo_watch_function on_value;
    void *data;
    int64_t seen; /* version told last; 0: gone; -1: nothing told yet */
};

static bool
tell_event(const Mvccpb__Event *event, void *data)
{
    struct watched *watched = data;
    if (event->kv == NULL)
        return true;
    if (event->type == MVCCPB__EVENT__EVENT_TYPE__DELETE) {
        watched->seen = 0;
        watched->on_value(NULL, watched->data);
        return true;
    }
    struct topo_value value = {
        .data = event->kv->value.data,
        .size_bytes = event->kv->value.len,
        .version = event->kv->mod_revision,
    };
    watched->seen = value.version;
    watched->on_value(&value, watched->data);
    return true;
}

/* Tells what is there, if that is news. */
static struct error *
tell_current(struct etcd_conn *conn, struct cancel *cancel, const char *path,
             struct watched *watched, int64_t *ret_revision)
{
    CLEANUP(topo_value_done) struct topo_value value = {0};
    struct error *error = etcd_get_at(conn, cancel, path, &value, ret_revision);
    bool is_gone = error_is(error, ERROR_NOT_FOUND);
    if (error != NULL && !is_gone)
        return error;
    error_free(error);
    int64_t version = is_gone ? 0 : value.version;
    if (version != watched->seen)
        watched->on_value(is_gone ? NULL : &value, watched->data);
    watched->seen = version;
    return NULL;
}

struct error *
etcd_watch(struct topo_conn *base, struct cancel *cancel, const char *path,
           topo_watch_function on_value, void *data)
{
    struct etcd_conn *conn = (struct etcd_conn *)base;
    CLEANUP(freep) char *key = etcd_key(conn, path);
    struct watched watched = {on_value, data, -1};
    for (;;) {
        CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(cancel, FOLLOW_MS);
        int64_t revision = 0;
        struct error *error = tell_current(conn, bounded, path, &watched, &revision);
        if (error == NULL)
            error = follow(conn, bounded, key, revision + 1, tell_event, &watched);
        bool is_silence = error_is(error, ERROR_DEADLINE_EXCEEDED);
        error_free(error);
        TRY(cancel_check(cancel));
        if (!is_silence)
            TRY(cancel_sleep_ms(cancel, RECONNECT_MS));
    }
}

/* ---- A lock before ours ---- */

static bool
is_no_delete(const Mvccpb__Event *event, void *data)
{
    (void)data;
    return event->type != MVCCPB__EVENT__EVENT_TYPE__DELETE;
}

void
etcd_wait_for_delete(struct etcd_conn *conn, struct cancel *cancel, const char *key,
                     int64_t revision)
{
    error_free(follow(conn, cancel, key, revision + 1, is_no_delete, NULL));
}
