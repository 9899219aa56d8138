/* The three ways to change a shard's primary. Private to the folder. */
#ifndef VTAGENT_CTL_REPARENT_H
#define VTAGENT_CTL_REPARENT_H

#include "agent/ctl/election.h"

/* Planned: everybody is up. Aliases may be zero. */
struct prs_options {
    const char *shard_name; /* "ks/shard" */
    struct tablet_alias new_primary, avoid_primary, expected_primary;
    int64_t wait_replicas_timeout_ms, tolerable_lag_ms; /* 0: any lag */
    bool allows_cross_cell, is_dry_run;
};
struct error *planned_reparent(struct ctl *ctl, const struct prs_options *options) ERROR_MUST_CHECK;

struct prs {
    struct ctl *ctl;
    const struct prs_options *options;
    struct shard_view view;
    struct tablet_alias avoid;
    struct contender *contenders;            /* one per tablet of the view */
    const Topodata__Tablet *elect, *current; /* borrowed from the view; current may be NULL */
};
/* Sets elect, or says why each tablet is out. */
struct error *prs_elect(struct prs *prs) ERROR_MUST_CHECK;

/* Emergency: the primary is gone. */
struct ers_options {
    const char *shard_name;
    struct tablet_alias new_primary, expected_primary;
    const struct strv *ignored_replicas; /* alias texts */
    int64_t wait_replicas_timeout_ms;
    bool prevents_cross_cell, waits_for_all, is_dry_run;
};
struct error *emergency_reparent(struct ctl *ctl,
                                 const struct ers_options *options) ERROR_MUST_CHECK;

/* First: destroys every server's binary logs and makes one the primary. */
struct error *init_shard_primary(struct ctl *ctl, const char *shard_name,
                                 const struct tablet_alias *alias, bool is_forced,
                                 int64_t wait_replicas_timeout_ms) ERROR_MUST_CHECK;

#endif
