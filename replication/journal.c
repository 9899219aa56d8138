#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "replication/control_private.h"

#define POLL_MS 50
#define POSITION_MOST_STORED 64000

struct sidecar_table {
    const char *name, *columns;
};
static const struct sidecar_table tables[] = {
    {"reparent_journal", "time_created_ns BIGINT UNSIGNED NOT NULL PRIMARY KEY,"
                         " action_name VARBINARY(255) NOT NULL,"
                         " primary_alias VARBINARY(255) NOT NULL,"
                         " replication_position VARBINARY(64000) NULL"},
    {"heartbeat", "keyspaceShard VARBINARY(256) NOT NULL PRIMARY KEY,"
                  " tabletUid INT UNSIGNED NOT NULL,"
                  " ts BIGINT UNSIGNED NOT NULL"},
    {"semisync_heartbeat", "ts BIGINT UNSIGNED NOT NULL PRIMARY KEY"},
};

struct error *
sidecar_create_database(struct db *db, struct cancel *cancel, const char *sidecar)
{
    CLEANUP(freep) char *name = db_quote_name(sidecar);
    return error_wrap(db_executef(db, cancel, "CREATE DATABASE IF NOT EXISTS %s", name),
                      "create the sidecar database '%s'", sidecar);
}

static struct error *
has_column(struct db *db, struct cancel *cancel, const char *sidecar, const char *table,
           const char *column, bool *ret_has)
{
    CLEANUP(freep) char *schema = db_quote(sidecar, strlen(sidecar));
    CLEANUP(db_result_freep) struct db_result *rows = NULL;
    TRY(db_queryf(db, cancel, &rows,
                  "SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND"
                  " TABLE_NAME = '%s' AND COLUMN_NAME LIKE '%s' LIMIT 1",
                  schema, table, column));
    *ret_has = rows->row_count > 0;
    return NULL;
}

static struct error *
create_table(struct db *db, struct cancel *cancel, const char *quoted,
             const struct sidecar_table *table)
{
    return error_wrap(db_executef(db, cancel,
                                  "CREATE TABLE IF NOT EXISTS %s.%s (%s)"
                                  " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
                                  quoted, table->name, table->columns),
                      "create the sidecar table '%s'", table->name);
}

/* CREATE … IF NOT EXISTS would write an event for a table that is there; so it is asked for first.
 * Before the first table comes the database once more: a replica may start at a position after the
 * event that created it. */
static struct error *
create_missing_tables(struct db *db, struct cancel *cancel, const char *sidecar, const char *quoted)
{
    bool has_database = false;
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        bool is_there = false;
        TRY(has_column(db, cancel, sidecar, tables[i].name, "%", &is_there));
        if (is_there)
            continue;
        if (!has_database)
            TRY(sidecar_create_database(db, cancel, sidecar));
        has_database = true;
        TRY(create_table(db, cancel, quoted, &tables[i]));
    }
    return NULL;
}

/* A journal of Vitess 2 calls the primary's alias otherwise, and keeps too few bytes of it. */
static struct error *
upgrade_journal(struct db *db, struct cancel *cancel, const char *sidecar, const char *quoted)
{
    bool is_old = false;
    TRY(has_column(db, cancel, sidecar, "reparent_journal", "master\\_alias", &is_old));
    if (!is_old)
        return NULL;
    return error_wrap(
        db_executef(db, cancel,
                    "ALTER TABLE %s.reparent_journal MODIFY action_name VARBINARY(255) NOT NULL,"
                    " CHANGE COLUMN master_alias primary_alias VARBINARY(255) NOT NULL",
                    quoted),
        "upgrade the sidecar table 'reparent_journal'");
}

struct error *
sidecar_create_tables(struct db *db, struct cancel *cancel, const char *sidecar)
{
    CLEANUP(freep) char *quoted = db_quote_name(sidecar);
    TRY(create_missing_tables(db, cancel, sidecar, quoted));
    return upgrade_journal(db, cancel, sidecar, quoted);
}

struct error *
sidecar_drop_tables(struct db *db, struct cancel *cancel, const char *sidecar)
{
    CLEANUP(freep) char *quoted = db_quote_name(sidecar);
    CLEANUP(buffer_done) struct buffer sql = BUFFER_INIT;
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
        buffer_appendf(&sql, "%s%s.%s", i == 0 ? "DROP TABLE IF EXISTS " : ", ", quoted,
                       tables[i].name);
    return error_wrap(db_execute(db, cancel, buffer_text(&sql)), "drop the sidecar tables");
}

struct error *
reparent_journal_insert(struct db *db, struct cancel *cancel, const char *sidecar,
                        int64_t time_created_ns, const char *action_name, const char *primary_alias,
                        const char *position)
{
    size_t length = strnlen(position, POSITION_MOST_STORED);
    CLEANUP(freep) char *database = db_quote_name(sidecar);
    CLEANUP(freep) char *action = db_quote(action_name, strlen(action_name));
    CLEANUP(freep) char *alias = db_quote(primary_alias, strlen(primary_alias));
    CLEANUP(freep) char *where = db_quote(position, length);
    return error_wrap(db_executef(db, cancel,
                                  "INSERT INTO %s.reparent_journal (time_created_ns, action_name,"
                                  " primary_alias, replication_position)"
                                  " VALUES (%lld, %s, %s, %s)",
                                  database, (long long)time_created_ns, action, alias, where),
                      "write the reparent journal");
}

struct error *
reparent_journal_length(struct db *db, struct cancel *cancel, const char *sidecar,
                        int32_t *ret_length)
{
    CLEANUP(freep) char *database = db_quote_name(sidecar);
    CLEANUP(freep) char *sql = xasprintf("SELECT COUNT(*) FROM %s.reparent_journal", database);
    CLEANUP(freep) char *text = NULL;
    TRY(error_wrap(db_query_text(db, cancel, sql, &text), "read the reparent journal"));
    *ret_length = text != NULL ? (int32_t)strtol(text, NULL, 10) : 0;
    return NULL;
}

static bool
is_not_yet(const struct error *error)
{
    return error != NULL && (error->mysql_errno == MYSQL_ERRNO_NO_SUCH_TABLE ||
                             error->mysql_errno == MYSQL_ERRNO_NO_SUCH_DATABASE);
}

struct error *
reparent_journal_wait(struct db *db, struct cancel *cancel, const char *sidecar,
                      int64_t time_created_ns)
{
    CLEANUP(freep) char *database = db_quote_name(sidecar);
    CLEANUP(freep)
    char *sql = xasprintf("SELECT 1 FROM %s.reparent_journal WHERE time_created_ns = %lld",
                          database, (long long)time_created_ns);
    for (;;) {
        CLEANUP(freep) char *text = NULL;
        struct error *error = db_query_text(db, cancel, sql, &text);
        if (is_not_yet(error)) {
            error_free(error);
            error = NULL;
        }
        if (error == NULL && text == NULL)
            error = cancel_sleep_ms(cancel, POLL_MS);
        if (error != NULL)
            return error_wrap(error, "wait for the reparent journal's row");
        if (text != NULL)
            return NULL;
    }
}
