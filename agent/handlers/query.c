/* SQL on behalf of a caller: as dba, allprivs or app. Every call has a connection of its own,
 * closed afterwards, so that nothing a caller does to the session outlives his call. */
#include <stdlib.h>
#include <string.h>

#include "agent/handlers/message.h"
#include "agent/handlers/result.h"
#include "agent/handlers/service.h"
#include "agent/handlers/sql_rewrite.h"

#define SHOWN_SQL_BYTES 1024

struct fetch {
    const struct db_params *account;
    const char *database; /* "": none; one that does not exist is ignored */
    const char *sql;
    uint64_t max_rows;
    bool disables_binlogs, disables_foreign_key_checks, is_multi;
};

/* Callers find the errno in the text, and operators the statement. */
static struct error *
name_query(struct error *error, const char *sql)
{
    if (error == NULL || error->mysql_errno == 0)
        return error;
    char *message = xasprintf("%s during query: %.*s", error->message, SHOWN_SQL_BYTES, sql);
    free(error->message);
    error->message = message;
    return error;
}

static struct error *
check_statements(struct handler_call *call, const struct fetch *fetch)
{
    size_t count = db_count_statements(fetch->sql);
    if (count == 0)
        return error_new(ERROR_INVALID_ARGUMENT, "no statements found in query: %.*s",
                         SHOWN_SQL_BYTES, fetch->sql);
    if (count > 1 && !fetch->is_multi)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "multi statement queries are not supported in %s: use "
                         "ExecuteMultiFetchAsDba",
                         strrchr(call->row->path, '/') + 1);
    return NULL;
}

static struct error *
prepare_session(struct db *db, struct cancel *cancel, const struct fetch *fetch)
{
    /* The server's own default collation for the literals in views and tables that are made here,
     * not the client library's. */
    TRY(db_execute(db, cancel, "SET NAMES utf8mb4"));
    if (fetch->disables_binlogs)
        TRY(db_execute(db, cancel, "SET sql_log_bin = OFF"));
    if (fetch->disables_foreign_key_checks)
        TRY(db_execute(db, cancel, "SET SESSION foreign_key_checks = OFF"));
    if (!str_is_empty(fetch->database)) {
        /* The statement may be the one that creates it. */
        CLEANUP(freep) char *name = db_quote_name(fetch->database);
        error_free(db_executef(db, cancel, "USE %s", name));
    }
    if (sql_allows_zero_in_date(fetch->sql))
        TRY(db_execute(db, cancel,
                       "SET @@session.sql_mode = REPLACE(REPLACE(@@session.sql_mode, "
                       "'NO_ZERO_DATE', ''), 'NO_ZERO_IN_DATE', '')"));
    return NULL;
}

static void
results_free(struct db_result **results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        db_result_free(results[i]);
    free(results);
}

/* One result in `results` per statement; frees nothing of the caller's on failure. */
static struct error *
run_in_session(struct handler_call *call, struct db *db, const struct fetch *fetch,
               struct db_result ***ret_results, size_t *ret_count)
{
    TRY(prepare_session(db, call->cancel, fetch));
    CLEANUP(freep)
    char *sql = sql_replace_sidecar(fetch->sql, call->context->identity->sidecar);
    if (fetch->is_multi)
        return name_query(
            db_query_multi(db, call->cancel, fetch->max_rows, sql, ret_results, ret_count), sql);
    struct db_result *result = NULL;
    TRY(name_query(db_query(db, call->cancel, fetch->max_rows, sql, &result), sql));
    *ret_results = xcalloc(1, sizeof(**ret_results));
    (*ret_results)[0] = result;
    *ret_count = 1;
    return NULL;
}

