/* A pooled connection of the dba account for the length of a scope. Any thread. */
#ifndef VTAGENT_ACTIONS_DBA_H
#define VTAGENT_ACTIONS_DBA_H

#include "agent/tablet/tablet.h"

struct dba {
    struct db_pool *pool;
    struct db *db;
};
/* With `CLEANUP(dba_done) struct dba dba = {0}`. */
struct error *dba_take(struct tablet_context *context, struct cancel *cancel,
                       struct dba *ret_dba) ERROR_MUST_CHECK;
void dba_done(struct dba *dba);

/* A token of its own for what must be completed or undone although the caller has gone: the remote
 * operation timeout. With `CLEANUP(cancel_unrefp)`. */
struct cancel *dba_own_cancel(const struct tablet_context *context);

#endif
