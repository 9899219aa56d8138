#include <criterion/criterion.h>

#include "replication/status_private.h"
#include "test/unit/replication/tables.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"

static const char *const mysql_variables[] = {
    "server_id",
    "100",
    "version",
    "9.7.4",
    "version_comment",
    "(Debian)",
    "binlog_format",
    "ROW",
    "binlog_row_image",
    "FULL",
    "log_bin",
    "1",
    "log_updates",
    "1",
    "net_timeout",
    "8",
    "read_only",
    "1",
    "super_read_only",
    "0",
    "gtid_mode",
    "ON",
    "server_uuid",
    A,
    "executed",
    A ":1-5",
    "purged",
    A ":1-2",
    "heartbeat",
    "4.000",
    NULL,
};
static const char *const mariadb_variables[] = {
    "server_id",
    "7",
    "version",
    "10.11.19-MariaDB-log",
    "version_comment",
    "Debian 12",
    "binlog_format",
    "MIXED",
    "binlog_row_image",
    "FULL",
    "log_bin",
    "1",
    "log_updates",
    "0",
    "net_timeout",
    "60",
    "read_only",
    "NO_LOCK",
    "super_read_only",
    "NO_LOCK",
    "gtid_mode",
    "ON",
    "server_identity",
    "abc/7",
    "executed",
    "0-7-3",
    "purged",
    "",
    "heartbeat",
    "\1",
    "primary_enabled",
    "0",
    "replica_enabled",
    "1",
    "timeout",
    "10000",
    "wait_count",
    "1",
    NULL,
};
static const char *const source_family[] = {
    "primary_enabled", "1", "timeout", "1000000000000000000", "wait_count", "2",
    "replica_enabled", "0", NULL,
};
static const char *const source_counters[] = {
    "Rpl_semi_sync_source_status",
    "ON",
    "Rpl_semi_sync_source_clients",
    "3",
    "Rpl_semi_sync_source_wait_sessions",
    "4",
    "Rpl_semi_sync_replica_status",
    "OFF",
    NULL,
};
static const char *const master_counters[] = {
    "Rpl_semi_sync_slave_status", "ON", "Slave_heartbeat_period", "30.000", NULL,
};
static const char *const primary_row[] = {"File", "bin.000002", "Position", "157", NULL};
static const char *const replica_row[] = {
    "Master_Host", "h", "Slave_IO_Running", "Yes", "Gtid_Slave_Pos", "0-1-2", NULL};

static struct table tables[5];

Test(full_status, mysql_primary)
{
    struct full_status_answers answers = {
        .variables = table_row(&tables[0], mysql_variables),
        .semi_sync = table_row(&tables[1], source_family),
        .status = table_names(&tables[2], source_counters),
        .replication = table_empty(&tables[3]),
        .primary = table_row(&tables[4], primary_row),
    };
    struct full_status status;
    cr_assert_null(full_status_parse(dialect_of_version("9.7.4"), &answers, &status));
    cr_assert_eq(status.server_id, 100);
    cr_assert_str_eq(status.server_uuid, A);
    cr_assert_str_eq(status.version, "9.7.4");
    cr_assert(!status.is_replica && status.has_primary_status);
    cr_assert_str_eq(status.primary.file_position, "FilePos/bin.000002:157");
    cr_assert_str_eq(status.primary.server_uuid, A);
    cr_assert_eq(position_transaction_count(status.primary.position), 5);
    cr_assert_eq(position_transaction_count(status.gtid_purged), 2);
    cr_assert(status.read_only && !status.super_read_only);
    cr_assert(status.log_bin_enabled && status.log_replica_updates);
    cr_assert(status.semi_sync_primary_enabled && !status.semi_sync_replica_enabled);
    cr_assert(status.semi_sync_primary_status && !status.semi_sync_replica_status);
    cr_assert_eq(status.semi_sync_primary_timeout, 1000000000000000000u);
    cr_assert_eq(status.semi_sync_primary_clients, 3);
    cr_assert_eq(status.semi_sync_wait_for_replica_count, 2);
    cr_assert_eq(status.semi_sync_wait_sessions, 4);
    cr_assert(!status.has_configuration);
    full_status_done(&status);
}

