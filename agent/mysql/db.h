/* Connections to mysqld: blocking, with a cancel token that kills the running statement.
 * The only folder that sees `MYSQL *`. One connection belongs to one thread at a time. */
#ifndef VTAGENT_MYSQL_DB_H
#define VTAGENT_MYSQL_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

struct db;
struct dialect;

struct db_params {
    char *socket; /* unix socket; NULL or "": host and port */
    char *host;
    int port;
    char *user;
    char *password; /* may be "" */
    char *database; /* NULL: none */
    int64_t connect_timeout_ms;
};
void db_params_copy(struct db_params *target, const struct db_params *source);
void db_params_done(struct db_params *params);

/* Connects and finds the server's dialect. UNAVAILABLE (2002, 2003, …) when there is no server. */
struct error *db_open(const struct db_params *params, struct cancel *cancel,
                      struct db **ret_db) ERROR_MUST_CHECK;
void db_close(struct db *db);
void db_closep(struct db **db);

struct db_field {
    char *name, *table, *org_table, *database, *org_name;
    uint32_t type;  /* MySQL protocol type byte */
    uint32_t flags; /* MySQL flags */
    uint32_t charset, column_length, decimals;
};
struct db_cell {
    const char *data; /* NUL-terminated; NULL is SQL NULL */
    size_t length_bytes;
};
struct db_result {
    struct db_field *fields;
    size_t field_count;
    struct db_cell *cells; /* row by row */
    size_t row_count;
    uint64_t rows_affected, insert_id;
    char *info;   /* may be NULL */
    void *memory; /* private */
};
void db_result_free(struct db_result *result);
void db_result_freep(struct db_result **result);
const struct db_cell *db_result_cell(const struct db_result *result, size_t row, size_t column);
/* Column by name, case-insensitive; NULL when absent or SQL NULL. */
const char *db_result_text(const struct db_result *result, size_t row, const char *column);

#define DB_NO_LIMIT UINT64_MAX

/* One statement. On the cancel's end: KILL QUERY from another connection, the connection is closed
 * for good when that does not help within 1 s, and the cancel's error comes back.
 * Server errors: error_from_mysql. More rows than max_rows: ABORTED "Row count exceeded N". */
struct error *db_query(struct db *db, struct cancel *cancel, uint64_t max_rows, const char *sql,
                       struct db_result **ret_result) ERROR_MUST_CHECK;
struct error *db_queryf(struct db *db, struct cancel *cancel, struct db_result **ret_result,
                        const char *format, ...)
    __attribute__((format(printf, 4, 5))) ERROR_MUST_CHECK;
struct error *db_execute(struct db *db, struct cancel *cancel, const char *sql) ERROR_MUST_CHECK;
struct error *db_executef(struct db *db, struct cancel *cancel, const char *format, ...)
    __attribute__((format(printf, 3, 4))) ERROR_MUST_CHECK;
/* Many statements in one round (multi-statement protocol): one result each, in order; stops at the
 * first error. Results so far are freed on failure. Caller frees each and the array. */
struct error *db_query_multi(struct db *db, struct cancel *cancel, uint64_t max_rows,
                             const char *sql, struct db_result ***ret_results,
                             size_t *ret_count) ERROR_MUST_CHECK;
/* First column of the first row as text (caller frees); NULL text when there is no row or NULL. */
struct error *db_query_text(struct db *db, struct cancel *cancel, const char *sql,
                            char **ret_text) ERROR_MUST_CHECK;

/* 'text' as an SQL literal, quotes included; `name` in backquotes. Caller frees. */
char *db_quote(const char *text, size_t length_bytes);
char *db_quote_name(const char *name);
/* Statements in a script, comments and quotes understood. */
size_t db_count_statements(const char *sql);

const struct dialect *db_dialect(const struct db *db);
const char *db_server_version(const struct db *db); /* "10.11.19-MariaDB-…" as the handshake says */
uint64_t db_connection_id(const struct db *db);
/* Its socket: readable while nothing was asked means that the server ended it. */
int db_descriptor(const struct db *db);

/* A pool of idle connections for one account. Any thread. */
struct db_pool;
struct db_pool *db_pool_new(const struct db_params *params, size_t most_idle);
/* A tested connection (reconnects when the server went away). Give back or close it. */
struct error *db_pool_take(struct db_pool *pool, struct cancel *cancel,
                           struct db **ret_db) ERROR_MUST_CHECK;
void db_pool_give(struct db_pool *pool, struct db *take_db); /* drops it when it failed */
void db_pool_close_idle(struct db_pool *pool);               /* before the server stops */
void db_pool_free(struct db_pool *pool);

#endif
