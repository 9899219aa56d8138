#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/tmclient/tmclient.h"
#include "mysqlctl.pb-c.h"

#define TM "/tabletmanagerservice.TabletManager/"
#define CTL "/mysqlctl.MysqlCtl/"

enum { TEST_DEADLINE_MS = 60000 };

static struct rpc_pump *pump;
static struct rpc_server *server;
static struct tm_client *client;
static char directory[64], socket_path[128];
static atomic_int refusals_left, calls, shutdown_ms, start_args;

static void
assert_ok(struct error *take_error)
{
    if (take_error != NULL)
        fprintf(stderr, "unexpected: %s\n", take_error->message);
    cr_assert_null(take_error);
}

static void
assert_error(struct error *take_error, enum error_code code, const char *part)
{
    cr_assert_not_null(take_error);
    if (take_error->code != code || strstr(take_error->message, part) == NULL)
        fprintf(stderr, "got %s: %s\n", error_code_name(take_error->code), take_error->message);
    cr_assert_eq(take_error->code, code);
    cr_assert_not_null(strstr(take_error->message, part));
    error_free(take_error);
}

static void
on_ping(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)data;
    const Tabletmanagerdata__PingRequest *request = (const void *)message;
    Tabletmanagerdata__PingResponse response = TABLETMANAGERDATA__PING_RESPONSE__INIT;
    response.payload = request->payload;
    rpc_call_finish(call, &response.base, NULL);
}

static void
on_refuse(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)message;
    (void)data;
    rpc_call_finish(call, NULL, error_from_mysql(100, "HY000", "no replication status"));
}

static void
on_backup(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)message;
    (void)data;
    char text[] = "a line";
    Logutil__Event event = LOGUTIL__EVENT__INIT;
    Tabletmanagerdata__BackupResponse response = TABLETMANAGERDATA__BACKUP_RESPONSE__INIT;
    event.value = text;
    for (int i = 0; i < 10; i++) {
        event.line = i;
        response.event = i == 5 ? NULL : &event;
        assert_ok(rpc_call_send(call, &response.base));
    }
    rpc_call_finish(call, NULL, error_new(ERROR_ABORTED, "disk full"));
}

/* Refuses with UNAVAILABLE a few times, then works. */
static bool
is_refused(struct rpc_call *call)
{
    atomic_fetch_add(&calls, 1);
    if (atomic_fetch_sub(&refusals_left, 1) <= 0)
        return false;
    rpc_call_finish(call, NULL, error_new(ERROR_UNAVAILABLE, "not yet"));
    return true;
}

static void
on_start(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)data;
    const Mysqlctl__StartRequest *request = (const void *)message;
    Mysqlctl__StartResponse response = MYSQLCTL__START_RESPONSE__INIT;
    atomic_store(&start_args, (int)request->n_mysqld_args);
    if (!is_refused(call))
        rpc_call_finish(call, &response.base, NULL);
}

static void
on_shutdown(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)data;
    const Mysqlctl__ShutdownRequest *request = (const void *)message;
    Mysqlctl__ShutdownResponse response = MYSQLCTL__SHUTDOWN_RESPONSE__INIT;
    cr_assert(request->wait_for_mysqld);
    const Vttime__Duration *timeout = request->mysql_shutdown_timeout;
    atomic_store(&shutdown_ms,
                 timeout == NULL ? 0 : (int)(timeout->seconds * 1000 + timeout->nanos / 1000000));
    rpc_call_finish(call, &response.base, NULL);
}

static void
on_version(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)message;
    (void)data;
    char text[] = "mysqld  Ver 8.4";
    Mysqlctl__VersionStringResponse response = MYSQLCTL__VERSION_STRING_RESPONSE__INIT;
    response.version = text;
    rpc_call_finish(call, &response.base, NULL);
}

/* The three that ask and answer nothing: all empty messages, so one type serves. */
static void
on_empty(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)message;
    (void)data;
    Mysqlctl__RefreshConfigResponse response = MYSQLCTL__REFRESH_CONFIG_RESPONSE__INIT;
    rpc_call_finish(call, &response.base, NULL);
}

#define TM_ROW(name, prefix, function)                                                             \
    {                                                                                              \
        .path = TM name, .request = &tabletmanagerdata__##prefix##_request__descriptor,            \
        .response = &tabletmanagerdata__##prefix##_response__descriptor, .handler = function       \
    }
#define CTL_ROW(name, prefix, function)                                                            \
    {                                                                                              \
        .path = CTL name, .request = &mysqlctl__##prefix##_request__descriptor,                    \
        .response = &mysqlctl__##prefix##_response__descriptor, .handler = function                \
    }
