#include <errmsg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/mysql/db_private.h"

#define MOST_RESULTS 10000

static struct error *
turn_error(const struct db_turn *turn)
{
    struct error *error = cancel_check(turn->cancel);
    if (error != NULL)
        return error;
    return error_new(ERROR_UNAVAILABLE, "the server did not answer in time");
}

/* A KILL that came too late hits the next statement: let it be one that nobody misses. */
static void
absorb_late_kill(struct db *db, struct db_turn *turn)
{
    static const char sql[] = "DO 0";
    if (db->is_broken)
        return;
    struct db_step step = {.kind = DB_STEP_QUERY, .sql = sql, .sql_length = sizeof(sql) - 1};
    if (db_step_run(db, turn, &step) && step.ret_code != 0)
        error_free(db_take_error(db));
}

/* The end of a turn: the cancel's error goes before whatever the killed statement said. */
static struct error *
turn_finish(struct db *db, struct db_turn *turn, struct error *take_error)
{
    if (!turn->was_ended)
        return take_error;
    if (mysql_more_results(db->mysql))
        db_break(db);
    absorb_late_kill(db, turn);
    error_free(take_error);
    return turn_error(turn);
}

static struct error *
send_statement(struct db *db, struct db_turn *turn, const char *sql)
{
    struct db_step step = {.kind = DB_STEP_QUERY, .sql = sql, .sql_length = strlen(sql)};
    if (!db_step_run(db, turn, &step))
        return turn_error(turn);
    return step.ret_code != 0 ? db_take_error(db) : NULL;
}

static struct error *
use_multi_statements(struct db *db, struct db_turn *turn, bool wants_multi)
{
    if (db->has_multi_statements == wants_multi)
        return NULL;
    struct db_step step = {.kind = DB_STEP_SET_OPTION,
                           .option = wants_multi ? MYSQL_OPTION_MULTI_STATEMENTS_ON
                                                 : MYSQL_OPTION_MULTI_STATEMENTS_OFF};
    if (!db_step_run(db, turn, &step))
        return turn_error(turn);
    if (step.ret_code != 0)
        return db_take_error(db);
    db->has_multi_statements = wants_multi;
    return NULL;
}

static struct error *
check_usable(const struct db *db, struct cancel *cancel)
{
    if (db->is_broken)
        return error_from_mysql(CR_SERVER_GONE_ERROR, NULL, "the connection was given up");
    return cancel_check(cancel);
}

/* +1: there is one more result. */
static struct error *
next_result(struct db *db, struct db_turn *turn, bool *ret_has_more)
{
    struct db_step step = {.kind = DB_STEP_NEXT_RESULT};
    if (!mysql_more_results(db->mysql)) {
        *ret_has_more = false;
        return NULL;
    }
    if (!db_step_run(db, turn, &step))
        return turn_error(turn);
    if (step.ret_code > 0)
        return db_take_error(db);
    *ret_has_more = step.ret_code == 0;
    return NULL;
}

/* CALL gives further results after the first; they are read and dropped. */
static struct error *
drop_further_results(struct db *db, struct db_turn *turn)
{
    for (;;) {
        bool has_more = false;
        TRY(next_result(db, turn, &has_more));
        if (!has_more)
            return NULL;
        CLEANUP(db_result_freep) struct db_result *dropped = NULL;
        TRY(db_result_read(db, turn, DB_NO_LIMIT, &dropped));
    }
}

static struct error *
query_in_turn(struct db *db, struct db_turn *turn, uint64_t max_rows, const char *sql,
              struct db_result **ret_result)
{
    TRY(use_multi_statements(db, turn, false));
    TRY(send_statement(db, turn, sql));
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_result_read(db, turn, max_rows, &result));
    TRY(drop_further_results(db, turn));
    *ret_result = result;
    result = NULL;
    return NULL;
}

struct error *
db_query(struct db *db, struct cancel *cancel, uint64_t max_rows, const char *sql,
         struct db_result **ret_result)
{
    struct db_turn turn = {.cancel = cancel, .can_kill = true};
    struct db_result *result = NULL;
    TRY(check_usable(db, cancel));
    struct error *error = query_in_turn(db, &turn, max_rows, sql, &result);
    error = turn_finish(db, &turn, error);
    if (error != NULL) {
        db_result_free(result);
        return error;
    }
    *ret_result = result;
    return NULL;
}

struct error *
db_queryf(struct db *db, struct cancel *cancel, struct db_result **ret_result, const char *format,
          ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *sql = xvasprintf(format, arguments);
    va_end(arguments);
    return db_query(db, cancel, DB_NO_LIMIT, sql, ret_result);
}

struct error *
db_execute(struct db *db, struct cancel *cancel, const char *sql)
{
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    return db_query(db, cancel, DB_NO_LIMIT, sql, &result);
}

struct error *
db_executef(struct db *db, struct cancel *cancel, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *sql = xvasprintf(format, arguments);
    va_end(arguments);
    return db_execute(db, cancel, sql);
}

struct result_list {
    struct db_result **items;
    size_t count;
};

static void
result_list_done(struct result_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        db_result_free(list->items[i]);
    free(list->items);
}

static struct error *
multi_in_turn(struct db *db, struct db_turn *turn, uint64_t max_rows, const char *sql,
              struct result_list *list)
{
    TRY(use_multi_statements(db, turn, true));
    TRY(send_statement(db, turn, sql));
    for (bool has_more = true; has_more;) {
        if (list->count == MOST_RESULTS) {
            db_break(db);
            return error_new(ERROR_RESOURCE_EXHAUSTED, "more than %d results", MOST_RESULTS);
        }
        struct db_result *result = NULL;
        TRY(db_result_read(db, turn, max_rows, &result));
        list->items = xreallocarray(list->items, list->count + 1, sizeof(struct db_result *));
        list->items[list->count++] = result;
        TRY(next_result(db, turn, &has_more));
    }
    return NULL;
}

struct error *
db_query_multi(struct db *db, struct cancel *cancel, uint64_t max_rows, const char *sql,
               struct db_result ***ret_results, size_t *ret_count)
{
    struct db_turn turn = {.cancel = cancel, .can_kill = true};
    CLEANUP(result_list_done) struct result_list list = {.items = NULL};
    TRY(check_usable(db, cancel));
    struct error *error = multi_in_turn(db, &turn, max_rows, sql, &list);
    error = turn_finish(db, &turn, error);
    if (error != NULL)
        return error;
    *ret_results = list.items;
    *ret_count = list.count;
    list = (struct result_list){.items = NULL};
    return NULL;
}

struct error *
db_query_text(struct db *db, struct cancel *cancel, const char *sql, char **ret_text)
{
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_query(db, cancel, DB_NO_LIMIT, sql, &result));
    bool has_cell = result->row_count > 0 && result->field_count > 0;
    *ret_text = has_cell ? xstrdup(db_result_cell(result, 0, 0)->data) : NULL;
    return NULL;
}
