#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/handlers/convert.h"

#define UUID "8bc65c84-3fe4-11ed-a912-257f0fcdd6c9"

static void
check_text(char *take_text, const char *expected)
{
    cr_assert_str_eq(take_text, expected);
    free(take_text);
}

Test(convert, malformed_file_positions_are_not_sent)
{
    check_text(convert_file_position("FilePos/binlog.000002:157"), "FilePos/binlog.000002:157");
    check_text(convert_file_position("FilePos/a:b:4"), "FilePos/a:b:4");
    check_text(convert_file_position("FilePos/:4"), "");
    check_text(convert_file_position("FilePos/binlog.000002:"), "");
    check_text(convert_file_position("FilePos/binlog.000002:1x"), "");
    check_text(convert_file_position("binlog.000002:157"), "");
    check_text(convert_file_position(""), "");
    check_text(convert_file_position(NULL), "");
}

Test(convert, malformed_uuids_are_not_sent)
{
    check_text(convert_uuid(UUID), UUID);
    check_text(convert_uuid("8bc65c84"), "");
    check_text(convert_uuid(NULL), "");
}

Test(convert, version_is_its_numbers)
{
    check_text(convert_version("10.11.19-MariaDB-0+deb12u1-log"), "10.11.19");
    check_text(convert_version("5.5.5-10.6.1-MariaDB"), "10.6.1");
    check_text(convert_version("8.4.3"), "8.4.3");
    check_text(convert_version(NULL), "");
}

static struct replication_status
sample_status(void)
{
    struct replication_status status = {
        .file_position = (char *)"FilePos/bin.000001:4",
        .relay_log_source_binlog_equivalent_position = (char *)"FilePos/bin.000001:9",
        .relay_log_file_position = (char *)"FilePos/relay.000002:7",
        .source_host = (char *)"db-1",
        .source_user = (char *)"vt_repl",
        .source_uuid = (char *)"not a uuid",
        .last_io_error = (char *)"broken \xff byte",
        .last_sql_error = (char *)"",
        .source_port = 3306,
        .connect_retry = 10,
        .source_server_id = 7,
        .lag_seconds = 3,
        .io_state = REPLICATION_CONNECTING,
        .sql_state = REPLICATION_RUNNING,
        .has_auto_position = true,
    };
    struct error *error = position_parse("MySQL56/" UUID ":1-5", &status.position);
    cr_assert_null(error);
    error = position_parse("MySQL56/" UUID ":1-9", &status.relay_log_position);
    cr_assert_null(error);
    return status;
}

static void
positions_free(struct replication_status *status)
{
    position_free(status->position);
    position_free(status->relay_log_position);
}

Test(convert, replication_status_keeps_every_field_and_sends_nothing_undecodable)
{
    struct replication_status status = sample_status();
    Replicationdata__Status *message = convert_replication_status(&status);
    cr_assert_str_eq(message->position, "MySQL56/" UUID ":1-5");
    cr_assert_str_eq(message->relay_log_position, "MySQL56/" UUID ":1-9");
    cr_assert_str_eq(message->file_position, "FilePos/bin.000001:4");
    cr_assert_str_eq(message->relay_log_source_binlog_equivalent_position, "FilePos/bin.000001:9");
    cr_assert_str_eq(message->relay_log_file_position, "FilePos/relay.000002:7");
    cr_assert_str_eq(message->source_host, "db-1");
    cr_assert_eq(message->source_port, 3306);
    cr_assert_str_eq(message->source_uuid, "");
    cr_assert_str_eq(message->last_io_error, "broken ? byte");
    cr_assert_eq(message->io_state, 2);
    cr_assert_eq(message->sql_state, 3);
    cr_assert_eq(message->replication_lag_seconds, 3u);
    cr_assert(message->auto_position);
    replicationdata__status__free_unpacked(message, NULL);
    positions_free(&status);
}

Test(convert, full_status_of_a_primary_has_no_replication_parts)
{
    struct full_status status = {
        .server_id = 4,
        .server_uuid = (char *)UUID,
        .version = (char *)"8.4.3",
        .has_primary_status = true,
        .primary = {.file_position = (char *)"FilePos/b.1:4", .server_uuid = (char *)UUID},
        .has_configuration = true,
        .heartbeat_interval = 4,
        .replica_net_timeout = 8};
    Replicationdata__FullStatus *message = convert_full_status(&status);
    cr_assert_null(message->replication_status);
    cr_assert_null(message->replication_configuration);
    cr_assert_not_null(message->primary_status);
    cr_assert_str_eq(message->primary_status->position, "");
    cr_assert_str_eq(message->version, "8.4.3");
    replicationdata__full_status__free_unpacked(message, NULL);
}

Test(convert, full_status_of_a_replica_has_its_configuration_if_known)
{
    struct full_status status = {.is_replica = true,
                                 .replication = sample_status(),
                                 .has_configuration = true,
                                 .heartbeat_interval = 4,
                                 .replica_net_timeout = 8,
                                 .semi_sync_replica_enabled = true,
                                 .semi_sync_primary_timeout = 1000000000000000000ull};
    Replicationdata__FullStatus *message = convert_full_status(&status);
    cr_assert_not_null(message->replication_status);
    cr_assert_float_eq(message->replication_configuration->heartbeat_interval, 4, 0.0001);
    cr_assert_eq(message->replication_configuration->replica_net_timeout, 8);
    cr_assert(message->semi_sync_replica_enabled);
    cr_assert_eq(message->semi_sync_primary_timeout, 1000000000000000000ull);
    replicationdata__full_status__free_unpacked(message, NULL);
    status.has_configuration = false;
    message = convert_full_status(&status);
    cr_assert_null(message->replication_configuration);
    replicationdata__full_status__free_unpacked(message, NULL);
    positions_free(&status.replication);
}
