#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"
#include "replication/control_private.h"
#include "replication/status_private.h"

static const struct semi_sync_names families[] = {
    {"rpl_semi_sync_source_enabled", "rpl_semi_sync_replica_enabled",
     "Rpl_semi_sync_replica_status", "Rpl_semi_sync_source_wait_sessions"},
    {"rpl_semi_sync_master_enabled", "rpl_semi_sync_slave_enabled", "Rpl_semi_sync_slave_status",
     "Rpl_semi_sync_master_wait_sessions"},
};

static bool
has_row(const struct db_result *rows, const char *name)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        const char *text = db_result_cell(rows, i, 0)->data;
        if (text != NULL && strcasecmp(text, name) == 0)
            return true;
    }
    return false;
}

struct error *
semi_sync_names_read(struct db *db, struct cancel *cancel, struct semi_sync_names *ret_names)
{
    CLEANUP(db_result_freep) struct db_result *rows = NULL;
    TRY(error_wrap(db_query(db, cancel, DB_NO_LIMIT,
                            "SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%\\_enabled'", &rows),
                   "look for semi-sync plugins"));
    *ret_names = (struct semi_sync_names){.primary_enabled = NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        const struct semi_sync_names *family = &families[i];
        bool has_primary = has_row(rows, family->primary_enabled);
        bool has_replica = has_row(rows, family->replica_enabled);
        if (has_primary || has_replica) {
            *ret_names = *family;
            ret_names->primary_enabled = has_primary ? family->primary_enabled : NULL;
            ret_names->replica_enabled = has_replica ? family->replica_enabled : NULL;
            return NULL;
        }
    }
    return NULL;
}

static struct error *
status_value_read(struct db *db, struct cancel *cancel, const char *name, char **ret_text)
{
    CLEANUP(db_result_freep) struct db_result *rows = NULL;
    TRY(db_queryf(db, cancel, &rows, "SHOW GLOBAL STATUS LIKE '%s'", name));
    bool has_value = rows->row_count > 0 && rows->field_count >= 2;
    *ret_text = has_value ? xstrdup(db_result_cell(rows, 0, 1)->data) : NULL;
    return NULL;
}

struct error *
semi_sync_wait_sessions_read(struct db *db, struct cancel *cancel,
                             const struct semi_sync_names *names, uint64_t *ret_count)
{
    CLEANUP(freep) char *text = NULL;
    if (names->primary_enabled != NULL)
        TRY(status_value_read(db, cancel, names->wait_sessions, &text));
    *ret_count = text != NULL ? strtoull(text, NULL, 10) : 0;
    return NULL;
}

struct error *
semi_sync_switch(struct db *db, struct cancel *cancel, const struct semi_sync_names *names,
                 bool is_primary_on, bool is_replica_on)
{
    if (names->primary_enabled != NULL)
        TRY(error_wrap(db_executef(db, cancel, "SET GLOBAL %s = %d", names->primary_enabled,
                                   is_primary_on ? 1 : 0),
                       "switch semi-sync"));
    if (names->replica_enabled != NULL)
        TRY(error_wrap(db_executef(db, cancel, "SET GLOBAL %s = %d", names->replica_enabled,
                                   is_replica_on ? 1 : 0),
                       "switch semi-sync"));
    return NULL;
}

struct error *
semi_sync_action_of(struct db *db, struct cancel *cancel, bool wants_semi_sync,
                    enum semi_sync_action *ret_action)
{
    struct semi_sync_names names;
    TRY(semi_sync_names_read(db, cancel, &names));
    bool has_plugins = names.primary_enabled != NULL && names.replica_enabled != NULL;
    if (wants_semi_sync && !has_plugins)
        return error_new(ERROR_FAILED_PRECONDITION, "VT09013: semi-sync plugins are not loaded");
    if (wants_semi_sync)
        *ret_action = SEMI_SYNC_SET;
    else
        *ret_action = has_plugins ? SEMI_SYNC_UNSET : SEMI_SYNC_NONE;
    return NULL;
}

struct error *
semi_sync_fix(struct db *db, struct cancel *cancel, enum semi_sync_action action, bool is_primary)
{
    struct semi_sync_names names;
    if (action == SEMI_SYNC_NONE)
        return NULL;
    bool is_set = action == SEMI_SYNC_SET;
    TRY(semi_sync_names_read(db, cancel, &names));
    return semi_sync_switch(db, cancel, &names, is_set && is_primary, is_set);
}

/* Whether the IO thread runs with another semi-sync setting than it should. */
static struct error *
io_thread_differs(struct db *db, struct cancel *cancel, bool should_ack, bool *ret_differs)
{
    struct replication_status status = {.position = NULL};
    struct error *error = replication_status_read(db, cancel, &status);
    if (error_is_not_a_replica(error)) {
        error_free(error);
        *ret_differs = false;
        return NULL;
    }
    TRY(error);
    bool is_healthy = replication_status_io_is_healthy(&status);
    replication_status_done(&status);
    struct semi_sync_names names;
    CLEANUP(freep) char *text = NULL;
    TRY(semi_sync_names_read(db, cancel, &names));
    if (names.replica_enabled != NULL)
        TRY(status_value_read(db, cancel, names.replica_status, &text));
    *ret_differs = is_healthy && text_is_true(text) != should_ack;
    return NULL;
}

struct error *
semi_sync_fix_and_replication(struct db *db, struct cancel *cancel, enum semi_sync_action action,
                              bool is_primary, bool should_ack)
{
    bool differs = false;
    if (action == SEMI_SYNC_NONE || is_primary)
        return NULL;
    TRY(semi_sync_fix(db, cancel, action, is_primary));
    TRY(io_thread_differs(db, cancel, should_ack, &differs));
    if (!differs)
        return NULL;
    TRY(replication_stop(db, cancel));
    return replication_start(db, cancel);
}
