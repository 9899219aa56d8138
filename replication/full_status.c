#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"
#include "replication/status_private.h"

/* System variables that every version has come by name: asking for them as rows costs a server more
 * than all the rest. Those of MySQL's semi-sync plugins, which may be absent, follow in a second
 * round once the status variables have shown which plugins there are. */
enum { ANSWER_VARIABLES, ANSWER_STATUS, ANSWER_REPLICATION, ANSWER_PRIMARY, ANSWER_COUNT };

#define MYSQL_VARIABLES                                                                            \
    ", @@global.super_read_only AS super_read_only, @@global.gtid_mode AS gtid_mode,"              \
    " @@global.server_uuid AS server_uuid, @@global.gtid_executed AS executed,"                    \
    " @@global.gtid_purged AS purged,"                                                             \
    " (SELECT HEARTBEAT_INTERVAL FROM performance_schema.replication_connection_configuration"     \
    " ORDER BY CHANNEL_NAME LIMIT 1) AS heartbeat"
#define MARIADB_VARIABLES                                                                          \
    ", @@global.read_only AS super_read_only, 'ON' AS gtid_mode,"                                  \
    " @@global.gtid_binlog_pos AS executed, '' AS purged, NULL AS heartbeat,"                      \
    " @@global.rpl_semi_sync_master_enabled AS primary_enabled,"                                   \
    " @@global.rpl_semi_sync_slave_enabled AS replica_enabled,"                                    \
    " @@global.rpl_semi_sync_master_timeout AS timeout, 1 AS wait_count"
#define MYSQL_STATUS                                                                               \
    "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.global_status"                   \
    " WHERE VARIABLE_NAME IN ('Rpl_semi_sync_source_status', 'Rpl_semi_sync_source_clients',"      \
    " 'Rpl_semi_sync_source_wait_sessions', 'Rpl_semi_sync_replica_status',"                       \
    " 'Rpl_semi_sync_master_status', 'Rpl_semi_sync_master_clients',"                              \
    " 'Rpl_semi_sync_master_wait_sessions', 'Rpl_semi_sync_slave_status')"
/* The table behind it is empty without performance_schema, which is MariaDB's default. */
#define MARIADB_STATUS                                                                             \
    "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Rpl\\_semi\\_sync\\_%'"                          \
    " OR Variable_name = 'Slave_heartbeat_period'"

static char *
round_statement(const struct dialect *dialect, const char *identity)
{
    bool is_mysql = dialect->flavor == DIALECT_MYSQL;
    return xasprintf(
        "SELECT @@global.server_id AS server_id, @@global.version AS version,"
        " @@global.version_comment AS version_comment, @@global.binlog_format AS binlog_format,"
        " @@global.binlog_row_image AS binlog_row_image, @@global.log_bin AS log_bin,"
        " @@global.%s AS log_updates, @@global.%s AS net_timeout, @@global.read_only AS read_only,"
        " %s AS server_identity%s; %s; %s; %s",
        dialect->log_updates_variable, dialect->net_timeout_variable, is_mysql ? "''" : identity,
        is_mysql ? MYSQL_VARIABLES : MARIADB_VARIABLES, is_mysql ? MYSQL_STATUS : MARIADB_STATUS,
        dialect->replication_status, dialect->primary_status);
}

void
full_status_done(struct full_status *status)
{
    free(status->server_uuid);
    free(status->version);
    free(status->version_comment);
    free(status->gtid_mode);
    free(status->binlog_format);
    free(status->binlog_row_image);
    replication_status_done(&status->replication);
    primary_status_done(&status->primary);
    position_free(status->gtid_purged);
    *status = (struct full_status){.server_id = 0};
}

static const char *
text_or_empty(const struct db_result *rows, const char *column)
{
    const char *text = db_result_text(rows, 0, column);
    return text != NULL ? text : "";
}

/* The value of a row of (name, value), by either of two names; NULL when absent. */
static const char *
named_value(const struct db_result *rows, const char *name, const char *old_name)
{
    for (size_t i = 0; i < rows->row_count && rows->field_count >= 2; i++) {
        const char *row_name = db_result_cell(rows, i, 0)->data;
        if (row_name != NULL &&
            (strcasecmp(row_name, name) == 0 || strcasecmp(row_name, old_name) == 0))
            return db_result_cell(rows, i, 1)->data;
    }
    return NULL;
}

static uint64_t
named_number(const struct db_result *rows, const char *name, const char *old_name, uint64_t most)
{
    const char *text = named_value(rows, name, old_name);
    uint64_t number = text != NULL ? strtoull(text, NULL, 10) : 0;
    return number > most ? most : number;
}

