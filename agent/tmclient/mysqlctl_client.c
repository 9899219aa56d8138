/* The supervisor's socket. Every attempt has a connection of its own: a supervisor that was just
 * started again is found at once, and not after a reconnect delay. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/tmclient/mysqlctl_private.h"
#include "mysqlctl.pb-c.h"

enum { RETRY_MS = 100, PATIENCE_MS = 30000 };

struct mysqlctl_client {
    struct rpc_pump *pump;
    char *socket_path;
};

struct error *
mysqlctl_client_new(struct rpc_pump *pump, const char *socket_path,
                    struct mysqlctl_client **ret_client)
{
    if (str_is_empty(socket_path))
        return error_new(ERROR_INVALID_ARGUMENT, "the path of mysqlctld's socket is empty");
    struct mysqlctl_client *client = xcalloc(1, sizeof(*client));
    client->pump = pump;
    client->socket_path = xstrdup(socket_path);
    *ret_client = client;
    return NULL;
}

void
mysqlctl_client_free(struct mysqlctl_client *client)
{
    if (client == NULL)
        return;
    free(client->socket_path);
    free(client);
}

static struct error *
call_once(struct mysqlctl_client *client, const char *path, const ProtobufCMessage *request,
          const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
          ProtobufCMessage **ret_response)
{
    CLEANUP(freep) char *target = xasprintf("unix:%s", client->socket_path);
    struct rpc_channel_options options = {.target = target};
    struct rpc_channel *channel = NULL;
    TRY(rpc_channel_new(client->pump, &options, &channel));
    struct error *error =
        rpc_channel_call(channel, path, request, response_descriptor, cancel, ret_response);
    rpc_channel_free(channel);
    return error;
}

/* Puts the reason behind "deadline exceeded". */
static struct error *
add_reason(struct error *take_end, struct error *take_last)
{
    struct error *error =
        error_new(take_end->code, "%s: %s", take_end->message, take_last->message);
    error_free(take_end);
    error_free(take_last);
    return error;
}

/* As Vitess does. */
struct error *
mysqlctl_call(struct mysqlctl_client *client, const char *path, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
              ProtobufCMessage **ret_response)
{
    int64_t end =
        cancel_deadline_ms(cancel) == INT64_MAX ? clock_monotonic_ms() + PATIENCE_MS : INT64_MAX;
    struct error *error;
    for (;;) {
        error = call_once(client, path, request, response_descriptor, cancel, ret_response);
        if (!error_is(error, ERROR_UNAVAILABLE) || clock_monotonic_ms() >= end)
            break;
        struct error *stop = cancel_sleep_ms(cancel, RETRY_MS);
        if (stop != NULL) {
            error = add_reason(stop, error);
            break;
        }
        error_free(error);
    }
    const char *method = strrchr(path, '/') + 1;
    return error_wrap(error, "mysqlctl %s over '%s'", method, client->socket_path);
}

static struct error *
call(struct mysqlctl_client *client, const char *method, const ProtobufCMessage *request,
     const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
     ProtobufCMessage **ret_response)
{
    CLEANUP(freep) char *path = xasprintf("/mysqlctl.MysqlCtl/%s", method);
    return mysqlctl_call(client, path, request, response_descriptor, cancel, ret_response);
}

/* For methods whose answer says nothing. */
static struct error *
call_plain(struct mysqlctl_client *client, const char *method, const ProtobufCMessage *request,
           const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel)
{
    ProtobufCMessage *response = NULL;
    TRY(call(client, method, request, response_descriptor, cancel, &response));
    protobuf_c_message_free_unpacked(response, NULL);
    return NULL;
}

struct error *
mysqlctl_start(struct mysqlctl_client *client, struct cancel *cancel,
               const char *const *mysqld_args)
{
    Mysqlctl__StartRequest request = MYSQLCTL__START_REQUEST__INIT;
    while (mysqld_args != NULL && mysqld_args[request.n_mysqld_args] != NULL)
        request.n_mysqld_args++;
    request.mysqld_args = (char **)(uintptr_t)mysqld_args;
    return call_plain(client, "Start", &request.base, &mysqlctl__start_response__descriptor,
                      cancel);
}

struct error *
mysqlctl_shutdown(struct mysqlctl_client *client, struct cancel *cancel, bool waits_for_mysqld,
                  int64_t shutdown_timeout_ms)
{
    Mysqlctl__ShutdownRequest request = MYSQLCTL__SHUTDOWN_REQUEST__INIT;
    Vttime__Duration timeout = VTTIME__DURATION__INIT;
    timeout.seconds = shutdown_timeout_ms / 1000;
    timeout.nanos = (int32_t)(shutdown_timeout_ms % 1000 * 1000000);
    request.wait_for_mysqld = waits_for_mysqld;
    if (shutdown_timeout_ms > 0)
        request.mysql_shutdown_timeout = &timeout;
    return call_plain(client, "Shutdown", &request.base, &mysqlctl__shutdown_response__descriptor,
                      cancel);
}

struct error *
mysqlctl_run_upgrade(struct mysqlctl_client *client, struct cancel *cancel)
{
    Mysqlctl__RunMysqlUpgradeRequest request = MYSQLCTL__RUN_MYSQL_UPGRADE_REQUEST__INIT;
    return call_plain(client, "RunMysqlUpgrade", &request.base,
                      &mysqlctl__run_mysql_upgrade_response__descriptor, cancel);
}

struct error *
mysqlctl_reinit_config(struct mysqlctl_client *client, struct cancel *cancel)
{
    Mysqlctl__ReinitConfigRequest request = MYSQLCTL__REINIT_CONFIG_REQUEST__INIT;
    return call_plain(client, "ReinitConfig", &request.base,
                      &mysqlctl__reinit_config_response__descriptor, cancel);
}

struct error *
mysqlctl_refresh_config(struct mysqlctl_client *client, struct cancel *cancel)
{
    Mysqlctl__RefreshConfigRequest request = MYSQLCTL__REFRESH_CONFIG_REQUEST__INIT;
    return call_plain(client, "RefreshConfig", &request.base,
                      &mysqlctl__refresh_config_response__descriptor, cancel);
}

struct error *
mysqlctl_version(struct mysqlctl_client *client, struct cancel *cancel, char **ret_version)
{
    Mysqlctl__VersionStringRequest request = MYSQLCTL__VERSION_STRING_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    TRY(call(client, "VersionString", &request.base, &mysqlctl__version_string_response__descriptor,
             cancel, &message));
    *ret_version = xstrdup(((Mysqlctl__VersionStringResponse *)(void *)message)->version);
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}
