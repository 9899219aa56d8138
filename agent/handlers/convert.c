#include "agent/handlers/convert.h"

#include <ctype.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/handlers/message.h"

#define FILE_POSITION_PREFIX "FilePos/"

char *
convert_position(const struct position *position)
{
    return position_text(position);
}

char *
convert_file_position(const char *text)
{
    if (!str_starts_with(text == NULL ? "" : text, FILE_POSITION_PREFIX))
        return xstrdup("");
    const char *file = text + strlen(FILE_POSITION_PREFIX);
    const char *colon = strrchr(file, ':');
    if (colon == NULL || colon == file)
        return xstrdup("");
    size_t digits = strspn(colon + 1, "0123456789");
    bool is_valid = digits > 0 && digits < 20 && colon[1 + digits] == '\0';
    return is_valid ? message_text(text) : xstrdup("");
}

char *
convert_uuid(const char *text)
{
    return xstrdup(text != NULL && uuid_is_valid(text) ? text : "");
}

char *
convert_version(const char *text)
{
    const char *start = text == NULL ? "" : text;
    if (str_starts_with(start, "5.5.5-"))
        start += strlen("5.5.5-");
    return xstrndup(start, strspn(start, "0123456789."));
}

Replicationdata__Status *
convert_replication_status(const struct replication_status *status)
{
    Replicationdata__Status *message = message_new(&replicationdata__status__descriptor);
    message->position = convert_position(status->position);
    message->relay_log_position = convert_position(status->relay_log_position);
    message->file_position = convert_file_position(status->file_position);
    message->relay_log_source_binlog_equivalent_position =
        convert_file_position(status->relay_log_source_binlog_equivalent_position);
    message->relay_log_file_position = convert_file_position(status->relay_log_file_position);
    message->source_host = message_text(status->source_host);
    message->source_user = message_text(status->source_user);
    message->source_uuid = convert_uuid(status->source_uuid);
    message->last_io_error = message_text(status->last_io_error);
    message->last_sql_error = message_text(status->last_sql_error);
    message->source_port = status->source_port;
    message->connect_retry = status->connect_retry;
    message->source_server_id = status->source_server_id;
    message->replication_lag_seconds = status->lag_seconds;
    message->sql_delay = status->sql_delay;
    message->io_state = (int32_t)status->io_state;
    message->sql_state = (int32_t)status->sql_state;
    message->replication_lag_unknown = status->is_lag_unknown;
    message->auto_position = status->has_auto_position;
    message->using_gtid = status->is_using_gtid;
    message->has_replication_filters = status->has_filters;
    message->ssl_allowed = status->is_ssl_allowed;
    return message;
}

Replicationdata__PrimaryStatus *
convert_primary_status(const struct primary_status *status)
{
    Replicationdata__PrimaryStatus *message =
        message_new(&replicationdata__primary_status__descriptor);
    message->position = convert_position(status->position);
    message->file_position = convert_file_position(status->file_position);
    message->server_uuid = convert_uuid(status->server_uuid);
    return message;
}

void
convert_semi_sync_flags(const struct full_status *flags, Replicationdata__Status *message)
{
    message->semi_sync_primary_enabled = flags->semi_sync_primary_enabled;
    message->semi_sync_replica_enabled = flags->semi_sync_replica_enabled;
    message->semi_sync_primary_status = flags->semi_sync_primary_status;
    message->semi_sync_replica_status = flags->semi_sync_replica_status;
}

static void
convert_semi_sync(const struct full_status *status, Replicationdata__FullStatus *message)
{
    message->semi_sync_primary_enabled = status->semi_sync_primary_enabled;
    message->semi_sync_replica_enabled = status->semi_sync_replica_enabled;
    message->semi_sync_primary_status = status->semi_sync_primary_status;
    message->semi_sync_replica_status = status->semi_sync_replica_status;
    message->semi_sync_primary_clients = status->semi_sync_primary_clients;
    message->semi_sync_primary_timeout = status->semi_sync_primary_timeout;
    message->semi_sync_wait_for_replica_count = status->semi_sync_wait_for_replica_count;
}

/* Left out when it is not known: readers compare the interval with the timeout and repair forever.
 */
static Replicationdata__Configuration *
convert_configuration(const struct full_status *status)
{
    if (!status->is_replica || !status->has_configuration)
        return NULL;
    Replicationdata__Configuration *message =
        message_new(&replicationdata__configuration__descriptor);
    message->heartbeat_interval = status->heartbeat_interval;
    message->replica_net_timeout = status->replica_net_timeout;
    return message;
}

Replicationdata__FullStatus *
convert_full_status(const struct full_status *status)
{
    Replicationdata__FullStatus *message = message_new(&replicationdata__full_status__descriptor);
    message->server_id = status->server_id;
    message->server_uuid = convert_uuid(status->server_uuid);
    if (status->is_replica)
        message->replication_status = convert_replication_status(&status->replication);
    if (status->has_primary_status)
        message->primary_status = convert_primary_status(&status->primary);
    message->gtid_purged = convert_position(status->gtid_purged);
    message->version = convert_version(status->version);
    message->version_comment = message_text(status->version_comment);
    message->read_only = status->read_only;
    message->super_read_only = status->super_read_only;
    message->gtid_mode = message_text(status->gtid_mode);
    message->binlog_format = message_text(status->binlog_format);
    message->binlog_row_image = message_text(status->binlog_row_image);
    message->log_bin_enabled = status->log_bin_enabled;
    message->log_replica_updates = status->log_replica_updates;
    convert_semi_sync(status, message);
    message->replication_configuration = convert_configuration(status);
    return message;
}
