/* RefreshState: what the topology changed under us. */
#include "agent/base/memory.h"
#include "agent/tablet/tablet_private.h"

static void
wake_on_loop(void *data)
{
    struct tablet_context *context = data;
    if (context->on_change != NULL)
        context->on_change(context->on_change_data);
}

struct error *
tablet_refresh(struct tablet_context *context, struct cancel *cancel)
{
    const struct tablet_identity *identity = context->identity;
    Topodata__Shard *shard = NULL;
    TRY(error_wrap(
        topo_get_shard(context->topo, cancel, identity->keyspace, identity->shard, &shard, NULL),
        "refresh"));
    topodata__shard__free_unpacked(shard, NULL);
    /* The shard's primary and term are compared with ours by shard-sync; the query service, which
     * the serving graph could switch off, is not ours. */
    loop_call(context->loop, "tablet_refresh", wake_on_loop, context);
    return NULL;
}
