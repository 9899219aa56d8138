/* Which backups of a shard may go. Pure: says what to do with each and why; the caller does it. */
#ifndef VTAGENT_BACKUP_EXPIRE_H
#define VTAGENT_BACKUP_EXPIRE_H

#include "backup/list.h"

/* A full backup stays when any rule keeps it; without any, all stay. */
struct expire_rules {
    int64_t keep_count;    /* so many of the newest that have not failed a check; 0: no such rule */
    int64_t keep_age_ms;   /* those that are not older; 0: no such rule */
    int64_t orphan_age_ms; /* incomplete ones that are older may go; 0: none */
    int64_t now_ns;
};

/* What is known of the job that would complete an incomplete backup. */
enum expire_owner {
    EXPIRE_OWNER_UNASKED, /* nobody could be asked: age alone counts */
    EXPIRE_OWNER_GONE,    /* there is no such tablet any more */
    EXPIRE_OWNER_IDLE,    /* its tablet says that it does not run */
    EXPIRE_OWNER_BUSY,    /* its tablet says that a backup runs */
    EXPIRE_OWNER_SILENT,  /* its tablet did not answer */
};

struct expire_step {
    bool is_removed, is_orphan;
    char *reason;
};
struct expire_plan {
    struct expire_step *steps; /* as many as the list has items, in its order */
    size_t count;
};
/* Backups are older or newer as their names sort, as a restore sees them; times in the future are
 * clocks that were wrong: such a backup stays, and pushes no other one out. Always kept: the newest
 * complete one, the newest that has not failed a check, and the newest that has passed one while a
 * newer one has failed. An incremental backup goes with the last full one that it could follow. A
 * MANIFEST that cannot be read is for people to look at: its backup stays.
 * `owners`: one for each item of the list; only those of incomplete ones are looked at. */
void expire_plan(const struct backup_list *list, const enum expire_owner *owners,
                 const struct expire_rules *rules, struct expire_plan *ret_plan);
/* Whether an incomplete backup is old enough for its owner to be asked. */
bool expire_is_old_orphan(const struct backup_summary *summary, const struct expire_rules *rules);
void expire_plan_done(struct expire_plan *plan);

#endif
