/* LockTables and UnlockTables: a connection that holds a global read lock. The loop owns it;
 * workers take it out and put it in. Whoever forgets it is forgiven after a minute. */
#include <stdlib.h>

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/handlers/service.h"

#define AUTO_UNLOCK_MS 60000
#define UNLOCK_TIMEOUT_MS 15000

struct table_lock {
    struct service *service;
    struct db *db;   /* holds the lock; NULL: none */
    bool is_claimed; /* a LockTables is under way */
    struct loop_timer *timer;
};

struct table_lock *
table_lock_new(struct service *service)
{
    struct table_lock *lock = xcalloc(1, sizeof(*lock));
    lock->service = service;
    return lock;
}

void
table_lock_free(struct table_lock *lock)
{
    if (lock == NULL)
        return;
    loop_timer_free(lock->timer);
    db_close(lock->db);
    free(lock);
}

/* One errand of a worker to the loop. */
struct errand {
    struct table_lock *lock;
    struct db *db;
    bool is_done;
};

static void
close_connection(void *data)
{
    db_close(data);
}

static void
unlock_forgotten(void *data)
{
    struct table_lock *lock = data;
    struct db *db = lock->db;
    if (db == NULL)
        return;
    lock->db = NULL;
    LOG_WARN("tables", "tables were locked for %d s: unlocking them", AUTO_UNLOCK_MS / 1000);
    /* Closing ends the lock, too; it may block, so not here. */
    worker_submit(lock->service->context->query_worker, close_connection, db);
}

static void
claim(void *data)
{
    struct errand *errand = data;
    errand->is_done = !errand->lock->is_claimed && errand->lock->db == NULL;
    if (errand->is_done)
        errand->lock->is_claimed = true;
}

static void
put_in(void *data)
{
    struct errand *errand = data;
    struct table_lock *lock = errand->lock;
    lock->is_claimed = false;
    lock->db = errand->db;
    if (errand->db == NULL)
        return;
    if (lock->timer == NULL)
        lock->timer =
            loop_timer_new(lock->service->context->loop, "unlock tables", unlock_forgotten, lock);
    loop_timer_start(lock->timer, AUTO_UNLOCK_MS);
}

static void
take_out(void *data)
{
    struct errand *errand = data;
    errand->db = errand->lock->db;
    errand->lock->db = NULL;
    if (errand->lock->timer != NULL)
        loop_timer_stop(errand->lock->timer);
}

/* Needs fewer privileges, has the same effect on this database. */
static struct error *
lock_each_table(struct handler_call *call, struct db *db)
{
    CLEANUP(freep) char *database = db_quote_name(call->context->identity->database);
    TRY(db_executef(db, call->cancel, "USE %s", database));
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_query(db, call->cancel, DB_NO_LIMIT, "SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'",
                 &result));
    if (result->row_count == 0)
        return NULL;
    CLEANUP(buffer_done) struct buffer sql = BUFFER_INIT;
    for (size_t i = 0; i < result->row_count; i++) {
        CLEANUP(freep) char *name = db_quote_name(db_result_cell(result, i, 0)->data);
        buffer_appendf(&sql, "%s%s READ", i == 0 ? "LOCK TABLES " : ", ", name);
    }
    return db_execute(db, call->cancel, sql.data);
}

static struct error *
lock_tables(struct handler_call *call, struct db **ret_db)
{
    CLEANUP(db_closep) struct db *db = NULL;
    TRY(db_open(&call->context->dba_params, call->cancel, &db));
    struct error *error = db_execute(db, call->cancel, "FLUSH TABLES WITH READ LOCK");
    if (error != NULL && error->mysql_errno != 0 && !cancel_is_requested(call->cancel)) {
        LOG_WARN("tables", "FLUSH TABLES WITH READ LOCK: %s; locking each table", error->message);
        error_free(error);
        error = lock_each_table(call, db);
    }
    TRY(error);
    *ret_db = db;
    db = NULL;
    return NULL;
}

HANDLER(handle_lock_tables)
{
    (void)request;
    (void)response;
    struct loop *loop = call->context->loop;
    struct errand errand = {.lock = call->service->table_lock};
    loop_call(loop, "claim table lock", claim, &errand);
    if (!errand.is_done)
        return error_new(ERROR_UNKNOWN, "tables already locked on this tablet");
    struct error *error = lock_tables(call, &errand.db);
    loop_call(loop, "keep table lock", put_in, &errand);
    return error;
}

HANDLER(handle_unlock_tables)
{
    (void)request;
    (void)response;
    struct errand errand = {.lock = call->service->table_lock};
    loop_call(call->context->loop, "take table lock", take_out, &errand);
    if (errand.db == NULL)
        return error_new(ERROR_UNKNOWN, "tables were not locked");
    CLEANUP(db_closep) struct db *db = errand.db;
    CLEANUP(cancel_unrefp)
    struct cancel *own = cancel_new(clock_monotonic_ms() + UNLOCK_TIMEOUT_MS);
    return db_execute(db, own, "UNLOCK TABLES");
}
