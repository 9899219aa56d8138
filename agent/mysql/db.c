#include <errmsg.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/mysql/db_private.h"

void
db_params_copy(struct db_params *target, const struct db_params *source)
{
    *target = (struct db_params){
        .socket = xstrdup(source->socket),
        .host = xstrdup(source->host),
        .port = source->port,
        .user = xstrdup(source->user),
        .password = xstrdup(source->password),
        .database = xstrdup(source->database),
        .connect_timeout_ms = source->connect_timeout_ms,
    };
}

void
db_params_done(struct db_params *params)
{
    free(params->socket);
    free(params->host);
    free(params->user);
    if (params->password != NULL)
        explicit_bzero(params->password, strlen(params->password));
    free(params->password);
    free(params->database);
    *params = (struct db_params){.port = 0};
}

static void
library_init(void)
{
    mysql_library_init(0, NULL, NULL);
}

struct error *
db_take_error(struct db *db)
{
    int number = (int)mysql_errno(db->mysql);
    if (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR)
        db->is_broken = true;
    if (number == 0)
        return error_from_mysql(CR_UNKNOWN_ERROR, NULL, "unknown error of the client library");
    return error_from_mysql(number, mysql_sqlstate(db->mysql), mysql_error(db->mysql));
}

static void
set_options(MYSQL *mysql)
{
    unsigned int off = 0;
    mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
}

static struct error *
timed_out_error(const struct db *db)
{
    const struct db_params *params = &db->params;
    bool has_socket = !str_is_empty(params->socket);
    char *text = has_socket ? xasprintf("can't connect to mysqld through socket '%s' in time",
                                        params->socket)
                            : xasprintf("can't connect to mysqld on '%s:%d' in time",
                                        params->host != NULL ? params->host : "", params->port);
    struct error *error =
        error_from_mysql(has_socket ? CR_CONNECTION_ERROR : CR_CONN_HOST_ERROR, NULL, text);
    free(text);
    return error;
}

static struct error *
connect_now(struct db *db, struct cancel *cancel)
{
    int64_t timeout_ms = db->params.connect_timeout_ms;
    CLEANUP(cancel_unrefp)
    struct cancel *limit =
        timeout_ms > 0 ? cancel_new_child(cancel, timeout_ms) : cancel_ref(cancel);
    struct db_turn turn = {.cancel = limit};
    struct db_step step = {.kind = DB_STEP_CONNECT};
    if (!db_step_run(db, &turn, &step)) {
        TRY(cancel_check(cancel));
        return timed_out_error(db);
    }
    return step.ret_connected == NULL ? db_take_error(db) : NULL;
}

struct error *
db_open(const struct db_params *params, struct cancel *cancel, struct db **ret_db)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_init);
    TRY(cancel_check(cancel));
    CLEANUP(db_closep) struct db *db = xcalloc(1, sizeof(*db));
    db_params_copy(&db->params, params);
    db->mysql = mysql_init(NULL);
    if (db->mysql == NULL)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "no memory for a connection");
    set_options(db->mysql);
    TRY(connect_now(db, cancel));
    db->dialect = dialect_of_version(mysql_get_server_info(db->mysql));
    db->connection_id = mysql_thread_id(db->mysql);
    *ret_db = db;
    db = NULL;
    return NULL;
}

void
db_close(struct db *db)
{
    if (db == NULL)
        return;
    if (db->mysql != NULL)
        mysql_close(db->mysql);
    db_params_done(&db->params);
    free(db);
}

void
db_closep(struct db **db)
{
    db_close(*db);
}

struct error *
db_ping(struct db *db, struct cancel *cancel)
{
    struct db_turn turn = {.cancel = cancel};
    struct db_step step = {.kind = DB_STEP_PING};
    if (db->is_broken)
        return error_from_mysql(CR_SERVER_GONE_ERROR, NULL, "the connection was given up");
    if (!db_step_run(db, &turn, &step))
        return cancel_check(cancel);
    return step.ret_code != 0 ? db_take_error(db) : NULL;
}

bool
db_is_reusable(const struct db *db)
{
    return !db->is_broken && (db->mysql->server_status & SERVER_STATUS_IN_TRANS) == 0;
}

void
db_kill_statement(const struct db *db, int64_t deadline_ms)
{
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(deadline_ms);
    CLEANUP(db_closep) struct db *killer = NULL;
    struct error *error = db_open(&db->params, cancel, &killer);
    if (error == NULL) {
        CLEANUP(freep)
        char *sql = xasprintf("KILL QUERY %llu", (unsigned long long)db->connection_id);
        struct db_turn turn = {.cancel = cancel};
        struct db_step step = {.kind = DB_STEP_QUERY, .sql = sql, .sql_length = strlen(sql)};
        db_step_run(killer, &turn, &step);
    }
    error_free(error);
}

const struct dialect *
db_dialect(const struct db *db)
{
    return db->dialect;
}

const char *
db_server_version(const struct db *db)
{
    return mysql_get_server_info(db->mysql);
}

int
db_descriptor(const struct db *db)
{
    return (int)mysql_get_socket(db->mysql);
}

uint64_t
db_connection_id(const struct db *db)
{
    return db->connection_id;
}