Test(full_status, mariadb_replica)
{
    struct full_status_answers answers = {
        .variables = table_row(&tables[0], mariadb_variables),
        .semi_sync = table_row(&tables[1], mariadb_variables),
        .status = table_names(&tables[2], master_counters),
        .replication = table_row(&tables[3], replica_row),
        .primary = table_row(&tables[4], primary_row),
    };
    struct full_status status;
    cr_assert_null(full_status_parse(dialect_of_version("10.11.19-MariaDB"), &answers, &status));
    cr_assert_str_eq(status.version, "10.11.19");
    cr_assert(uuid_is_valid(status.server_uuid));
    cr_assert(status.read_only && status.super_read_only);
    cr_assert(status.is_replica);
    cr_assert_str_eq(status.replication.source_host, "h");
    cr_assert(status.has_configuration);
    cr_assert_float_eq(status.heartbeat_interval, 30.0, 1e-9);
    cr_assert_eq(status.replica_net_timeout, 60);
    cr_assert_eq(status.semi_sync_wait_for_replica_count, 1);
    cr_assert(!status.semi_sync_primary_enabled && status.semi_sync_replica_enabled);
    cr_assert(status.semi_sync_replica_status);
    cr_assert(position_is_empty(status.gtid_purged));
    cr_assert(!status.log_replica_updates);
    full_status_done(&status);
}

Test(full_status, server_without_plugins_and_binary_log)
{
    struct full_status_answers answers = {
        .variables = table_row(&tables[0], mysql_variables),
        .status = table_empty(&tables[2]),
        .replication = table_empty(&tables[3]),
        .primary = table_empty(&tables[4]),
    };
    struct full_status status;
    cr_assert_null(full_status_parse(dialect_of_version("9.7.4"), &answers, &status));
    cr_assert(!status.has_primary_status);
    cr_assert_str_eq(status.primary.file_position, "");
    cr_assert_eq(status.semi_sync_wait_for_replica_count, 0);
    cr_assert(!status.semi_sync_primary_enabled && !status.semi_sync_replica_enabled);
    full_status_done(&status);
}

Test(full_status, no_variables_is_an_error)
{
    struct full_status_answers answers = {.variables = table_empty(&tables[0])};
    struct full_status status;
    struct error *error = full_status_parse(dialect_of_version("9.7.4"), &answers, &status);
    cr_assert(error_is(error, ERROR_INTERNAL));
    error_free(error);
}

static void
assert_statement(const char *const *pairs, const char *part, const char *other_part)
{
    char *sql = full_status_semi_sync_statement(table_names(&tables[0], pairs));
    cr_assert_not_null(sql);
    cr_assert_not_null(strstr(sql, part));
    cr_assert_not_null(strstr(sql, other_part));
    free(sql);
}

Test(full_status, only_plugins_that_are_there_are_asked)
{
    static const char *const both[] = {"Rpl_semi_sync_source_status", "OFF",
                                       "Rpl_semi_sync_replica_status", "OFF", NULL};
    static const char *const old[] = {"Rpl_semi_sync_master_status", "OFF",
                                      "Rpl_semi_sync_slave_status", "OFF", NULL};
    static const char *const half[] = {"Rpl_semi_sync_replica_status", "OFF", NULL};
    assert_statement(both, "@@global.rpl_semi_sync_source_wait_for_replica_count",
                     "@@global.rpl_semi_sync_replica_enabled");
    assert_statement(old, "@@global.rpl_semi_sync_master_wait_for_slave_count",
                     "@@global.rpl_semi_sync_slave_enabled");
    assert_statement(half, "NULL AS primary_enabled", "@@global.rpl_semi_sync_replica_enabled");
    cr_assert_null(full_status_semi_sync_statement(table_empty(&tables[0])));
}
