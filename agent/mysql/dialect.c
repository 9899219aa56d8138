#include "agent/mysql/dialect.h"

#include <stdlib.h>
#include <string.h>

static const struct dialect mysql_82 = {
    .flavor = DIALECT_MYSQL,
    .name = "mysql-8.2",
    .stop_replication = "STOP REPLICA",
    .start_replication = "START REPLICA",
    .stop_io_thread = "STOP REPLICA IO_THREAD",
    .start_io_thread = "START REPLICA IO_THREAD",
    .stop_sql_thread = "STOP REPLICA SQL_THREAD",
    .start_sql_thread = "START REPLICA SQL_THREAD",
    .reset_replica = "RESET REPLICA",
    .reset_replica_all = "RESET REPLICA ALL",
    .reset_binary_logs = "RESET BINARY LOGS AND GTIDS",
    .change_source = "CHANGE REPLICATION SOURCE TO",
    .option_prefix = "SOURCE_",
    .auto_position = "SOURCE_AUTO_POSITION = 1",
    .get_public_key = "GET_SOURCE_PUBLIC_KEY = 1",
    .replication_status = "SHOW REPLICA STATUS",
    .primary_status = "SHOW BINARY LOG STATUS",
    .executed_set = "SELECT @@global.gtid_executed",
    .purged_set = "SELECT @@global.gtid_purged",
    .log_updates_variable = "log_replica_updates",
    .net_timeout_variable = "replica_net_timeout",
    .position_wait = "SOURCE_POS_WAIT",
    .until_gtids = "START REPLICA UNTIL SQL_AFTER_GTIDS =",
    .has_super_read_only = true,
    .has_server_uuid = true,
};

static const struct dialect mysql_8026 = {
    .flavor = DIALECT_MYSQL,
    .name = "mysql-8.0.26",
    .stop_replication = "STOP REPLICA",
    .start_replication = "START REPLICA",
    .stop_io_thread = "STOP REPLICA IO_THREAD",
    .start_io_thread = "START REPLICA IO_THREAD",
    .stop_sql_thread = "STOP REPLICA SQL_THREAD",
    .start_sql_thread = "START REPLICA SQL_THREAD",
    .reset_replica = "RESET REPLICA",
    .reset_replica_all = "RESET REPLICA ALL",
    .reset_binary_logs = "RESET MASTER",
    .change_source = "CHANGE REPLICATION SOURCE TO",
    .option_prefix = "SOURCE_",
    .auto_position = "SOURCE_AUTO_POSITION = 1",
    .get_public_key = "GET_SOURCE_PUBLIC_KEY = 1",
    .replication_status = "SHOW REPLICA STATUS",
    .primary_status = "SHOW MASTER STATUS",
    .executed_set = "SELECT @@global.gtid_executed",
    .purged_set = "SELECT @@global.gtid_purged",
    .log_updates_variable = "log_replica_updates",
    .net_timeout_variable = "replica_net_timeout",
    .position_wait = "SOURCE_POS_WAIT",
    .until_gtids = "START REPLICA UNTIL SQL_AFTER_GTIDS =",
    .has_super_read_only = true,
    .has_server_uuid = true,
};

#define MYSQL_LEGACY_ROWS                                                                          \
    .flavor = DIALECT_MYSQL, .stop_replication = "STOP SLAVE", .start_replication = "START SLAVE", \
    .stop_io_thread = "STOP SLAVE IO_THREAD", .start_io_thread = "START SLAVE IO_THREAD",          \
    .stop_sql_thread = "STOP SLAVE SQL_THREAD", .start_sql_thread = "START SLAVE SQL_THREAD",      \
    .reset_replica = "RESET SLAVE", .reset_replica_all = "RESET SLAVE ALL",                        \
    .reset_binary_logs = "RESET MASTER", .change_source = "CHANGE MASTER TO",                      \
    .option_prefix = "MASTER_", .auto_position = "MASTER_AUTO_POSITION = 1",                       \
    .replication_status = "SHOW SLAVE STATUS", .primary_status = "SHOW MASTER STATUS",             \
    .executed_set = "SELECT @@global.gtid_executed", .purged_set = "SELECT @@global.gtid_purged",  \
    .log_updates_variable = "log_slave_updates", .net_timeout_variable = "slave_net_timeout",      \
    .position_wait = "MASTER_POS_WAIT",                                                            \
    .until_gtids = "START SLAVE UNTIL SQL_AFTER_GTIDS =", .has_super_read_only = true,             \
    .has_server_uuid = true

static const struct dialect mysql_80 = {
    MYSQL_LEGACY_ROWS,
    .name = "mysql-8.0",
    .get_public_key = "GET_MASTER_PUBLIC_KEY = 1",
};

static const struct dialect mysql_legacy = {
    MYSQL_LEGACY_ROWS,
    .name = "mysql-legacy",
};

static const struct dialect mariadb = {
    .flavor = DIALECT_MARIADB,
    .name = "mariadb",
    .stop_replication = "STOP SLAVE",
    .start_replication = "START SLAVE",
    .stop_io_thread = "STOP SLAVE IO_THREAD",
    .start_io_thread = "START SLAVE IO_THREAD",
    .stop_sql_thread = "STOP SLAVE SQL_THREAD",
    .start_sql_thread = "START SLAVE SQL_THREAD",
    .reset_replica = "RESET SLAVE",
    .reset_replica_all = "RESET SLAVE ALL",
    .reset_binary_logs = "RESET MASTER",
    .change_source = "CHANGE MASTER TO",
    .option_prefix = "MASTER_",
    .auto_position = "MASTER_USE_GTID = current_pos",
    .replication_status = "SHOW ALL SLAVES STATUS",
    .primary_status = "SHOW MASTER STATUS",
    .executed_set = "SELECT @@global.gtid_binlog_pos",
    .log_updates_variable = "log_slave_updates",
    .net_timeout_variable = "slave_net_timeout",
    .position_wait = "MASTER_POS_WAIT",
    .until_gtids = "START SLAVE UNTIL master_gtid_pos =",
};

static const struct dialect *const all_dialects[] = {&mysql_82, &mysql_8026, &mysql_80,
                                                     &mysql_legacy, &mariadb};

const struct dialect *const *
dialect_all(size_t *ret_count)
{
    *ret_count = sizeof(all_dialects) / sizeof(all_dialects[0]);
    return all_dialects;
}

/* "8.0.40-log" as 80040; parts above 99 count as 99. */
static unsigned long
version_number(const char *text)
{
    unsigned long number = 0;
    for (int part = 0; part < 3; part++) {
        char *end = NULL;
        unsigned long value = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
        number = number * 100 + (value > 99 ? 99 : value);
        if (end != NULL)
            text = *end == '.' ? end + 1 : "";
    }
    return number;
}

const struct dialect *
dialect_of_version(const char *server_version)
{
    if (strncmp(server_version, "5.5.5-", 6) == 0 || strstr(server_version, "MariaDB") != NULL)
        return &mariadb;
    unsigned long version = version_number(server_version);
    if (version >= 80200)
        return &mysql_82;
    if (version >= 80026)
        return &mysql_8026;
    return version >= 80000 ? &mysql_80 : &mysql_legacy;
}