static const struct rpc_method METHODS[] = {
    TM_ROW("Ping", ping, on_ping),
    TM_ROW("ReplicationStatus", replication_status, on_refuse),
    TM_ROW("Backup", backup, on_backup),
    CTL_ROW("Start", start, on_start),
    CTL_ROW("Shutdown", shutdown, on_shutdown),
    CTL_ROW("VersionString", version_string, on_version),
    CTL_ROW("RunMysqlUpgrade", run_mysql_upgrade, on_empty),
    CTL_ROW("ReinitConfig", reinit_config, on_empty),
    CTL_ROW("RefreshConfig", refresh_config, on_empty),
};

static void
serve(const char *alias)
{
    char address[160];
    snprintf(address, sizeof(address), "unix:%s", socket_path);
    const char *addresses[] = {"127.0.0.1:0", address, NULL};
    struct rpc_server_options options = {.addresses = addresses,
                                         .methods = METHODS,
                                         .method_count = ARRAY_LENGTH(METHODS),
                                         .error_suffix_alias = alias};
    assert_ok(rpc_server_start(pump, &options, &server));
}

static void
set_up(void)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    server = NULL;
    snprintf(directory, sizeof(directory), "/tmp/vtagent-tmc-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(socket_path, sizeof(socket_path), "%s/ctl.sock", directory);
    assert_ok(rpc_pump_start(&pump));
    client = tm_client_new(pump, NULL, NULL);
}

static void
tear_down(void)
{
    rpc_server_stop(server, 0);
    tm_client_free(client);
    rpc_pump_stop(pump);
    assert_ok(file_remove_tree(directory));
}

/* A record in memory, not to be freed. */
struct record {
    Topodata__Tablet tablet;
    Topodata__TabletAlias alias;
    Topodata__Tablet__PortMapEntry port, *ports[1];
};

static void
record_init(struct record *record, const char *host, int port)
{
    topodata__tablet__init(&record->tablet);
    topodata__tablet_alias__init(&record->alias);
    topodata__tablet__port_map_entry__init(&record->port);
    static char cell[] = "zone1", key[] = "grpc";
    record->alias.cell = cell;
    record->alias.uid = 100;
    record->tablet.alias = &record->alias;
    record->tablet.type = TOPODATA__TABLET_TYPE__REPLICA;
    record->tablet.hostname = (char *)(uintptr_t)host;
    record->port.key = key;
    record->port.value = port;
    record->ports[0] = &record->port;
    record->tablet.port_map = record->ports;
    record->tablet.n_port_map = 1;
}

static struct cancel *
patience(int64_t milliseconds)
{
    return cancel_new(clock_monotonic_ms() + milliseconds);
}

