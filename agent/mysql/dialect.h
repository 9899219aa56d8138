/* SQL dialects as const tables: what differs between servers is a row here, never an if elsewhere.
 * Source: Vitess's flavors; servers' manuals; MariaDB measured on 10.11. */
#ifndef VTAGENT_MYSQL_DIALECT_H
#define VTAGENT_MYSQL_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

enum dialect_flavor { DIALECT_MYSQL, DIALECT_MARIADB };

struct dialect {
    enum dialect_flavor flavor;
    const char *name;             /* "mysql-8.2", "mysql-8.0.26", "mysql-legacy", "mariadb" */
    const char *stop_replication; /* STOP REPLICA */
    const char *start_replication;
    const char *stop_io_thread;
    const char *start_io_thread;
    const char *stop_sql_thread;
    const char *start_sql_thread;
    const char *reset_replica; /* keeps the connection settings */
    const char *reset_replica_all;
    const char *reset_binary_logs;  /* RESET BINARY LOGS AND GTIDS */
    const char *change_source;      /* CHANGE REPLICATION SOURCE TO */
    const char *option_prefix;      /* SOURCE_ or MASTER_ */
    const char *auto_position;      /* SOURCE_AUTO_POSITION = 1 */
    const char *get_public_key;     /* GET_SOURCE_PUBLIC_KEY = 1, or NULL */
    const char *replication_status; /* SHOW REPLICA STATUS */
    const char *primary_status;     /* SHOW BINARY LOG STATUS */
    const char *executed_set;       /* SELECT @@global.gtid_executed */
    const char *purged_set;         /* SELECT …, or NULL */
    const char *log_updates_variable;
    const char *net_timeout_variable;
    const char *position_wait; /* SOURCE_POS_WAIT */
    const char *until_gtids;   /* START REPLICA UNTIL SQL_AFTER_GTIDS = */
    bool has_super_read_only;
    bool has_server_uuid;
};

/* From the handshake's version string: "5.5.5-10.11…", "…MariaDB…", "8.0.40", "9.7.4". */
const struct dialect *dialect_of_version(const char *server_version);
/* All tables, for tests. */
const struct dialect *const *dialect_all(size_t *ret_count);

#endif
