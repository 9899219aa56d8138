/* A shard as the verbs that change its primary see it: records, policy, lock. */
#ifndef VTAGENT_CTL_SHARD_H
#define VTAGENT_CTL_SHARD_H

#include "agent/ctl/session.h"
#include "replication/durability.h"

struct shard_view {
    char *keyspace, *shard;
    Topodata__Shard *record;
    const struct durability_policy *durability;
    struct tablet_list tablets;
    struct topo_lock *lock; /* NULL: a dry run */
};
void shard_view_done(struct shard_view *view);

/* "ks/shard"; locks it first unless `action` is NULL. */
struct error *shard_view_open(struct ctl *ctl, const char *name, const char *action,
                              struct shard_view *view) ERROR_MUST_CHECK;
/* ABORTED when the lock got lost. */
struct error *shard_view_check(struct ctl *ctl, const struct shard_view *view) ERROR_MUST_CHECK;
/* Index of a tablet; SHARD_VIEW_NONE when it is not in the shard. */
#define SHARD_VIEW_NONE SIZE_MAX
size_t shard_view_find(const struct shard_view *view, const struct tablet_alias *alias);

/* What the policy asks of a primary, and of a replica following it. */
bool shard_primary_semi_sync(const struct shard_view *view);
bool shard_replica_semi_sync(const struct shard_view *view, const Topodata__Tablet *replica,
                             const Topodata__Tablet *primary);
bool alias_messages_equal(const Topodata__TabletAlias *a, const Topodata__TabletAlias *b);

/* The policy of a tablet's keyspace. */
struct error *ctl_read_durability(struct ctl *ctl, const char *keyspace,
                                  const struct durability_policy **ret_policy) ERROR_MUST_CHECK;
/* The shard's primary as its record says: FAILED_PRECONDITION when there is none. */
struct error *ctl_read_primary(struct ctl *ctl, const Topodata__Tablet *tablet,
                               Topodata__Tablet **ret_primary) ERROR_MUST_CHECK;
/* Whether this tablet must acknowledge its shard's primary's writes as `type`. No primary: false.
 */
struct error *ctl_read_replica_acks(struct ctl *ctl, const Topodata__Tablet *tablet,
                                    Topodata__TabletType type, bool *ret_acks) ERROR_MUST_CHECK;

#endif
