#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"
#include "replication/control_private.h"
#include "replication/fence_private.h"

static const char *const server_users[] = {
    "system user",      "event_scheduler", "mysql.session",       "mysql.sys",
    "mysql.infoschema", "mariadb.sys",     "unauthenticated user"};
static const char *const server_commands[] = {
    "Binlog Dump", "Binlog Dump GTID", "Daemon", "Slave_IO", "Slave_SQL", "Slave_worker", "Killed"};

static bool
is_listed(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(text, list[i]) == 0)
            return true;
    }
    return false;
}

bool
fence_process_is_blocker(const struct fence_process *process, unsigned round,
                         bool are_holders_known, const char *our_user)
{
    if (is_listed(process->user, server_users, ARRAY_LENGTH(server_users)) ||
        is_listed(process->command, server_commands, ARRAY_LENGTH(server_commands)))
        return false;
    if (str_starts_with(process->state, "Waiting for semi-sync ACK"))
        return false;
    if (are_holders_known && round == 1)
        return process->holds_lock;
    if (process->holds_lock || round >= 3)
        return true;
    bool is_idle = strcasecmp(process->command, "Sleep") == 0;
    return !str_equal(process->user, our_user) && (round >= 2 || !is_idle);
}

/* Connections that hold what the switch waits for. No rows where the server does not tell. */
static struct error *
holders_read(struct db *db, struct cancel *cancel, struct db_result **ret_holders)
{
    if (db_dialect(db)->flavor != DIALECT_MYSQL)
        return db_query(db, cancel, DB_NO_LIMIT, "SELECT 1 FROM DUAL WHERE 1 = 0", ret_holders);
    return db_query(db, cancel, DB_NO_LIMIT,
                    "SELECT DISTINCT t.PROCESSLIST_ID FROM performance_schema.metadata_locks m"
                    " JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID"
                    " WHERE m.LOCK_STATUS = 'GRANTED' AND m.OBJECT_TYPE IN ('GLOBAL', 'COMMIT')"
                    " AND m.LOCK_TYPE = 'INTENTION_EXCLUSIVE' AND t.PROCESSLIST_ID IS NOT NULL",
                    ret_holders);
}

static uint64_t
id_of(const char *text)
{
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static bool
is_holder(const struct db_result *holders, uint64_t id)
{
    for (size_t i = 0; i < holders->row_count; i++) {
        if (id_of(db_result_cell(holders, i, 0)->data) == id)
            return true;
    }
    return false;
}

static bool
is_spared(uint64_t id, const uint64_t *spared, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (spared[i] == id)
            return true;
    }
    return false;
}

static const char *
column(const struct db_result *rows, size_t row, const char *name)
{
    const char *text = db_result_text(rows, row, name);
    return text != NULL ? text : "";
}

static struct error *
kill_connection(struct db *db, struct cancel *cancel, uint64_t id)
{
    struct error *error = db_executef(db, cancel, "KILL %llu", (unsigned long long)id);
    if (error != NULL && error->mysql_errno == MYSQL_ERRNO_NO_SUCH_THREAD) {
        error_free(error);
        return NULL;
    }
    return error;
}

/* The account of this very connection, as the process list names it. */
static const char *
our_user_of(struct db *db, const struct db_result *processes)
{
    for (size_t i = 0; i < processes->row_count; i++) {
        if (id_of(column(processes, i, "Id")) == db_connection_id(db))
            return column(processes, i, "User");
    }
    return "";
}

struct error *
fence_kill_blockers(struct db *db, struct cancel *cancel, unsigned round, const uint64_t *spared,
                    size_t spared_count)
{
    CLEANUP(db_result_freep) struct db_result *holders = NULL;
    CLEANUP(db_result_freep) struct db_result *processes = NULL;
    TRY(holders_read(db, cancel, &holders));
    TRY(db_query(db, cancel, DB_NO_LIMIT, "SHOW FULL PROCESSLIST", &processes));
    const char *our_user = our_user_of(db, processes);
    for (size_t i = 0; i < processes->row_count; i++) {
        struct fence_process process = {
            .id = id_of(column(processes, i, "Id")),
            .user = column(processes, i, "User"),
            .command = column(processes, i, "Command"),
            .state = column(processes, i, "State"),
        };
        process.holds_lock = is_holder(holders, process.id);
        if (!is_spared(process.id, spared, spared_count) &&
            fence_process_is_blocker(&process, round, holders->row_count > 0, our_user))
            TRY(kill_connection(db, cancel, process.id));
    }
    return NULL;
}
