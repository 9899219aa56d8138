#include "agent/handlers/stream_health.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "query.pb-c.h"

#define PATH "/queryservice.Query/StreamHealth"
#define MOST_QUEUED 20 /* --stream-health-buffer-size's default */

struct subscriber {
    struct rpc_call *call;
    struct subscriber *next;
};

/* What was told last. */
struct told {
    bool is_known, is_serving;
    Topodata__TabletType type;
    int64_t term_seconds;
    uint32_t lag_seconds;
    char error[HEALTH_TEXT];
};

struct stream_health {
    const struct tablet_identity *identity;
    pthread_mutex_t mutex; /* the rest */
    struct subscriber *subscribers;
    size_t count;
    bool is_stopping;
    struct told told;
};

struct stream_health *
stream_health_new(const struct tablet_identity *identity)
{
    struct stream_health *streams = xcalloc(1, sizeof(*streams));
    streams->identity = identity;
    pthread_mutex_init(&streams->mutex, NULL);
    return streams;
}

void
stream_health_free(struct stream_health *streams)
{
    if (streams == NULL)
        return;
    pthread_mutex_destroy(&streams->mutex);
    free(streams);
}

/* ---- The message ---- */

static struct error *
offer(const struct stream_health *streams, struct rpc_call *call)
{
    const struct told *told = &streams->told;
    Query__StreamHealthResponse response = QUERY__STREAM_HEALTH_RESPONSE__INIT;
    Query__Target target = QUERY__TARGET__INIT;
    Query__RealtimeStats stats = QUERY__REALTIME_STATS__INIT;
    Topodata__TabletAlias alias = TOPODATA__TABLET_ALIAS__INIT;
    target.keyspace = streams->identity->keyspace;
    target.shard = streams->identity->shard;
    target.tablet_type = told->type;
    stats.health_error = (char *)(uintptr_t)told->error;
    stats.replication_lag_seconds = told->lag_seconds;
    alias.cell = (char *)(uintptr_t)streams->identity->alias.cell;
    alias.uid = streams->identity->alias.uid;
    response.target = &target;
    response.serving = told->is_serving;
    response.primary_term_start_timestamp = told->term_seconds;
    response.realtime_stats = &stats;
    response.tablet_alias = &alias;
    return rpc_call_offer(call, &response.base, MOST_QUEUED);
}

/* vtgate takes a lag for what it is; a lag that is not known must not look like none. */
static uint32_t
lag_seconds(const struct health_view *view, Topodata__TabletType type)
{
    const struct health_verdict *verdict = &view->verdict;
    if (!tablet_type_is_replica(type))
        return 0;
    return (uint32_t)((verdict->is_lag_known ? verdict->lag_ms : view->rules.unhealthy_ms) / 1000);
}

/* A high lag alone is no error, as with Vitess. */
static bool
is_error(const struct health_verdict *verdict)
{
    return !verdict->is_serving && verdict->cause != HEALTH_LAG &&
           verdict->cause != HEALTH_CATCHING_UP;
}

static struct told
told_of(const struct health_view *view, const struct tablet_snapshot *snapshot)
{
    bool is_primary = snapshot->type == TOPODATA__TABLET_TYPE__PRIMARY;
    struct told told = {.is_known = true,
                        .is_serving = snapshot->is_serving,
                        .type = snapshot->type,
                        .term_seconds = is_primary ? snapshot->term_start_ns / 1000000000 : 0,
                        .lag_seconds = lag_seconds(view, snapshot->type)};
    if (is_error(&view->verdict))
        memcpy(told.error, view->verdict.reason, sizeof(told.error));
    return told;
}

/* ---- Who listens ---- */

/* `call` NULL: any. Under the mutex. */
static struct subscriber *
take_subscriber(struct stream_health *streams, const struct rpc_call *call)
{
    struct subscriber **link = &streams->subscribers;
    while (*link != NULL && call != NULL && (*link)->call != call)
        link = &(*link)->next;
    struct subscriber *found = *link;
    if (found != NULL) {
        *link = found->next;
        streams->count--;
    }
    return found;
}

static void
on_gone(struct rpc_call *call, void *data)
{
    struct stream_health *streams = data;
    pthread_mutex_lock(&streams->mutex);
    struct subscriber *found = take_subscriber(streams, call);
    pthread_mutex_unlock(&streams->mutex);
    if (found == NULL)
        return; /* whoever took it off the list ends it */
    free(found);
    rpc_call_finish(call, NULL, error_new(ERROR_CANCELED, "the client is gone"));
}

static void
on_stream_health(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)request;
    struct stream_health *streams = data;
    struct subscriber *subscriber = xcalloc(1, sizeof(*subscriber));
    subscriber->call = call;
    pthread_mutex_lock(&streams->mutex);
    bool is_stopping = streams->is_stopping;
    if (!is_stopping) {
        subscriber->next = streams->subscribers;
        streams->subscribers = subscriber;
        streams->count++;
        if (streams->told.is_known)
            error_free(offer(streams, call)); /* one that is gone is told of by on_gone */
    }
    pthread_mutex_unlock(&streams->mutex);
    if (!is_stopping) {
        rpc_call_on_gone(call, on_gone, streams);
        return;
    }
    free(subscriber);
    rpc_call_finish(call, NULL, error_new(ERROR_UNAVAILABLE, "tabletserver is shutdown"));
}

void
stream_health_tell(struct stream_health *streams, const struct health_view *view,
                   const struct tablet_snapshot *snapshot)
{
    pthread_mutex_lock(&streams->mutex);
    streams->told = told_of(view, snapshot);
    for (struct subscriber **link = &streams->subscribers; *link != NULL;) {
        struct subscriber *subscriber = *link;
        struct error *error = offer(streams, subscriber->call);
        if (!error_is(error, ERROR_RESOURCE_EXHAUSTED)) {
            error_free(error); /* one that is gone is told of by on_gone */
            link = &subscriber->next;
            continue;
        }
        *link = subscriber->next;
        streams->count--;
        error_free(error);
        rpc_call_finish(subscriber->call, NULL,
                        error_new(ERROR_RESOURCE_EXHAUSTED,
                                  "stream health buffer overflowed. client should reconnect for "
                                  "up-to-date status"));
        free(subscriber);
    }
    pthread_mutex_unlock(&streams->mutex);
}

void
stream_health_stop(struct stream_health *streams)
{
    pthread_mutex_lock(&streams->mutex);
    streams->is_stopping = true;
    for (struct subscriber *found; (found = take_subscriber(streams, NULL)) != NULL; free(found))
        rpc_call_finish(found->call, NULL,
                        error_new(ERROR_UNAVAILABLE, "tabletserver is shutdown"));
    pthread_mutex_unlock(&streams->mutex);
}

size_t
stream_health_count(struct stream_health *streams)
{
    pthread_mutex_lock(&streams->mutex);
    size_t count = streams->count;
    pthread_mutex_unlock(&streams->mutex);
    return count;
}

struct rpc_method
stream_health_method(struct stream_health *streams)
{
    return (struct rpc_method){.path = PATH,
                               .request = &query__stream_health_request__descriptor,
                               .response = &query__stream_health_response__descriptor,
                               .handler = on_stream_health,
                               .data = streams,
                               .is_stream = true,
                               .is_inline = true};
}
