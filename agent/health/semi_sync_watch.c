#include "agent/health/semi_sync_watch.h"

#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"

/* Shorter waits are ordinary: a slow disk on the replica. */
#define BLOCKED_AFTER_MS 1000

bool
semi_sync_watch_step(struct semi_sync_watch *watch, uint32_t waiting, int64_t acknowledged,
                     int64_t now_ms)
{
    if (waiting == 0) {
        atomic_store(&watch->waiting_since_ms, 0);
        return false;
    }
    int64_t since_ms = atomic_load(&watch->waiting_since_ms);
    if (since_ms == 0 || atomic_load(&watch->acknowledged) != acknowledged) {
        atomic_store(&watch->acknowledged, acknowledged);
        atomic_store(&watch->waiting_since_ms, now_ms);
        return false;
    }
    return now_ms - since_ms >= BLOCKED_AFTER_MS;
}

/* The second column of the only row of a SHOW; 0 when there is none. */
static struct error *
read_count(struct db *db, struct cancel *cancel, const char *sql, int64_t *ret_count)
{
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_query(db, cancel, DB_NO_LIMIT, sql, &result));
    bool has_value = result->row_count > 0 && result->field_count >= 2;
    const char *text = has_value ? db_result_cell(result, 0, 1)->data : NULL;
    *ret_count = text == NULL ? 0 : strtoll(text, NULL, 10);
    return NULL;
}

bool
semi_sync_is_blocked(struct semi_sync_watch *watch, uint32_t waiting, struct db *db,
                     struct cancel *cancel)
{
    int64_t acknowledged = 0;
    if (waiting > 0) {
        struct error *error = read_count(
            db, cancel, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_yes_tx'", &acknowledged);
        if (error != NULL) {
            error_free(error);
            return false;
        }
    }
    return semi_sync_watch_step(watch, waiting, acknowledged, clock_monotonic_ms());
}

bool
semi_sync_ask_blocked(struct semi_sync_watch *watch, struct db *db, struct cancel *cancel)
{
    int64_t waiting = 0;
    error_free(read_count(db, cancel, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_wait_sessions'",
                          &waiting));
    return semi_sync_is_blocked(watch, (uint32_t)waiting, db, cancel);
}
