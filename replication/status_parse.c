#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"
#include "replication/status_private.h"

#define NOT_A_REPLICA_ERRNO 100
#define UNKNOWN_UUID "00000000-0000-0000-0000-000000000000"

/* One row, read by either of a column's two names. */
struct row_reader {
    const struct db_result *rows;
    size_t row;
};

static const char *
read_text(const struct row_reader *reader, const char *name, const char *old_name)
{
    const char *text = db_result_text(reader->rows, reader->row, name);
    if (text == NULL && old_name != NULL)
        text = db_result_text(reader->rows, reader->row, old_name);
    return text != NULL ? text : "";
}

static uint64_t
read_number(const struct row_reader *reader, const char *name, const char *old_name, uint64_t most)
{
    uint64_t number = strtoull(read_text(reader, name, old_name), NULL, 10);
    return number > most ? most : number;
}

/* "FilePos/file:offset" of two columns; "" when there is no file. */
static char *
read_file_position(const struct row_reader *reader, const char *const names[4])
{
    const char *file = read_text(reader, names[0], names[1]);
    uint64_t offset = read_number(reader, names[2], names[3], UINT64_MAX);
    if (file[0] == '\0')
        return xstrdup("");
    return xasprintf("FilePos/%s:%llu", file, (unsigned long long)offset);
}

static bool
is_any_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcasecmp(text, a) == 0 || strcasecmp(text, b) == 0 || strcasecmp(text, c) == 0;
}

static enum replication_state
state_of(const char *text)
{
    if (is_any_of(text, "no", "off", "false"))
        return REPLICATION_STOPPED;
    if (is_any_of(text, "yes", "on", "true"))
        return REPLICATION_RUNNING;
    return strcasecmp(text, "connecting") == 0 ? REPLICATION_CONNECTING : REPLICATION_UNKNOWN;
}

bool
text_is_true(const char *text)
{
    return text != NULL && (strcmp(text, "1") == 0 || is_any_of(text, "on", "yes", "true"));
}

/* Several channels or connections: the unnamed one, else the first. */
static size_t
choose_row(const struct db_result *rows)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        struct row_reader reader = {rows, i};
        if (read_text(&reader, "Channel_Name", "Connection_name")[0] == '\0')
            return i;
    }
    return 0;
}

static void
read_source(const struct row_reader *reader, struct replication_status *status)
{
    status->source_host = xstrdup(read_text(reader, "Source_Host", "Master_Host"));
    status->source_user = xstrdup(read_text(reader, "Source_User", "Master_User"));
    status->source_port = (int32_t)read_number(reader, "Source_Port", "Master_Port", UINT16_MAX);
    status->connect_retry = (int32_t)read_number(reader, "Connect_Retry", NULL, INT32_MAX);
    status->source_server_id =
        (uint32_t)read_number(reader, "Source_Server_Id", "Master_Server_Id", UINT32_MAX);
    status->sql_delay = (uint32_t)read_number(reader, "SQL_Delay", NULL, UINT32_MAX);
    status->is_ssl_allowed =
        text_is_true(read_text(reader, "Source_SSL_Allowed", "Master_SSL_Allowed"));
}

static void
read_source_uuid(const struct dialect *dialect, const struct row_reader *reader,
                 struct replication_status *status)
{
    const char *uuid = read_text(reader, "Source_UUID", "Master_UUID");
    if (uuid_is_valid(uuid))
        status->source_uuid = xstrdup(uuid);
    else
        status->source_uuid = xstrdup(dialect->has_server_uuid ? UNKNOWN_UUID : "");
}

static void
read_file_positions(const struct row_reader *reader, struct replication_status *status)
{
    static const char *const executed[] = {"Relay_Source_Log_File", "Relay_Master_Log_File",
                                           "Exec_Source_Log_Pos", "Exec_Master_Log_Pos"};
    static const char *const received[] = {"Source_Log_File", "Master_Log_File",
                                           "Read_Source_Log_Pos", "Read_Master_Log_Pos"};
    static const char *const relay[] = {"Relay_Log_File", NULL, "Relay_Log_Pos", NULL};
    status->file_position = read_file_position(reader, executed);
    status->relay_log_source_binlog_equivalent_position = read_file_position(reader, received);
    status->relay_log_file_position = read_file_position(reader, relay);
}

