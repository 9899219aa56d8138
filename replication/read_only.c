#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"
#include "replication/control_private.h"

/* Ends the error of a variable that this server does not have. */
static struct error *
tolerate_unknown_variable(struct error *take_error, bool *ret_is_unknown)
{
    *ret_is_unknown = take_error != NULL && take_error->mysql_errno == MYSQL_ERRNO_UNKNOWN_VARIABLE;
    if (!*ret_is_unknown)
        return take_error;
    error_free(take_error);
    return NULL;
}

struct error *
server_set_read_only(struct db *db, struct cancel *cancel)
{
    bool is_unknown = !db_dialect(db)->has_super_read_only;
    if (!is_unknown)
        TRY(error_wrap(tolerate_unknown_variable(
                           db_execute(db, cancel, "SET GLOBAL super_read_only = ON"), &is_unknown),
                       "make the server read-only"));
    if (!is_unknown)
        return NULL;
    return error_wrap(db_execute(db, cancel, "SET GLOBAL read_only = ON"),
                      "make the server read-only");
}

struct error *
server_set_read_write(struct db *db, struct cancel *cancel)
{
    bool is_unknown = false;
    if (db_dialect(db)->has_super_read_only)
        TRY(error_wrap(tolerate_unknown_variable(
                           db_execute(db, cancel, "SET GLOBAL super_read_only = OFF"), &is_unknown),
                       "make the server writable"));
    return error_wrap(db_execute(db, cancel, "SET GLOBAL read_only = OFF"),
                      "make the server writable");
}

struct error *
server_is_read_only(struct db *db, struct cancel *cancel, bool *ret_is_read_only)
{
    CLEANUP(freep) char *text = NULL;
    TRY(error_wrap(db_query_text(db, cancel, "SELECT @@global.read_only", &text),
                   "see whether the server is read-only"));
    *ret_is_read_only = text != NULL && strcmp(text, "0") != 0 && strcasecmp(text, "off") != 0;
    return NULL;
}
