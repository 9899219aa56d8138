/* Shard-sync: while we are primary, the Shard record shows us and our term; when it shows a newer
 * term of another tablet, ours is over. The tablet writes the record, not vtctld. Source:
 * tablet-manager-rpc 2.0.8. */
#ifndef VTAGENT_SHARD_SYNC_H
#define VTAGENT_SHARD_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/tablet/tablet_internal.h"

enum shard_sync_step {
    SHARD_SYNC_NOTHING,
    SHARD_SYNC_WRITE, /* our term is newer: put us into the record */
    SHARD_SYNC_ADOPT, /* the record gives us a newer term than we know */
    SHARD_SYNC_END,   /* another tablet's term is newer: step down */
};
/* Pure. The record's alias may be zero (no primary). */
enum shard_sync_step shard_sync_decide(const struct tablet_alias *ours, int64_t our_term_ns,
                                       const struct tablet_alias *primary, int64_t shard_term_ns);

struct shard_sync;
struct error *shard_sync_new(struct tablet_context *context, int64_t retry_ms,
                             struct shard_sync **ret_sync) ERROR_MUST_CHECK;
/* Loop thread: looks at once, from now on also when woken. */
void shard_sync_start(struct shard_sync *sync);
void shard_sync_wake(struct shard_sync *sync); /* loop thread */
void shard_sync_stop(struct shard_sync *sync); /* loop thread */
void shard_sync_free(struct shard_sync *sync); /* after the loop ended */

#endif
