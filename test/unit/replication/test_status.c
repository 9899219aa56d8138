#include <criterion/criterion.h>
#include <stdlib.h>

#include "replication/status_private.h"
#include "test/unit/replication/tables.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static const char *const mysql_row[] = {
    "Replica_IO_State",
    "Waiting for source to send event",
    "Source_Host",
    "10.0.0.7",
    "Source_User",
    "vt_repl",
    "Source_Port",
    "3306",
    "Connect_Retry",
    "10",
    "Source_Log_File",
    "bin.000009",
    "Read_Source_Log_Pos",
    "900",
    "Relay_Log_File",
    "relay.000002",
    "Relay_Log_Pos",
    "455",
    "Relay_Source_Log_File",
    "bin.000008",
    "Replica_IO_Running",
    "Yes",
    "Replica_SQL_Running",
    "Yes",
    "Replicate_Do_DB",
    "",
    "Exec_Source_Log_Pos",
    "157",
    "Source_SSL_Allowed",
    "No",
    "Seconds_Behind_Source",
    "3",
    "Last_IO_Error",
    "",
    "Last_SQL_Error",
    "",
    "Source_Server_Id",
    "100",
    "Source_UUID",
    A,
    "SQL_Delay",
    "0",
    "Retrieved_Gtid_Set",
    A ":4-9",
    "Executed_Gtid_Set",
    A ":1-5,\n" B ":1",
    "Auto_Position",
    "1",
    "Channel_Name",
    "",
    NULL,
};
static const char *const mariadb_row[] = {
    "Connection_name",
    "",
    "Slave_SQL_State",
    "",
    "Master_Host",
    "db1",
    "Master_User",
    "vt_repl",
    "Master_Port",
    "3307",
    "Connect_Retry",
    "10",
    "Master_Log_File",
    "bin.000003",
    "Read_Master_Log_Pos",
    "500",
    "Relay_Log_File",
    "relay.000002",
    "Relay_Log_Pos",
    "600",
    "Relay_Master_Log_File",
    "bin.000003",
    "Slave_IO_Running",
    "Connecting",
    "Slave_SQL_Running",
    "No",
    "Replicate_Ignore_Table",
    "a.b",
    "Exec_Master_Log_Pos",
    "400",
    "Master_SSL_Allowed",
    "Yes",
    "Seconds_Behind_Master",
    "\1",
    "Last_IO_Error",
    "error connecting",
    "Last_SQL_Error",
    "",
    "Master_Server_Id",
    "1",
    "Using_Gtid",
    "Current_Pos",
    "Gtid_IO_Pos",
    "0-1-20,1-1-1",
    "SQL_Delay",
    "7",
    "Gtid_Slave_Pos",
    "0-1-15",
    NULL,
};

static const struct dialect *
mysql(void)
{
    return dialect_of_version("8.4.0");
}
static const struct dialect *
mariadb(void)
{
    return dialect_of_version("10.11.2-MariaDB");
}

static void
assert_position(const struct position *position, const char *expected)
{
    char *text = position_text(position);
    cr_assert_str_eq(text, expected);
    free(text);
}

Test(status, mysql_row_is_read)
{
    static struct table table;
    struct replication_status status;
    cr_assert_null(replication_status_parse(mysql(), table_row(&table, mysql_row), NULL, &status));
    assert_position(status.position, "MySQL56/" A ":1-5," B ":1");
    assert_position(status.relay_log_position, "MySQL56/" A ":1-9," B ":1");
    cr_assert_str_eq(status.file_position, "FilePos/bin.000008:157");
    cr_assert_str_eq(status.relay_log_source_binlog_equivalent_position, "FilePos/bin.000009:900");
    cr_assert_str_eq(status.relay_log_file_position, "FilePos/relay.000002:455");
    cr_assert_str_eq(status.source_host, "10.0.0.7");
    cr_assert_str_eq(status.source_user, "vt_repl");
    cr_assert_str_eq(status.source_uuid, A);
    cr_assert_eq(status.source_port, 3306);
    cr_assert_eq(status.connect_retry, 10);
    cr_assert_eq(status.source_server_id, 100);
    cr_assert_eq(status.lag_seconds, 3);
    cr_assert(!status.is_lag_unknown && status.has_auto_position && !status.is_using_gtid);
    cr_assert(!status.has_filters && !status.is_ssl_allowed);
    cr_assert(replication_status_is_healthy(&status));
    replication_status_done(&status);
}