static struct error *
run_fetch(struct handler_call *call, const struct fetch *fetch, size_t *ret_count,
          Query__QueryResult ***ret_messages)
{
    TRY(check_statements(call, fetch));
    CLEANUP(db_closep) struct db *db = NULL;
    TRY(db_open(fetch->account, call->cancel, &db));
    struct db_result **results = NULL;
    size_t count = 0;
    TRY(run_in_session(call, db, fetch, &results, &count));
    *ret_messages = xcalloc(count == 0 ? 1 : count, sizeof(**ret_messages));
    for (size_t i = 0; i < count; i++)
        (*ret_messages)[i] = result_message(results[i]);
    *ret_count = count;
    results_free(results, count);
    return NULL;
}

static struct error *
run_single(struct handler_call *call, const struct fetch *fetch, Query__QueryResult **ret_message)
{
    Query__QueryResult **messages = NULL;
    size_t count = 0;
    TRY(run_fetch(call, fetch, &count, &messages));
    *ret_message = messages[0];
    free(messages);
    return NULL;
}

HANDLER(handle_execute_fetch_as_dba)
{
    const Tabletmanagerdata__ExecuteFetchAsDbaRequest *in = request;
    Tabletmanagerdata__ExecuteFetchAsDbaResponse *out = response;
    CLEANUP(freep) char *sql = message_bytes_text(&in->query);
    struct fetch fetch = {
        .account = &call->context->dba_params,
        .database = in->db_name,
        .sql = sql,
        .max_rows = in->max_rows,
        .disables_binlogs = in->disable_binlogs,
        .disables_foreign_key_checks = in->disable_foreign_key_checks,
    };
    return run_single(call, &fetch, &out->result);
}

HANDLER(handle_execute_multi_fetch_as_dba)
{
    const Tabletmanagerdata__ExecuteMultiFetchAsDbaRequest *in = request;
    Tabletmanagerdata__ExecuteMultiFetchAsDbaResponse *out = response;
    CLEANUP(freep) char *sql = message_bytes_text(&in->sql);
    struct fetch fetch = {
        .account = &call->context->dba_params,
        .database = in->db_name,
        .sql = sql,
        .max_rows = in->max_rows,
        .disables_binlogs = in->disable_binlogs,
        .disables_foreign_key_checks = in->disable_foreign_key_checks,
        .is_multi = true,
    };
    return run_fetch(call, &fetch, &out->n_results, &out->results);
}

HANDLER(handle_execute_fetch_as_all_privs)
{
    const Tabletmanagerdata__ExecuteFetchAsAllPrivsRequest *in = request;
    Tabletmanagerdata__ExecuteFetchAsAllPrivsResponse *out = response;
    CLEANUP(freep) char *sql = message_bytes_text(&in->query);
    struct fetch fetch = {.account = &call->context->allprivs_params,
                          .database = in->db_name,
                          .sql = sql,
                          .max_rows = in->max_rows};
    return run_single(call, &fetch, &out->result);
}

HANDLER(handle_execute_fetch_as_app)
{
    const Tabletmanagerdata__ExecuteFetchAsAppRequest *in = request;
    Tabletmanagerdata__ExecuteFetchAsAppResponse *out = response;
    CLEANUP(freep) char *sql = message_bytes_text(&in->query);
    struct fetch fetch = {.account = &call->context->app_params,
                          .database = call->context->identity->database,
                          .sql = sql,
                          .max_rows = in->max_rows};
    return run_single(call, &fetch, &out->result);
}

/* Without a query service: the statement as the app account. */
HANDLER(handle_execute_query)
{
    const Tabletmanagerdata__ExecuteQueryRequest *in = request;
    Tabletmanagerdata__ExecuteQueryResponse *out = response;
    CLEANUP(freep) char *sql = message_bytes_text(&in->query);
    const char *own = call->context->identity->database;
    struct fetch fetch = {.account = &call->context->app_params,
                          .database = str_is_empty(in->db_name) ? own : in->db_name,
                          .sql = sql,
                          .max_rows = in->max_rows};
    return run_single(call, &fetch, &out->result);
}