static void
parse_semi_sync_variables(const struct db_result *rows, struct full_status *status)
{
    const char *timeout = text_or_empty(rows, "timeout");
    const char *wait_count = text_or_empty(rows, "wait_count");
    status->semi_sync_primary_enabled = text_is_true(db_result_text(rows, 0, "primary_enabled"));
    status->semi_sync_replica_enabled = text_is_true(db_result_text(rows, 0, "replica_enabled"));
    status->semi_sync_primary_timeout = strtoull(timeout, NULL, 10);
    status->semi_sync_wait_for_replica_count = (uint32_t)strtoul(wait_count, NULL, 10);
}

static void
parse_semi_sync_status(const struct db_result *rows, struct full_status *status)
{
    status->semi_sync_primary_status = text_is_true(
        named_value(rows, "Rpl_semi_sync_source_status", "Rpl_semi_sync_master_status"));
    status->semi_sync_replica_status = text_is_true(
        named_value(rows, "Rpl_semi_sync_replica_status", "Rpl_semi_sync_slave_status"));
    status->semi_sync_primary_clients = (uint32_t)named_number(
        rows, "Rpl_semi_sync_source_clients", "Rpl_semi_sync_master_clients", UINT32_MAX);
    status->semi_sync_wait_sessions =
        (uint32_t)named_number(rows, "Rpl_semi_sync_source_wait_sessions",
                               "Rpl_semi_sync_master_wait_sessions", UINT32_MAX);
}

/* Newer MariaDB has more words than ON and OFF for it. */
static bool
read_only_is_on(const char *text)
{
    return text != NULL && strcmp(text, "0") != 0 && strcasecmp(text, "off") != 0;
}

static void
parse_variables(const struct dialect *dialect, const struct db_result *rows,
                struct full_status *status)
{
    const char *version = text_or_empty(rows, "version");
    status->server_id = (uint32_t)strtoul(text_or_empty(rows, "server_id"), NULL, 10);
    status->version = xstrndup(version, strspn(version, "0123456789."));
    status->version_comment = xstrdup(text_or_empty(rows, "version_comment"));
    status->binlog_format = xstrdup(text_or_empty(rows, "binlog_format"));
    status->binlog_row_image = xstrdup(text_or_empty(rows, "binlog_row_image"));
    status->gtid_mode = xstrdup(text_or_empty(rows, "gtid_mode"));
    status->log_bin_enabled = text_is_true(db_result_text(rows, 0, "log_bin"));
    status->log_replica_updates = text_is_true(db_result_text(rows, 0, "log_updates"));
    status->read_only = read_only_is_on(db_result_text(rows, 0, "read_only"));
    status->super_read_only = read_only_is_on(db_result_text(rows, 0, "super_read_only"));
    status->replica_net_timeout = (int32_t)strtol(text_or_empty(rows, "net_timeout"), NULL, 10);
    status->server_uuid = dialect->has_server_uuid
                              ? xstrdup(text_or_empty(rows, "server_uuid"))
                              : uuid_from_text(text_or_empty(rows, "server_identity"));
}

static void
parse_configuration(const struct full_status_answers *answers, struct full_status *status)
{
    const char *text = db_result_text(answers->variables, 0, "heartbeat");
    if (text == NULL)
        text = named_value(answers->status, "Slave_heartbeat_period", "Slave_heartbeat_period");
    status->heartbeat_interval = text != NULL ? strtod(text, NULL) : 0;
    status->has_configuration = status->is_replica && text != NULL;
}

static struct error *
parse_roles(const struct dialect *dialect, const struct full_status_answers *answers,
            struct full_status *status)
{
    enum position_flavor flavor = position_flavor_of_dialect(dialect);
    const char *executed = text_or_empty(answers->variables, "executed");
    status->is_replica = answers->replication->row_count > 0;
    if (status->is_replica)
        TRY(replication_status_parse(dialect, answers->replication,
                                     flavor == POSITION_MARIADB ? executed : NULL,
                                     &status->replication));
    status->has_primary_status = answers->primary->row_count > 0;
    TRY(position_parse_set(flavor, executed, &status->primary.position));
    status->primary.file_position = primary_file_position(answers->primary);
    status->primary.server_uuid = xstrdup(status->server_uuid);
    TRY(position_parse_set(flavor, text_or_empty(answers->variables, "purged"),
                           &status->gtid_purged));
    return NULL;
}