Test(status, mariadb_row_is_read)
{
    static struct table table;
    struct replication_status status;
    cr_assert_null(replication_status_parse(mariadb(), table_row(&table, mariadb_row),
                                            "0-2-17,5-2-1", &status));
    assert_position(status.position, "MariaDB/0-2-17,5-2-1");
    assert_position(status.relay_log_position, "MariaDB/0-1-20,1-1-1,5-2-1");
    cr_assert_str_eq(status.file_position, "FilePos/bin.000003:400");
    cr_assert_str_eq(status.source_uuid, "");
    cr_assert_eq(status.io_state, REPLICATION_CONNECTING);
    cr_assert_eq(status.sql_state, REPLICATION_STOPPED);
    cr_assert(status.is_lag_unknown && status.lag_seconds == 0);
    cr_assert(status.is_using_gtid && !status.has_auto_position);
    cr_assert(status.has_filters && status.is_ssl_allowed);
    cr_assert_eq(status.sql_delay, 7);
    cr_assert(!replication_status_io_is_healthy(&status));
    replication_status_done(&status);
}

Test(status, no_rows_is_errno_100)
{
    static struct table table;
    struct replication_status status;
    struct error *error = replication_status_parse(mysql(), table_empty(&table), NULL, &status);
    cr_assert(error_is_not_a_replica(error));
    cr_assert(error_is(error, ERROR_UNKNOWN));
    cr_assert_not_null(
        strstr(error->message, "no replication status (errno 100) (sqlstate HY000)"));
    error_free(error);
    cr_assert(!error_is_not_a_replica(NULL));
}

static struct replication_status
parse_small(const char *const *pairs)
{
    static struct table table;
    struct replication_status status;
    cr_assert_null(replication_status_parse(mysql(), table_row(&table, pairs), NULL, &status));
    return status;
}

Test(status, old_names_are_read_too)
{
    static const char *const row[] = {"Master_Host",
                                      "h",
                                      "Slave_IO_Running",
                                      "yes",
                                      "Slave_SQL_Running",
                                      "TRUE",
                                      "Master_UUID",
                                      A,
                                      "Seconds_Behind_Master",
                                      "0",
                                      NULL};
    struct replication_status status = parse_small(row);
    cr_assert_str_eq(status.source_host, "h");
    cr_assert_eq(status.io_state, REPLICATION_RUNNING);
    cr_assert_eq(status.sql_state, REPLICATION_RUNNING);
    cr_assert_str_eq(status.source_uuid, A);
    cr_assert(!status.is_lag_unknown);
    replication_status_done(&status);
}

Test(status, odd_values_become_what_callers_can_read)
{
    static const char *const row[] = {"Replica_IO_Running",
                                      "Preparing",
                                      "Source_UUID",
                                      "oops",
                                      "Seconds_Behind_Source",
                                      "soon",
                                      "Source_Port",
                                      "99999999",
                                      "SQL_Delay",
                                      "99999999999999",
                                      NULL};
    struct replication_status status = parse_small(row);
    cr_assert_eq(status.io_state, REPLICATION_UNKNOWN);
    cr_assert_str_eq(status.source_uuid, "00000000-0000-0000-0000-000000000000");
    cr_assert(status.is_lag_unknown);
    cr_assert_eq(status.source_port, 65535);
    cr_assert_eq(status.sql_delay, UINT32_MAX);
    cr_assert_str_eq(status.file_position, "");
    cr_assert_str_eq(status.last_io_error, "");
    replication_status_done(&status);
}

Test(status, connecting_without_an_error_is_healthy)
{
    static const char *const row[] = {"Replica_IO_Running",
                                      "Connecting",
                                      "Last_IO_Error",
                                      "",
                                      "Replica_SQL_Running",
                                      "Yes",
                                      NULL};
    struct replication_status status = parse_small(row);
    cr_assert(replication_status_io_is_healthy(&status));
    cr_assert(replication_status_is_healthy(&status));
    replication_status_done(&status);
}

Test(status, malformed_set_is_an_error)
{
    static struct table table;
    static const char *const row[] = {"Executed_Gtid_Set", A ":tag:1", NULL};
    struct replication_status status;
    struct error *error = replication_status_parse(mysql(), table_row(&table, row), NULL, &status);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    error_free(error);
}

Test(status, unnamed_channel_is_chosen)
{
    struct db_field fields[] = {{.name = (char *)"Channel_Name"}, {.name = (char *)"Source_Host"}};
    struct db_cell cells[] = {{"group", 5}, {"wrong", 5}, {"", 0}, {"right", 5}};
    struct db_result rows = {.fields = fields, .field_count = 2, .cells = cells, .row_count = 2};
    struct replication_status status;
    cr_assert_null(replication_status_parse(mysql(), &rows, NULL, &status));
    cr_assert_str_eq(status.source_host, "right");
    replication_status_done(&status);
}

Test(status, uuid_from_text_is_a_stable_uuid)
{
    char *one = uuid_from_text("abc/1"), *again = uuid_from_text("abc/1");
    char *other = uuid_from_text("abc/2");
    cr_assert(uuid_is_valid(one));
    cr_assert_str_eq(one, again);
    cr_assert_str_neq(one, other);
    cr_assert_eq(one[14], '8');
    free(one);
    free(again);
    free(other);
}
