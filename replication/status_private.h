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

/* The statement that names the server for uuid_from_text: MariaDB has no UUID. */
#define MARIADB_IDENTITY                                                                           \
    "SELECT CONCAT(COALESCE((SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES "      \
    "WHERE "                                                                                       \
    "VARIABLE_NAME = 'SERVER_UID'), CONCAT(@@hostname, ':', @@port)), '/', @@global.server_id)"

/* "1" and "ON", "YES": true. */
bool text_is_true(const char *text);

/* One answer of full_status_read's round. */
struct full_status_answers {
    const struct db_result *variables;   /* one row, columns by name */
    const struct db_result *semi_sync;   /* Variable_name, Value */
    const struct db_result *status;      /* Variable_name, Value */
    const struct db_result *replication; /* SHOW REPLICA STATUS */
    const struct db_result *primary;     /* SHOW BINARY LOG STATUS */
};
struct error *full_status_parse(const struct dialect *dialect,
                                const struct full_status_answers *answers,
                                struct full_status *ret_status) ERROR_MUST_CHECK;

#endif
