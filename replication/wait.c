#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "replication/control_private.h"
#include "replication/status_private.h"

/* A wait in the server lasts so long at most: then the own set is looked at again, because
 * MariaDB's wait watches the replica's position only, and because a wait must not outlive its
 * client. */
#define SLICE_MARIADB_MS 1000
#define SLICE_MS 10000

enum wait_outcome { WAIT_REACHED, WAIT_TIMED_OUT, WAIT_IMPOSSIBLE };

static double
slice_seconds(const struct cancel *cancel, int64_t most_ms)
{
    int64_t left = cancel_remaining_ms(cancel);
    return (double)(left < most_ms ? left + 1 : most_ms) / 1000.0;
}

/* NULL: impossible; negative: timed out (all dialects but MySQL's GTID wait, which says 1). */
static struct error *
run_wait(struct db *db, struct cancel *cancel, const char *sql, enum wait_outcome *ret_outcome)
{
    CLEANUP(freep) char *text = NULL;
    TRY(db_query_text(db, cancel, sql, &text));
    bool is_gtid_wait = strstr(sql, "WAIT_FOR_EXECUTED_GTID_SET") != NULL;
    if (text == NULL)
        *ret_outcome = WAIT_IMPOSSIBLE;
    else if (text[0] == '-' || (is_gtid_wait && strcmp(text, "1") == 0))
        *ret_outcome = WAIT_TIMED_OUT;
    else
        *ret_outcome = WAIT_REACHED;
    return NULL;
}

static struct error *
wait_gtid_slice(struct db *db, struct cancel *cancel, const struct position *position,
                enum wait_outcome *ret_outcome)
{
    CLEANUP(freep) char *literal = NULL;
    CLEANUP(freep) char *sql = NULL;
    TRY(position_literal(db, position, &literal));
    if (db_dialect(db)->flavor == DIALECT_MARIADB)
        sql = xasprintf("SELECT MASTER_GTID_WAIT(%s, %.3f)", literal,
                        slice_seconds(cancel, SLICE_MARIADB_MS));
    else
        sql = xasprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %.3f)", literal,
                        slice_seconds(cancel, SLICE_MS));
    return run_wait(db, cancel, sql, ret_outcome);
}

static struct error *
wait_gtid(struct db *db, struct cancel *cancel, const struct position *position)
{
    for (;;) {
        CLEANUP(position_freep) struct position *executed = NULL;
        TRY(executed_position_read(db, cancel, &executed));
        if (position_contains(executed, position))
            return NULL;
        enum wait_outcome outcome = WAIT_TIMED_OUT;
        TRY(wait_gtid_slice(db, cancel, position, &outcome));
        if (outcome == WAIT_REACHED)
            return NULL;
        if (outcome == WAIT_IMPOSSIBLE)
            return error_new(ERROR_FAILED_PRECONDITION, "the server can't wait for a position");
    }
}

/* File names mean something only beside those of the same server: a replica's executed position is
 * in its source's files, a primary's in its own. */
static struct error *
file_position_read(struct db *db, struct cancel *cancel, char **ret_text, bool *ret_is_replica)
{
    struct replication_status status = {.position = NULL};
    struct error *error = replication_status_read(db, cancel, &status);
    if (error == NULL) {
        *ret_text = xstrdup(status.file_position);
        *ret_is_replica = true;
        replication_status_done(&status);
        return NULL;
    }
    if (!error_is_not_a_replica(error))
        return error;
    error_free(error);
    CLEANUP(db_result_freep) struct db_result *rows = NULL;
    TRY(db_query(db, cancel, DB_NO_LIMIT, db_dialect(db)->primary_status, &rows));
    *ret_text = primary_file_position(rows);
    *ret_is_replica = false;
    return NULL;
}

static struct error *
wait_file_slice(struct db *db, struct cancel *cancel, const struct position *position,
                enum wait_outcome *ret_outcome)
{
    CLEANUP(freep) char *text = position_set_text(position);
    char *colon = strrchr(text, ':');
    CLEANUP(freep) char *file = db_quote(text, (size_t)(colon - text));
    int64_t left = cancel_remaining_ms(cancel);
    int seconds = left < SLICE_MS ? (int)(left / 1000) + 1 : SLICE_MS / 1000;
    CLEANUP(freep)
    char *sql =
        xasprintf("SELECT %s(%s, %s, %d)", db_dialect(db)->position_wait, file, colon + 1, seconds);
    return run_wait(db, cancel, sql, ret_outcome);
}

static struct error *
wait_file(struct db *db, struct cancel *cancel, const struct position *position)
{
    for (;;) {
        CLEANUP(freep) char *text = NULL;
        CLEANUP(position_freep) struct position *executed = NULL;
        bool is_replica = false;
        TRY(file_position_read(db, cancel, &text, &is_replica));
        TRY(position_parse(text, &executed));
        if (position_contains(executed, position))
            return NULL;
        enum wait_outcome outcome = WAIT_TIMED_OUT;
        if (is_replica)
            TRY(wait_file_slice(db, cancel, position, &outcome));
        else
            TRY(cancel_sleep_ms(cancel, 50));
        if (outcome == WAIT_REACHED)
            return NULL;
        if (outcome == WAIT_IMPOSSIBLE)
            return error_new(ERROR_FAILED_PRECONDITION,
                             "the replication SQL thread is not running, the position can't be "
                             "reached");
    }
}

struct error *
replication_wait_for_position(struct db *db, struct cancel *cancel, const struct position *position)
{
    if (position_is_empty(position))
        return NULL;
    bool is_file = position_flavor_of(position) == POSITION_FILE;
    struct error *error =
        is_file ? wait_file(db, cancel, position) : wait_gtid(db, cancel, position);
    if (error == NULL)
        return NULL;
    CLEANUP(freep) char *text = position_text(position);
    return error_wrap(error, "wait for position '%.200s'", text);
}
