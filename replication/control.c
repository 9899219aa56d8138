#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "replication/control_private.h"
#include "replication/status_private.h"

#define ERRNO_RELAY_LOG_INFO 1872
#define ERRNO_MASTER_INFO 1201
#define LONGEST_STATEMENT_MS 120000

struct error *
control_execute(struct db *db, struct cancel *cancel, const char *sql)
{
    TRY(cancel_check(cancel));
    CLEANUP(cancel_unrefp)
    struct cancel *own = cancel_new(clock_monotonic_ms() + LONGEST_STATEMENT_MS);
    return db_execute(db, own, sql);
}

static struct error *
control_execute_with(struct db *db, struct cancel *cancel, const char *start, const char *literal)
{
    CLEANUP(buffer_done) struct buffer sql = BUFFER_INIT;
    buffer_appendf(&sql, "%s%s", start, literal);
    return control_execute(db, cancel, sql.data);
}

bool
error_is_broken_relay_log(const struct error *error)
{
    return error != NULL &&
           (error->mysql_errno == ERRNO_RELAY_LOG_INFO || error->mysql_errno == ERRNO_MASTER_INFO);
}

struct error *
relay_log_repair(struct db *db, struct cancel *cancel, struct error *take_error)
{
    error_free(take_error);
    TRY(error_wrap(control_execute(db, cancel, db_dialect(db)->stop_replication),
                   "relay log repair"));
    return error_wrap(control_execute(db, cancel, db_dialect(db)->reset_replica),
                      "relay log repair");
}

static struct error *
execute_with_repair(struct db *db, struct cancel *cancel, const char *sql)
{
    struct error *error = control_execute(db, cancel, sql);
    if (!error_is_broken_relay_log(error))
        return error;
    TRY(relay_log_repair(db, cancel, error));
    return control_execute(db, cancel, sql);
}

struct error *
replication_stop(struct db *db, struct cancel *cancel)
{
    return error_wrap(execute_with_repair(db, cancel, db_dialect(db)->stop_replication),
                      "stop replication");
}

struct error *
replication_start(struct db *db, struct cancel *cancel)
{
    return error_wrap(execute_with_repair(db, cancel, db_dialect(db)->start_replication),
                      "start replication");
}

struct error *
replication_stop_io(struct db *db, struct cancel *cancel)
{
    return error_wrap(control_execute(db, cancel, db_dialect(db)->stop_io_thread),
                      "stop the replication IO thread");
}

struct error *
replication_reset_parameters(struct db *db, struct cancel *cancel)
{
    TRY(replication_stop(db, cancel));
    return error_wrap(control_execute(db, cancel, db_dialect(db)->reset_replica_all),
                      "reset replication parameters");
}

static struct error *
reset_binary_logs(struct db *db, struct cancel *cancel)
{
    const struct dialect *dialect = db_dialect(db);
    TRY(error_wrap(control_execute(db, cancel, dialect->reset_binary_logs), "reset binary logs"));
    if (dialect->flavor == DIALECT_MARIADB)
        TRY(error_wrap(control_execute(db, cancel, "SET GLOBAL gtid_slave_pos = ''"),
                       "reset the replication position"));
    return NULL;
}

struct error *
replication_reset(struct db *db, struct cancel *cancel)
{
    struct semi_sync_names names;
    TRY(semi_sync_names_read(db, cancel, &names));
    /* First: the switch waits for MySQL's thread that collects acknowledgements. Replicas that
     * leave now wake it; once they have left it sees its end only after a second. */
    TRY(semi_sync_switch(db, cancel, &names, false, false));
    TRY(replication_reset_parameters(db, cancel));
    return reset_binary_logs(db, cancel);
}

struct error *
position_literal(const struct db *db, const struct position *position, char **ret_literal)
{
    enum position_flavor flavor = position_flavor_of_dialect(db_dialect(db));
    CLEANUP(freep) char *text = position_set_text(position);
    if (position != NULL && position_flavor_of(position) != flavor) {
        CLEANUP(freep) char *full = position_text(position);
        return error_new(ERROR_INVALID_ARGUMENT,
                         "position '%.200s' is not of the server's flavor; the server is '%s'",
                         full, db_server_version(db));
    }
    *ret_literal = db_quote(text, strlen(text));
    return NULL;
}

struct error *
replication_set_position(struct db *db, struct cancel *cancel, const struct position *position)
{
    CLEANUP(freep) char *literal = NULL;
    TRY(position_literal(db, position, &literal));
    TRY(reset_binary_logs(db, cancel));
    if (db_dialect(db)->flavor == DIALECT_MYSQL)
        return error_wrap(control_execute_with(db, cancel, "SET GLOBAL gtid_purged = ", literal),
                          "set the replication position");
    TRY(error_wrap(control_execute_with(db, cancel, "SET GLOBAL gtid_slave_pos = ", literal),
                   "set the replication position"));
    return error_wrap(control_execute_with(db, cancel, "SET GLOBAL gtid_binlog_state = ", literal),
                      "set the binary log's position");
}

struct error *
replication_start_until_after(struct db *db, struct cancel *cancel, const struct position *position)
{
    CLEANUP(freep) char *literal = NULL;
    TRY(position_literal(db, position, &literal));
    CLEANUP(freep) char *until = xasprintf("%s ", db_dialect(db)->until_gtids);
    return error_wrap(control_execute_with(db, cancel, until, literal),
                      "start replication up to a position");
}
