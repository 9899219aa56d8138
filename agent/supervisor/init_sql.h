/* What a new data directory gets: accounts with Vitess's names and rights, nothing in the binary
 * log. Pure. */
#ifndef VTAGENT_SUPERVISOR_INIT_SQL_H
#define VTAGENT_SUPERVISOR_INIT_SQL_H

#include <stddef.h>

#include "agent/base/error.h"
#include "agent/mysql/dialect.h"

/* The built-in script, one statement per ';'. Caller frees. */
char *init_sql_text(enum dialect_flavor flavor);

/* One statement of a script. */
struct init_sql_statement {
    char *text;
    size_t line; /* where it starts, from 1 */
};
struct init_sql_script {
    struct init_sql_statement *statements;
    size_t count;
};
/* Splits a script as the command line client does: quotes, comments ('#', '--', C style) and
 * DELIMITER lines understood; comments between statements are dropped. An open quote or comment is
 * INVALID_ARGUMENT, naming its line. */
struct error *init_sql_split(const char *text, struct init_sql_script *script) ERROR_MUST_CHECK;
void init_sql_script_done(struct init_sql_script *script);

#endif
