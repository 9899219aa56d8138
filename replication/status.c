#include <stdlib.h>

#include "agent/base/memory.h"
#include "replication/status_private.h"

void
replication_status_done(struct replication_status *status)
{
    position_free(status->position);
    position_free(status->relay_log_position);
    free(status->file_position);
    free(status->relay_log_source_binlog_equivalent_position);
    free(status->relay_log_file_position);
    free(status->source_host);
    free(status->source_user);
    free(status->source_uuid);
    free(status->last_io_error);
    free(status->last_sql_error);
    *status = (struct replication_status){.position = NULL};
}

bool
replication_status_io_is_healthy(const struct replication_status *status)
{
    return status->io_state == REPLICATION_RUNNING ||
           (status->io_state == REPLICATION_CONNECTING && str_is_empty(status->last_io_error));
}

bool
replication_status_is_healthy(const struct replication_status *status)
{
    return replication_status_io_is_healthy(status) && status->sql_state == REPLICATION_RUNNING;
}

static struct error *
read_binlog_set(struct db *db, struct cancel *cancel, char **ret_text)
{
    CLEANUP(freep) char *text = NULL;
    TRY(db_query_text(db, cancel, db_dialect(db)->executed_set, &text));
    *ret_text = text != NULL ? text : xstrdup("");
    text = NULL;
    return NULL;
}

struct error *
replication_status_read(struct db *db, struct cancel *cancel, struct replication_status *ret_status)
{
    const struct dialect *dialect = db_dialect(db);
    CLEANUP(freep) char *binlog_set = NULL;
    CLEANUP(db_result_freep) struct db_result *rows = NULL;
    if (dialect->flavor == DIALECT_MARIADB)
        TRY(read_binlog_set(db, cancel, &binlog_set));
    TRY(db_query(db, cancel, DB_NO_LIMIT, dialect->replication_status, &rows));
    return replication_status_parse(dialect, rows, binlog_set, ret_status);
}

struct error *
executed_position_read(struct db *db, struct cancel *cancel, struct position **ret_position)
{
    CLEANUP(freep) char *text = NULL;
    TRY(read_binlog_set(db, cancel, &text));
    return position_parse_set(position_flavor_of_dialect(db_dialect(db)), text, ret_position);
}

static struct error *
read_mariadb_identity(struct db *db, struct cancel *cancel, char **ret_text)
{
    struct error *error = db_query_text(db, cancel, "SELECT " MARIADB_IDENTITY, ret_text);
    if (error == NULL || error->mysql_errno != ERRNO_UNKNOWN_VARIABLE)
        return error;
    error_free(error);
    return db_query_text(db, cancel, "SELECT " MARIADB_OLD_IDENTITY, ret_text);
}

struct error *
server_uuid_read(struct db *db, struct cancel *cancel, char **ret_uuid)
{
    CLEANUP(freep) char *text = NULL;
    if (!db_dialect(db)->has_server_uuid) {
        TRY(read_mariadb_identity(db, cancel, &text));
        *ret_uuid = uuid_from_text(text != NULL ? text : "");
        return NULL;
    }
    TRY(db_query_text(db, cancel, "SELECT @@global.server_uuid", &text));
    if (!uuid_is_valid(text))
        return error_new(ERROR_INTERNAL, "the server's uuid '%s' is not one", text ? text : "");
    *ret_uuid = text;
    text = NULL;
    return NULL;
}

void
primary_status_done(struct primary_status *status)
{
    position_free(status->position);
    free(status->file_position);
    free(status->server_uuid);
    *status = (struct primary_status){.position = NULL};
}

static struct error *
primary_status_fill(struct db *db, struct cancel *cancel, struct primary_status *status)
{
    CLEANUP(db_result_freep) struct db_result *rows = NULL;
    TRY(db_query(db, cancel, DB_NO_LIMIT, db_dialect(db)->primary_status, &rows));
    status->file_position = primary_file_position(rows);
    TRY(executed_position_read(db, cancel, &status->position));
    return server_uuid_read(db, cancel, &status->server_uuid);
}

struct error *
primary_status_read(struct db *db, struct cancel *cancel, struct primary_status *ret_status)
{
    struct primary_status status = {.position = NULL};
    struct error *error = primary_status_fill(db, cancel, &status);
    if (error != NULL) {
        primary_status_done(&status);
        return error;
    }
    *ret_status = status;
    return NULL;
}
