/* What the files of agent/mysql share: the connection and its turns on the wire. */
#ifndef VTAGENT_MYSQL_DB_PRIVATE_H
#define VTAGENT_MYSQL_DB_PRIVATE_H

#include <mysql.h>

#include "agent/mysql/db.h"
#include "agent/mysql/dialect.h"

struct db {
    MYSQL *mysql;
    struct db_params params; /* for the connection that kills */
    const struct dialect *dialect;
    uint64_t connection_id;
    bool is_broken; /* the protocol's state is unknown: only good for closing */
    bool has_multi_statements;
};

/* One statement's (or connect's) time on the wire, across several library calls. */
struct db_turn {
    struct cancel *cancel;
    bool can_kill;  /* a running statement is ended by KILL QUERY, else by dropping out */
    bool was_ended; /* the cancel ended; `give_up_ms` is the last moment to wait for */
    int64_t give_up_ms;
};

enum db_step_kind {
    DB_STEP_CONNECT,
    DB_STEP_QUERY,
    DB_STEP_FETCH_ROW,
    DB_STEP_NEXT_RESULT,
    DB_STEP_SET_OPTION,
    DB_STEP_PING,
};
/* One call of the library's non-blocking API, with what it takes and gives. */
struct db_step {
    enum db_step_kind kind;
    const char *sql;
    size_t sql_length;
    enum enum_mysql_set_option option;
    MYSQL_RES *rows;
    MYSQL *ret_connected;
    MYSQL_ROW ret_row;
    int ret_code;
};

/* Runs the step to its end. False: given up (the connection is broken then). */
bool db_step_run(struct db *db, struct db_turn *turn, struct db_step *step);

/* The error of the last library call; marks the connection broken when it is lost. */
struct error *db_take_error(struct db *db) ERROR_MUST_CHECK;
struct error *db_ping(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
bool db_is_reusable(const struct db *db);
/* Ends the running statement of `db` through a connection of its own. Best effort, until then. */
void db_kill_statement(const struct db *db, int64_t deadline_ms);
/* Nothing more can be sent or received, so that closing does not wait. */
void db_break(struct db *db);

/* Reads the rows of the statement just run into a new result. */
struct error *db_result_read(struct db *db, struct db_turn *turn, uint64_t max_rows,
                             struct db_result **ret_result) ERROR_MUST_CHECK;

#endif