struct error *
full_status_parse(const struct dialect *dialect, const struct full_status_answers *answers,
                  struct full_status *ret_status)
{
    if (answers->variables->row_count != 1)
        return error_new(ERROR_INTERNAL, "the server did not tell its variables");
    struct full_status status = {.server_id = 0};
    parse_variables(dialect, answers->variables, &status);
    if (answers->semi_sync != NULL)
        parse_semi_sync_variables(answers->semi_sync, &status);
    parse_semi_sync_status(answers->status, &status);
    struct error *error = parse_roles(dialect, answers, &status);
    if (error != NULL) {
        full_status_done(&status);
        return error;
    }
    parse_configuration(answers, &status);
    *ret_status = status;
    return NULL;
}

char *
full_status_semi_sync_statement(const struct db_result *status_rows)
{
    bool has_source = named_value(status_rows, "Rpl_semi_sync_source_status", "") != NULL;
    bool has_master = named_value(status_rows, "Rpl_semi_sync_master_status", "") != NULL;
    bool has_replica = named_value(status_rows, "Rpl_semi_sync_replica_status", "") != NULL;
    bool has_slave = named_value(status_rows, "Rpl_semi_sync_slave_status", "") != NULL;
    const char *primary = "NULL AS primary_enabled, NULL AS timeout, NULL AS wait_count";
    const char *replica = "NULL AS replica_enabled";
    if (!has_source && !has_master && !has_replica && !has_slave)
        return NULL;
    if (has_source)
        primary = "@@global.rpl_semi_sync_source_enabled AS primary_enabled,"
                  " @@global.rpl_semi_sync_source_timeout AS timeout,"
                  " @@global.rpl_semi_sync_source_wait_for_replica_count AS wait_count";
    else if (has_master)
        primary = "@@global.rpl_semi_sync_master_enabled AS primary_enabled,"
                  " @@global.rpl_semi_sync_master_timeout AS timeout,"
                  " @@global.rpl_semi_sync_master_wait_for_slave_count AS wait_count";
    if (has_replica)
        replica = "@@global.rpl_semi_sync_replica_enabled AS replica_enabled";
    else if (has_slave)
        replica = "@@global.rpl_semi_sync_slave_enabled AS replica_enabled";
    return xasprintf("SELECT %s, %s", primary, replica);
}

struct round {
    struct db_result **results;
    size_t count;
};

static void
round_done(struct round *round)
{
    for (size_t i = 0; i < round->count; i++)
        db_result_free(round->results[i]);
    free(round->results);
    *round = (struct round){.results = NULL};
}

static struct error *
run_round(struct db *db, struct cancel *cancel, const char *sql, size_t expected,
          struct round *round)
{
    TRY(db_query_multi(db, cancel, DB_NO_LIMIT, sql, &round->results, &round->count));
    if (round->count != expected)
        return error_new(ERROR_INTERNAL, "%zu answers to %zu statements", round->count, expected);
    return NULL;
}

static struct error *
run_first_round(struct db *db, struct cancel *cancel, struct round *round)
{
    CLEANUP(freep) char *sql = round_statement(db_dialect(db), MARIADB_IDENTITY);
    struct error *error = run_round(db, cancel, sql, ANSWER_COUNT, round);
    if (error == NULL || error->mysql_errno != ERRNO_UNKNOWN_VARIABLE ||
        db_dialect(db)->has_server_uuid)
        return error;
    error_free(error);
    CLEANUP(freep) char *old_sql = round_statement(db_dialect(db), MARIADB_OLD_IDENTITY);
    return run_round(db, cancel, old_sql, ANSWER_COUNT, round);
}

/* Multi-statement mode stays on for the single statement too: switching costs a round of its own.
 */
static struct error *
run_second_round(struct db *db, struct cancel *cancel, const struct db_result *status_rows,
                 struct round *round)
{
    CLEANUP(freep) char *sql = full_status_semi_sync_statement(status_rows);
    return sql != NULL ? run_round(db, cancel, sql, 1, round) : NULL;
}

struct error *
full_status_read(struct db *db, struct cancel *cancel, struct full_status *ret_status)
{
    const struct dialect *dialect = db_dialect(db);
    CLEANUP(round_done) struct round first = {.results = NULL};
    CLEANUP(round_done) struct round second = {.results = NULL};
    TRY(run_first_round(db, cancel, &first));
    struct full_status_answers answers = {
        .variables = first.results[ANSWER_VARIABLES],
        .semi_sync = first.results[ANSWER_VARIABLES],
        .status = first.results[ANSWER_STATUS],
        .replication = first.results[ANSWER_REPLICATION],
        .primary = first.results[ANSWER_PRIMARY],
    };
    if (dialect->flavor == DIALECT_MYSQL) {
        TRY(run_second_round(db, cancel, answers.status, &second));
        answers.semi_sync = second.count > 0 ? second.results[0] : NULL;
    }
    return full_status_parse(dialect, &answers, ret_status);
}
