#include "agent/actions/dba.h"

#include "agent/base/clock.h"

#define DEFAULT_OPERATION_MS 15000

struct error *
dba_take(struct tablet_context *context, struct cancel *cancel, struct dba *ret_dba)
{
    TRY(cancel_check(cancel));
    struct db *db = NULL;
    TRY(db_pool_take(context->dba_pool, cancel, &db));
    ret_dba->pool = context->dba_pool;
    ret_dba->db = db;
    return NULL;
}

void
dba_done(struct dba *dba)
{
    if (dba->db != NULL)
        db_pool_give(dba->pool, dba->db);
    dba->db = NULL;
}

struct cancel *
dba_own_cancel(const struct tablet_context *context)
{
    int64_t timeout_ms = context->identity->remote_operation_timeout_ms;
    if (timeout_ms <= 0)
        timeout_ms = DEFAULT_OPERATION_MS;
    return cancel_new(clock_monotonic_ms() + timeout_ms);
}
