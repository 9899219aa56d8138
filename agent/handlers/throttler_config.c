/* The keyspace's throttler configuration, remembered on the loop's thread. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/handlers/throttler.h"

#define FRESH_MS 2000
#define READ_TIMEOUT_MS 2000

struct throttler_cache {
    bool was_read;
    int64_t read_ms;
    uint8_t *data; /* a packed SrvKeyspace; NULL: there is none */
    size_t size_bytes;
};

struct throttler_cache *
throttler_cache_new(void)
{
    return xcalloc(1, sizeof(struct throttler_cache));
}

void
throttler_cache_free(struct throttler_cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->data);
    free(cache);
}

struct errand {
    struct throttler_cache *cache;
    struct throttler_cache copy;
};

static void
copy_out(void *data)
{
    struct errand *errand = data;
    errand->copy = *errand->cache;
    if (errand->copy.data != NULL)
        errand->copy.data = xmemdup(errand->copy.data, errand->copy.size_bytes);
}

static void
put_in(void *data)
{
    struct errand *errand = data;
    free(errand->cache->data);
    *errand->cache = errand->copy;
}

/* Into errand->copy; NOT_FOUND is an answer, too. */
static struct error *
read_topology(struct handler_call *call, struct errand *errand)
{
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(call->cancel, READ_TIMEOUT_MS);
    const struct tablet_identity *identity = call->context->identity;
    struct topo_conn *conn = NULL;
    TRY(topo_cell(call->context->topo, cancel, identity->alias.cell, &conn));
    CLEANUP(freep) char *path = xasprintf("keyspaces/%s/SrvKeyspace", identity->keyspace);
    struct topo_value value = {0};
    struct error *error = topo_get(conn, cancel, path, &value);
    if (error != NULL && error->code != ERROR_NOT_FOUND)
        return error;
    error_free(error);
    errand->copy = (struct throttler_cache){.was_read = true, .read_ms = clock_monotonic_ms()};
    if (value.size_bytes > 0) {
        errand->copy.data = xmemdup(value.data, value.size_bytes);
        errand->copy.size_bytes = value.size_bytes;
    }
    topo_value_done(&value);
    return NULL;
}

static struct error *
refresh(struct handler_call *call, struct errand *errand)
{
    struct throttler_cache old = errand->copy;
    struct error *error = read_topology(call, errand);
    if (error != NULL && !old.was_read)
        return error;
    if (error != NULL) {
        /* The last known one, and no question to the topology for a while. */
        error_free(error);
        errand->copy = old;
        errand->copy.read_ms = clock_monotonic_ms();
    } else {
        free(old.data);
    }
    struct errand store = *errand;
    if (store.copy.data != NULL)
        store.copy.data = xmemdup(store.copy.data, store.copy.size_bytes);
    loop_call(call->context->loop, "keep throttler config", put_in, &store);
    return NULL;
}

struct error *
throttler_config_get(struct handler_call *call, Topodata__ThrottlerConfig **ret_config)
{
    struct errand errand = {.cache = call->service->throttler};
    loop_call(call->context->loop, "copy throttler config", copy_out, &errand);
    bool is_fresh = errand.copy.was_read && clock_monotonic_ms() - errand.copy.read_ms < FRESH_MS;
    if (!is_fresh)
        TRY(refresh(call, &errand));
    Topodata__SrvKeyspace *keyspace =
        topodata__srv_keyspace__unpack(NULL, errand.copy.size_bytes, errand.copy.data);
    free(errand.copy.data);
    *ret_config = NULL;
    if (keyspace == NULL)
        return error_new(ERROR_INTERNAL, "the SrvKeyspace record cannot be decoded");
    *ret_config = keyspace->throttler_config;
    keyspace->throttler_config = NULL;
    topodata__srv_keyspace__free_unpacked(keyspace, NULL);
    return NULL;
}
