#include "agent/ctl/shard.h"

#include <stdlib.h>

void
shard_view_done(struct shard_view *view)
{
    topo_unlockp(&view->lock);
    free(view->keyspace);
    free(view->shard);
    record_freep(&view->record);
    tablet_list_done(&view->tablets);
    *view = (struct shard_view){0};
}

struct error *
ctl_read_durability(struct ctl *ctl, const char *keyspace,
                    const struct durability_policy **ret_policy)
{
    CLEANUP(freep) char *name = NULL;
    TRY(topo_get_durability(ctl->topo, ctl->cancel, keyspace, &name));
    return error_wrap(durability_policy_find(name, ret_policy), "keyspace '%s'", keyspace);
}

struct error *
shard_view_open(struct ctl *ctl, const char *name, const char *action, struct shard_view *view)
{
    TRY(ctl_parse_shard(ctl, name, &view->keyspace, &view->shard));
    if (action != NULL)
        TRY(topo_lock_shard(ctl->topo, ctl->cancel, view->keyspace, view->shard, action,
                            &view->lock));
    TRY(topo_get_shard(ctl->topo, ctl->cancel, view->keyspace, view->shard, &view->record, NULL));
    TRY(ctl_read_durability(ctl, view->keyspace, &view->durability));
    return topo_list_shard_tablets(ctl->topo, ctl->cancel, view->keyspace, view->shard,
                                   &view->tablets);
}

struct error *
shard_view_check(struct ctl *ctl, const struct shard_view *view)
{
    if (view->lock == NULL)
        return NULL;
    return error_wrap(topo_lock_check(view->lock, ctl->cancel), "nothing more is done");
}

size_t
shard_view_find(const struct shard_view *view, const struct tablet_alias *alias)
{
    for (size_t i = 0; i < view->tablets.count; i++) {
        struct tablet_alias other = tablet_alias_of(view->tablets.items[i]->alias);
        if (tablet_alias_equal(&other, alias))
            return i;
    }
    return SHARD_VIEW_NONE;
}

bool
shard_primary_semi_sync(const struct shard_view *view)
{
    return durability_ackers_needed(view->durability) > 0;
}

bool
shard_replica_semi_sync(const struct shard_view *view, const Topodata__Tablet *replica,
                        const Topodata__Tablet *primary)
{
    return durability_replica_acks(view->durability, (int)replica->type, replica->alias->cell,
                                   primary->alias->cell);
}

bool
alias_messages_equal(const Topodata__TabletAlias *a, const Topodata__TabletAlias *b)
{
    struct tablet_alias left = tablet_alias_of(a), right = tablet_alias_of(b);
    return tablet_alias_equal(&left, &right);
}

struct error *
ctl_read_primary(struct ctl *ctl, const Topodata__Tablet *tablet, Topodata__Tablet **ret_primary)
{
    CLEANUP(record_freep) Topodata__Shard *shard = NULL;
    TRY(topo_get_shard(ctl->topo, ctl->cancel, tablet->keyspace, tablet->shard, &shard, NULL));
    struct tablet_alias alias = tablet_alias_of(shard->primary_alias);
    if (tablet_alias_is_zero(&alias))
        return error_new(ERROR_FAILED_PRECONDITION, "shard '%s/%s' has no primary",
                         tablet->keyspace, tablet->shard);
    CLEANUP(record_freep) Topodata__Tablet *primary = NULL;
    TRY(topo_get_tablet(ctl->topo, ctl->cancel, &alias, &primary, NULL));
    if (primary->type != TOPODATA__TABLET_TYPE__PRIMARY)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "tablet '%s' should be primary of '%s/%s' but its record says %s",
                         alias_text_of(primary).text, tablet->keyspace, tablet->shard,
                         tablet_type_name(primary->type));
    *ret_primary = primary;
    primary = NULL;
    return NULL;
}

struct error *
ctl_read_replica_acks(struct ctl *ctl, const Topodata__Tablet *tablet, Topodata__TabletType type,
                      bool *ret_acks)
{
    const struct durability_policy *policy;
    TRY(ctl_read_durability(ctl, tablet->keyspace, &policy));
    CLEANUP(record_freep) Topodata__Shard *shard = NULL;
    TRY(topo_get_shard(ctl->topo, ctl->cancel, tablet->keyspace, tablet->shard, &shard, NULL));
    *ret_acks =
        shard->primary_alias != NULL &&
        durability_replica_acks(policy, (int)type, tablet->alias->cell, shard->primary_alias->cell);
    return NULL;
}
