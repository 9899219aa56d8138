/* Reading the server's state. None of these takes the action lock: a backup may hold it for hours,
 * and whoever asks would take this tablet for dead. */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/buffer.h"
#include "agent/handlers/convert.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

HANDLER(handle_full_status)
{
    (void)request;
    Tabletmanagerdata__FullStatusResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(full_status_done) struct full_status status = {0};
    TRY(full_status_read(dba.db, call->cancel, &status));
    bool is_blocked = semi_sync_is_blocked(&call->service->semi_sync,
                                           status.semi_sync_wait_sessions, dba.db, call->cancel);

    struct tablet_snapshot snapshot;
    tablet_get_snapshot(call->context->tablet, &snapshot);
    out->status = convert_full_status(&status);
    out->status->tablet_type = snapshot.type;
    out->status->semi_sync_blocked = is_blocked;
    out->status->disk_stalled = snapshot.is_disk_stalled;
    if (out->status->replication_status != NULL)
        out->status->replication_status->backup_running = snapshot.is_backup_running;
    return NULL;
}

HANDLER(handle_replication_status)
{
    (void)request;
    Tabletmanagerdata__ReplicationStatusResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(replication_status_done) struct replication_status status = {0};
    TRY(replication_status_read(dba.db, call->cancel, &status));
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(call->context->tablet, &snapshot);
    out->status = convert_replication_status(&status);
    out->status->backup_running = snapshot.is_backup_running;
    return NULL;
}

HANDLER(handle_primary_status)
{
    (void)request;
    Tabletmanagerdata__PrimaryStatusResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(primary_status_done) struct primary_status status = {0};
    TRY(primary_status_read(dba.db, call->cancel, &status));
    out->status = convert_primary_status(&status);
    return NULL;
}

HANDLER(handle_primary_position)
{
    (void)request;
    Tabletmanagerdata__PrimaryPositionResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(position_freep) struct position *position = NULL;
    TRY(executed_position_read(dba.db, call->cancel, &position));
    out->position = convert_position(position);
    return NULL;
}

HANDLER(handle_wait_for_position)
{
    (void)response;
    const Tabletmanagerdata__WaitForPositionRequest *in = request;
    CLEANUP(position_freep) struct position *position = NULL;
    TRY(position_parse(in->position, &position));
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    return replication_wait_for_position(dba.db, call->cancel, position);
}

/* SHOW works on every server; performance_schema is off on MariaDB by default and then silently
 * empty. */
static char *
status_variables_sql(size_t count, char *const *names)
{
    CLEANUP(buffer_done) struct buffer sql = BUFFER_INIT;
    buffer_append_text(&sql, "SHOW GLOBAL STATUS");
    for (size_t i = 0; i < count; i++) {
        CLEANUP(freep) char *name = db_quote(names[i], strlen(names[i]));
        buffer_appendf(&sql, "%s%s", i == 0 ? " WHERE Variable_name IN (" : ", ", name);
    }
    if (count > 0)
        buffer_append_char(&sql, ')');
    return buffer_take(&sql);
}

HANDLER(handle_get_global_status_vars)
{
    const Tabletmanagerdata__GetGlobalStatusVarsRequest *in = request;
    Tabletmanagerdata__GetGlobalStatusVarsResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(freep) char *sql = status_variables_sql(in->n_variables, in->variables);
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_query(dba.db, call->cancel, DB_NO_LIMIT, sql, &result));
    for (size_t i = 0; i < result->row_count && result->field_count > 1; i++)
        message_map_add(
            &tabletmanagerdata__get_global_status_vars_response__status_values_entry__descriptor,
            &out->n_status_values, &out->status_values, db_result_cell(result, i, 0)->data,
            db_result_cell(result, i, 1)->data);
    return NULL;
}

/* "10.0.0.7:41234", "[::1]:41234", "db-1.example:41234": the host; caller frees. NULL: no port. */
static char *
host_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL)
        return NULL;
    size_t length = (size_t)(colon - address);
    if (length >= 2 && address[0] == '[' && address[length - 1] == ']')
        return xstrndup(address + 1, length - 2);
    return xstrndup(address, length);
}

static struct error *
add_addresses(const char *client, struct strv *addresses)
{
    CLEANUP(freep) char *host = host_of(client);
    if (host == NULL)
        return error_new(ERROR_UNKNOWN, "malformed address '%s' of a replica", client);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, NULL, &hints, &list);
    if (code != 0)
        return error_new(ERROR_UNKNOWN, "cannot resolve '%s' of a replica: %s", host,
                         gai_strerror(code));
    for (const struct addrinfo *item = list; item != NULL; item = item->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(item->ai_addr, item->ai_addrlen, text, sizeof(text), NULL, 0,
                        NI_NUMERICHOST) == 0)
            strv_add(addresses, text);
    }
    freeaddrinfo(list);
    return NULL;
}

HANDLER(handle_get_replicas)
{
    (void)request;
    Tabletmanagerdata__GetReplicasResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_query(dba.db, call->cancel, DB_NO_LIMIT, "SHOW PROCESSLIST", &result));
    CLEANUP(strv_done) struct strv addresses = {0};
    for (size_t i = 0; i < result->row_count; i++) {
        const char *command = db_result_text(result, i, "Command");
        const char *host = db_result_text(result, i, "Host");
        if (command == NULL || host == NULL || !str_starts_with(command, "Binlog Dump") ||
            str_equal(host, "localhost"))
            continue;
        TRY(add_addresses(host, &addresses));
    }
    message_texts(&addresses, &out->n_addrs, &out->addrs);
    return NULL;
}
