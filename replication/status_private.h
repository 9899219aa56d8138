/* Rows of server answers -> status structs; no connection, so that tests feed them tables. */
#ifndef VTAGENT_REPLICATION_STATUS_PRIVATE_H
#define VTAGENT_REPLICATION_STATUS_PRIVATE_H

#include "agent/mysql/dialect.h"
#include "replication/status.h"

/* From SHOW REPLICA STATUS or its kin. `binlog_set` is the server's own executed set, which
 * MariaDB's answer lacks (NULL for MySQL). No rows: the errno 100 error. */
struct error *replication_status_parse(const struct dialect *dialect, const struct db_result *rows,
                                       const char *binlog_set,
                                       struct replication_status *ret_status) ERROR_MUST_CHECK;
/* From SHOW BINARY LOG STATUS or its kin; "" without rows. */
char *primary_file_position(const struct db_result *rows);

enum position_flavor position_flavor_of_dialect(const struct dialect *dialect);

/* A UUID that stays the same for the same text: for servers without one. */
char *uuid_from_text(const char *text);

/* What names a MariaDB server for uuid_from_text: it has no UUID. server_uid is younger than the
 * series that have it, so an older server answers the first with errno 1193. */
#define MARIADB_IDENTITY "CONCAT(@@global.server_uid, '/', @@global.server_id)"
#define MARIADB_OLD_IDENTITY "CONCAT(@@hostname, ':', @@port, '/', @@global.server_id)"
#define ERRNO_UNKNOWN_VARIABLE 1193

/* "1" and "ON", "YES": true. */
bool text_is_true(const char *text);

/* The answers of full_status_read's rounds. */
struct full_status_answers {
    const struct db_result *variables;   /* one row, columns by name */
    const struct db_result *semi_sync;   /* one row; NULL without plugins */
    const struct db_result *status;      /* rows of name and value */
    const struct db_result *replication; /* SHOW REPLICA STATUS */
    const struct db_result *primary;     /* SHOW BINARY LOG STATUS */
};
/* MySQL's statement for the variables of the plugins whose status is there; NULL for none. */
char *full_status_semi_sync_statement(const struct db_result *status_rows);
struct error *full_status_parse(const struct dialect *dialect,
                                const struct full_status_answers *answers,
                                struct full_status *ret_status) ERROR_MUST_CHECK;

#endif
