#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "replication/control_private.h"

#define DEFAULT_CONNECT_RETRY_SECONDS 10

static void
append_option(struct buffer *sql, const struct dialect *dialect, const char *option,
              const char *text)
{
    CLEANUP(freep)
    char *quoted = db_quote(text != NULL ? text : "", text != NULL ? strlen(text) : 0);
    buffer_appendf(sql, "%s%s = %s, ", dialect->option_prefix, option, quoted);
}

static char *
change_statement(const struct dialect *dialect, const struct replication_source *source)
{
    struct buffer sql = BUFFER_INIT;
    int retry = source->connect_retry_seconds > 0 ? source->connect_retry_seconds
                                                  : DEFAULT_CONNECT_RETRY_SECONDS;
    buffer_appendf(&sql, "%s ", dialect->change_source);
    append_option(&sql, dialect, "HOST", source->host);
    buffer_appendf(&sql, "%sPORT = %d, ", dialect->option_prefix, source->port);
    append_option(&sql, dialect, "USER", source->user);
    append_option(&sql, dialect, "PASSWORD", source->password);
    buffer_appendf(&sql, "%sCONNECT_RETRY = %d, ", dialect->option_prefix, retry);
    buffer_appendf(&sql, "%sSSL = %d, ", dialect->option_prefix, source->wants_ssl ? 1 : 0);
    if (!source->wants_ssl && dialect->get_public_key != NULL)
        buffer_appendf(&sql, "%s, ", dialect->get_public_key);
    if (source->heartbeat_interval > 0)
        buffer_appendf(&sql, "%sHEARTBEAT_PERIOD = %.3f, ", dialect->option_prefix,
                       source->heartbeat_interval);
    buffer_append_text(&sql, dialect->auto_position);
    return buffer_take(&sql);
}

/* A server's syntax error quotes the statement, and that has the password in it. */
static struct error *
without_secret(struct error *take_error, const struct replication_source *source)
{
    if (take_error == NULL || str_is_empty(source->password) ||
        strstr(take_error->message, source->password) == NULL)
        return take_error;
    struct error *error =
        error_from_mysql(take_error->mysql_errno, take_error->sqlstate,
                         "the server refused the statement; its message is kept back, because it "
                         "contains the password");
    error_free(take_error);
    return error;
}

static void
free_secretp(char **text)
{
    explicit_bzero(*text, strlen(*text));
    free(*text);
}

struct error *
replication_change_source(struct db *db, struct cancel *cancel,
                          const struct replication_source *source)
{
    CLEANUP(free_secretp) char *sql = change_statement(db_dialect(db), source);
    struct error *error = control_execute(db, cancel, sql);
    if (error_is_broken_relay_log(error)) {
        TRY(relay_log_repair(db, cancel, error));
        error = control_execute(db, cancel, sql);
    }
    return error_wrap(without_secret(error, source), "change the replication source to '%s:%d'",
                      source->host, source->port);
}