static struct error *
ping(const struct record *record, struct cancel *cancel)
{
    char payload[] = "hi";
    Tabletmanagerdata__PingRequest request = TABLETMANAGERDATA__PING_REQUEST__INIT;
    request.payload = payload;
    ProtobufCMessage *message = NULL;
    TRY(tm_call(client, &record->tablet, "Ping", &request.base,
                &tabletmanagerdata__ping_response__descriptor, cancel, &message));
    cr_assert_str_eq(((Tabletmanagerdata__PingResponse *)(void *)message)->payload, "hi");
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

#define TM_TEST(name) Test(tmclient, name, .init = set_up, .fini = tear_down)

Test(tmclient, addresses_as_vitess_reads_them)
{
    struct record record;
    char *address = NULL;
    record_init(&record, "db1", 15999);
    assert_ok(tm_tablet_address(&record.tablet, &address));
    cr_assert_str_eq(address, "db1:15999");
    free(address);
    record_init(&record, "::1", 15999);
    assert_ok(tm_tablet_address(&record.tablet, &address));
    cr_assert_str_eq(address, "[::1]:15999");
    free(address);
    record_init(&record, "", 15999);
    assert_error(tm_tablet_address(&record.tablet, &address), ERROR_FAILED_PRECONDITION,
                 "empty tablet hostname");
    record_init(&record, "db1", 0);
    assert_error(tm_tablet_address(&record.tablet, &address), ERROR_FAILED_PRECONDITION,
                 "invalid tablet grpc port: 0");
    record.tablet.n_port_map = 0;
    assert_error(tm_tablet_address(&record.tablet, &address), ERROR_FAILED_PRECONDITION,
                 "no tablet port map");
    static char nothing[] = "";
    record.tablet.hostname = nothing;
    assert_error(tm_tablet_address(&record.tablet, &address), ERROR_UNAVAILABLE,
                 "tablet is shutdown");
    record_init(&record, "db1", 15999);
    Vttime__Time time = VTTIME__TIME__INIT;
    record.tablet.tablet_shutdown_time = &time;
    assert_error(tm_tablet_address(&record.tablet, &address), ERROR_UNAVAILABLE,
                 "tablet is shutdown");
}

TM_TEST(call_by_name)
{
    serve("zone1-100");
    struct record record;
    record_init(&record, "127.0.0.1", rpc_server_port(server, 0));
    CLEANUP(cancel_unrefp) struct cancel *cancel = patience(TEST_DEADLINE_MS);
    assert_ok(ping(&record, cancel));
    assert_ok(ping(&record, NULL));
}

TM_TEST(errors_are_wrapped_once)
{
    serve("zone1-100");
    struct record record;
    record_init(&record, "127.0.0.1", rpc_server_port(server, 0));
    Tabletmanagerdata__ReplicationStatusRequest request =
        TABLETMANAGERDATA__REPLICATION_STATUS_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    struct error *error =
        tm_call(client, &record.tablet, "ReplicationStatus", &request.base,
                &tabletmanagerdata__replication_status_response__descriptor, NULL, &message);
    cr_assert_not_null(error);
    cr_assert_eq(error->mysql_errno, 100);
    cr_assert_str_eq(error->message, "TabletManager.ReplicationStatus on zone1-100: no replication "
                                     "status (errno 100) (sqlstate HY000)");
    error_free(error);
    rpc_server_stop(server, 0);
    server = NULL;
    assert_error(ping(&record, NULL), ERROR_UNAVAILABLE, "Ping on tablet zone1-0000000100: ");
    CLEANUP(cancel_unrefp) struct cancel *cancel = patience(1000);
    assert_error(ping(&record, cancel), ERROR_DEADLINE_EXCEEDED, "no connection to '127.0.0.1:");
}

static void
count_event(const Logutil__Event *event, void *data)
{
    cr_assert_str_eq(event->value, "a line");
    *(int *)data += 1;
}

TM_TEST(events_of_a_stream)
{
    serve("zone1-100");
    struct record record;
    record_init(&record, "127.0.0.1", rpc_server_port(server, 0));
    Tabletmanagerdata__BackupRequest request = TABLETMANAGERDATA__BACKUP_REQUEST__INIT;
    int count = 0;
    CLEANUP(cancel_unrefp) struct cancel *cancel = patience(TEST_DEADLINE_MS);
    assert_error(tm_call_events(client, &record.tablet, "Backup", &request.base,
                                &tabletmanagerdata__backup_response__descriptor, cancel,
                                count_event, &count),
                 ERROR_ABORTED, "TabletManager.Backup on zone1-100: disk full");
    cr_assert_eq(count, 9); /* one message came without an event */
}

TM_TEST(mysqlctl_calls)
{
    serve(NULL);
    struct mysqlctl_client *ctl = NULL;
    assert_ok(mysqlctl_client_new(pump, socket_path, &ctl));
    CLEANUP(cancel_unrefp) struct cancel *cancel = patience(TEST_DEADLINE_MS);
    atomic_store(&refusals_left, 3);
    atomic_store(&calls, 0);
    const char *const arguments[] = {"--skip-networking", "--skip-grant-tables", NULL};
    assert_ok(mysqlctl_start(ctl, cancel, arguments));
    cr_assert_eq(atomic_load(&calls), 4);
    cr_assert_eq(atomic_load(&start_args), 2);
    assert_ok(mysqlctl_start(ctl, cancel, NULL));
    cr_assert_eq(atomic_load(&start_args), 0);
    assert_ok(mysqlctl_shutdown(ctl, cancel, true, 1500));
    cr_assert_eq(atomic_load(&shutdown_ms), 1500);
    assert_ok(mysqlctl_shutdown(ctl, cancel, true, 0));
    cr_assert_eq(atomic_load(&shutdown_ms), 0);
    assert_ok(mysqlctl_run_upgrade(ctl, cancel));
    assert_ok(mysqlctl_reinit_config(ctl, cancel));
    assert_ok(mysqlctl_refresh_config(ctl, cancel));
    char *version = NULL;
    assert_ok(mysqlctl_version(ctl, cancel, &version));
    cr_assert_str_eq(version, "mysqld  Ver 8.4");
    free(version);
    mysqlctl_client_free(ctl);
}

static void *
version_thread(void *data)
{
    char *version = NULL;
    CLEANUP(cancel_unrefp) struct cancel *cancel = patience(TEST_DEADLINE_MS);
    struct error *error = mysqlctl_version(data, cancel, &version);
    free(version);
    return error;
}

TM_TEST(mysqlctl_waits_for_its_socket)
{
    struct mysqlctl_client *ctl = NULL;
    assert_ok(mysqlctl_client_new(pump, socket_path, &ctl));
    CLEANUP(cancel_unrefp) struct cancel *soon = patience(1000);
    char *version = NULL;
    assert_error(mysqlctl_version(ctl, soon, &version), ERROR_DEADLINE_EXCEEDED, socket_path);
    pthread_t thread;
    void *error;
    cr_assert_eq(pthread_create(&thread, NULL, version_thread, ctl), 0);
    serve(NULL);
    pthread_join(thread, &error);
    assert_ok(error);
    mysqlctl_client_free(ctl);
    assert_error(mysqlctl_client_new(pump, "", &ctl), ERROR_INVALID_ARGUMENT, "empty");
}