static void
read_lag(const struct row_reader *reader, struct replication_status *status)
{
    const char *text = read_text(reader, "Seconds_Behind_Source", "Seconds_Behind_Master");
    char *end = NULL;
    unsigned long long lag = strtoull(text, &end, 10);
    status->is_lag_unknown = text[0] < '0' || text[0] > '9' || *end != '\0' || lag > UINT32_MAX;
    status->lag_seconds = status->is_lag_unknown ? 0 : (uint32_t)lag;
}

static void
read_threads(const struct row_reader *reader, struct replication_status *status)
{
    static const char *const filters[] = {"Replicate_Do_DB",         "Replicate_Ignore_DB",
                                          "Replicate_Do_Table",      "Replicate_Ignore_Table",
                                          "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table"};
    status->io_state = state_of(read_text(reader, "Replica_IO_Running", "Slave_IO_Running"));
    status->sql_state = state_of(read_text(reader, "Replica_SQL_Running", "Slave_SQL_Running"));
    status->last_io_error = xstrdup(read_text(reader, "Last_IO_Error", NULL));
    status->last_sql_error = xstrdup(read_text(reader, "Last_SQL_Error", NULL));
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++)
        status->has_filters |= read_text(reader, filters[i], NULL)[0] != '\0';
    const char *using_gtid = read_text(reader, "Using_Gtid", NULL);
    status->is_using_gtid = using_gtid[0] != '\0' && strcasecmp(using_gtid, "no") != 0;
    status->has_auto_position = strcmp(read_text(reader, "Auto_Position", NULL), "1") == 0;
    read_lag(reader, status);
}

/* MariaDB: the slave position lacks what the server wrote while it was a primary itself, the binary
 * log's position has it; both together are what was executed here. */
static struct error *
read_positions(const struct dialect *dialect, const struct row_reader *reader,
               const char *binlog_set, struct replication_status *status)
{
    enum position_flavor flavor = position_flavor_of_dialect(dialect);
    CLEANUP(position_freep) struct position *executed = NULL;
    CLEANUP(position_freep) struct position *received = NULL;
    CLEANUP(position_freep) struct position *own = NULL;
    TRY(position_parse_set(flavor, read_text(reader, "Executed_Gtid_Set", "Gtid_Slave_Pos"),
                           &executed));
    TRY(position_parse_set(flavor, read_text(reader, "Retrieved_Gtid_Set", "Gtid_IO_Pos"),
                           &received));
    TRY(position_parse_set(flavor, binlog_set != NULL ? binlog_set : "", &own));
    status->position = position_union(executed, own);
    status->relay_log_position = position_union(status->position, received);
    return NULL;
}

struct error *
replication_status_parse(const struct dialect *dialect, const struct db_result *rows,
                         const char *binlog_set, struct replication_status *ret_status)
{
    if (rows->row_count == 0)
        return error_from_mysql(NOT_A_REPLICA_ERRNO, "HY000", "no replication status");
    struct row_reader reader = {rows, choose_row(rows)};
    struct replication_status status = {.position = NULL};
    TRY(read_positions(dialect, &reader, binlog_set, &status));
    read_source(&reader, &status);
    read_source_uuid(dialect, &reader, &status);
    read_file_positions(&reader, &status);
    read_threads(&reader, &status);
    *ret_status = status;
    return NULL;
}

bool
error_is_not_a_replica(const struct error *error)
{
    return error != NULL && error->mysql_errno == NOT_A_REPLICA_ERRNO;
}

char *
primary_file_position(const struct db_result *rows)
{
    static const char *const names[] = {"File", NULL, "Position", NULL};
    struct row_reader reader = {rows, 0};
    return read_file_position(&reader, names);
}

enum position_flavor
position_flavor_of_dialect(const struct dialect *dialect)
{
    return dialect->flavor == DIALECT_MARIADB ? POSITION_MARIADB : POSITION_MYSQL56;
}

/* FNV-1a of 128 bits, with the version and variant bits of a UUID of free form (8). */
char *
uuid_from_text(const char *text)
{
    unsigned __int128 hash = (unsigned __int128)0x6c62272e07bb0142ULL << 64 | 0x62b821756295c58dULL;
    const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
    for (; *text != '\0'; text++) {
        hash ^= (unsigned char)*text;
        hash *= prime;
    }
    uint64_t high = (uint64_t)(hash >> 64), low = (uint64_t)hash;
    high = (high & ~0xf000ULL) | 0x8000ULL;
    low = (low & ~(3ULL << 62)) | 2ULL << 62;
    return xasprintf("%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                     (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff),
                     (unsigned)(low >> 48), (unsigned long long)(low & 0xffffffffffffULL));
}
