/* Makes many tablets follow one, at the same time, while the caller promotes that one. */
#ifndef VTAGENT_CTL_REPOINT_H
#define VTAGENT_CTL_REPOINT_H

#include "agent/ctl/shard.h"

struct repoint_target {
    const Topodata__Tablet *tablet; /* borrowed */
    bool is_forced;                 /* start replication even if it was stopped */
    struct error *error;            /* after repoint_join */
};
struct repoint {
    struct ctl *ctl;
    const struct shard_view *view;
    const Topodata__Tablet *primary;
    int64_t time_created_ns; /* wait for this reparent's journal row; 0: do not wait */
    struct cancel *cancel;   /* bounds all calls */
    struct repoint_target *targets;
    size_t count;
    struct parallel *running;
};

void repoint_add(struct repoint *repoint, const Topodata__Tablet *tablet, bool is_forced);
/* Everything but targets must be set. */
void repoint_start(struct repoint *repoint);
/* Waits for all; the number that failed. */
size_t repoint_join(struct repoint *repoint);
/* "zone1-101: …; zone1-102: …": all errors in one; NULL when none failed. */
struct error *repoint_error(const struct repoint *repoint) ERROR_MUST_CHECK;
void repoint_done(struct repoint *repoint); /* joins */

#endif
