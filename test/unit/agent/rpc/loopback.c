#include "loopback.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/base/log.h"

struct loopback loopback;

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
sleep_job(void *data)
{
    struct rpc_call *call = data;
    int64_t left = cancel_remaining_ms(rpc_call_cancel(call));
    atomic_store(&loopback.deadline_left_ms, left);
    atomic_fetch_add(&loopback.sleeping, 1);
    struct error *error = cancel_sleep_ms(rpc_call_cancel(call), 10 * TEST_DEADLINE_MS);
    atomic_fetch_add(&loopback.woken, 1);
    rpc_call_finish(call, NULL, error != NULL ? error : error_new(ERROR_INTERNAL, "slept well"));
}

static void
on_sleep(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)message;
    (void)data;
    worker_submit(loopback.worker, sleep_job, call);
}

struct hook_job {
    struct rpc_call *call;
    const Tabletmanagerdata__ExecuteHookRequest *request;
};

static void
hook_job(void *data)
{
    struct hook_job *job = data;
    Tabletmanagerdata__ExecuteHookResponse response =
        TABLETMANAGERDATA__EXECUTE_HOOK_RESPONSE__INIT;
    char *text = xasprintf("%s from %s", job->request->name, rpc_call_method(job->call));
    response.stdout = text;
    rpc_call_finish(job->call, &response.base, NULL);
    free(text);
    free(job);
}

static struct error *
long_error(void)
{
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, "a");
    for (int i = 0; i < 10000; i++)
        buffer_append_text(&text, "\xc3\xa9");
    struct error *error = error_new(ERROR_ABORTED, "%s", buffer_text(&text));
    buffer_done(&text);
    return error;
}

static void
on_hook(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)data;
    const Tabletmanagerdata__ExecuteHookRequest *request = (const void *)message;
    if (strcmp(request->name, "long") == 0) {
        rpc_call_finish(call, NULL, long_error());
        return;
    }
    struct hook_job *job = xcalloc(1, sizeof(*job));
    job->call = call;
    job->request = request;
    worker_submit(loopback.worker, hook_job, job);
}

static void
on_get_schema(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)message;
    (void)data;
    rpc_call_finish(call, NULL,
                    error_wrap(error_from_mysql(1290, "HY000", "read only"), "get schema"));
}

static void
backup_job(void *data)
{
    struct rpc_call *call = data;
    struct error *error = NULL;
    Logutil__Event event = LOGUTIL__EVENT__INIT;
    Tabletmanagerdata__BackupResponse response = TABLETMANAGERDATA__BACKUP_RESPONSE__INIT;
    response.event = &event;
    char *text = xcalloc(1, 20001);
    memset(text, 'x', 20000);
    int count = (int)atomic_load(&loopback.most_queued); /* messages to send */
    for (int i = 0; i < count && error == NULL; i++) {
        event.line = i;
        event.value = text;
        error = rpc_call_send(call, &response.base);
        atomic_fetch_add(&loopback.sent, error == NULL);
    }
    free(text);
    if (error != NULL)
        atomic_fetch_add(&loopback.refused_sends, 1);
    rpc_call_finish(call, NULL, error);
}

static void
on_backup(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    (void)data;
    const Tabletmanagerdata__BackupRequest *request = (const void *)message;
    atomic_store(&loopback.most_queued, (size_t)request->concurrency);
    worker_submit(loopback.worker, backup_job, call);
}

#define ROW(name, prefix, ...)                                                                     \
    {                                                                                              \
        .path = TM name, .request = &tabletmanagerdata__##prefix##_request__descriptor,            \
        .response = &tabletmanagerdata__##prefix##_response__descriptor, __VA_ARGS__               \
    }
static const struct rpc_method METHODS[] = {
    ROW("Ping", ping, .handler = on_ping, .is_inline = true),
    ROW("Sleep", sleep, .handler = on_sleep),
    ROW("ExecuteHook", execute_hook, .handler = on_hook),
    ROW("GetSchema", get_schema, .handler = on_get_schema),
    ROW("SetReplicationSource", set_replication_source, .handler = on_get_schema),
    ROW("Backup", backup, .handler = on_backup, .is_stream = true),
};

static void
on_done(const char *path, int code, int64_t microseconds, void *data)
{
    (void)path;
    (void)data;
    cr_assert_geq(microseconds, 0);
    atomic_store(&loopback.last_code, code);
    atomic_fetch_add(&loopback.done_calls, 1);
}

void
loopback_init(void)
{
    memset(&loopback, 0, sizeof(loopback));
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    snprintf(loopback.directory, sizeof(loopback.directory), "/tmp/vtagent-rpc-XXXXXX");
    cr_assert_not_null(mkdtemp(loopback.directory));
    assert_ok(rpc_pump_start(&loopback.pump));
    assert_ok(worker_new("test", 4, &loopback.worker));
}

void
loopback_done(void)
{
    rpc_channel_free(loopback.channel);
    rpc_server_stop(loopback.server, 0);
    worker_free(loopback.worker);
    rpc_pump_stop(loopback.pump);
    assert_ok(file_remove_tree(loopback.directory));
}

void
loopback_serve(struct rpc_server_options options)
{
    static const char *const ANY_PORT[] = {"127.0.0.1:0", NULL};
    if (options.addresses == NULL)
        options.addresses = ANY_PORT;
    options.methods = METHODS;
    options.method_count = ARRAY_LENGTH(METHODS);
    options.error_suffix_alias = "zone1-100";
    options.on_done = on_done;
    assert_ok(rpc_server_start(loopback.pump, &options, &loopback.server));
    int port = rpc_server_port(loopback.server, 0);
    if (port != 0)
        snprintf(loopback.address, sizeof(loopback.address), "127.0.0.1:%d", port);
    else
        snprintf(loopback.address, sizeof(loopback.address), "%s", options.addresses[0]);
}

struct rpc_channel *
loopback_connect(struct rpc_channel_options options)
{
    struct rpc_channel *channel = NULL;
    if (options.target == NULL)
        options.target = loopback.address;
    assert_ok(rpc_channel_new(loopback.pump, &options, &channel));
    return channel;
}

struct cancel *
test_cancel(void)
{
    return cancel_new(clock_monotonic_ms() + TEST_DEADLINE_MS);
}

struct error *
call_ping(struct rpc_channel *channel, const char *payload, struct cancel *cancel,
          char **ret_payload)
{
    Tabletmanagerdata__PingRequest request = TABLETMANAGERDATA__PING_REQUEST__INIT;
    request.payload = (char *)(uintptr_t)payload;
    ProtobufCMessage *message = NULL;
    TRY(rpc_channel_call(channel, TM "Ping", &request.base,
                         &tabletmanagerdata__ping_response__descriptor, cancel, &message));
    Tabletmanagerdata__PingResponse *response = (void *)message;
    if (ret_payload != NULL)
        *ret_payload = xstrdup(response->payload);
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

struct error *
call_sleep(struct rpc_channel *channel, struct cancel *cancel)
{
    Tabletmanagerdata__SleepRequest request = TABLETMANAGERDATA__SLEEP_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    return rpc_channel_call(channel, TM "Sleep", &request.base,
                            &tabletmanagerdata__sleep_response__descriptor, cancel, &message);
}

struct error *
call_hook(struct rpc_channel *channel, const char *name, struct cancel *cancel)
{
    Tabletmanagerdata__ExecuteHookRequest request = TABLETMANAGERDATA__EXECUTE_HOOK_REQUEST__INIT;
    request.name = (char *)(uintptr_t)name;
    ProtobufCMessage *message = NULL;
    TRY(rpc_channel_call(channel, TM "ExecuteHook", &request.base,
                         &tabletmanagerdata__execute_hook_response__descriptor, cancel, &message));
    Tabletmanagerdata__ExecuteHookResponse *response = (void *)message;
    char *expected = xasprintf("%s from ExecuteHook", name);
    cr_assert_str_eq(response->stdout, expected);
    free(expected);
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

void
assert_ok(struct error *take_error)
{
    if (take_error != NULL)
        fprintf(stderr, "unexpected: %s: %s\n", error_code_name(take_error->code),
                take_error->message);
    cr_assert_null(take_error);
}

void
assert_error(struct error *take_error, enum error_code code, const char *part)
{
    cr_assert_not_null(take_error);
    if (take_error->code != code || strstr(take_error->message, part) == NULL)
        fprintf(stderr, "got %s: %s\n", error_code_name(take_error->code), take_error->message);
    cr_assert_eq(take_error->code, code);
    cr_assert_not_null(strstr(take_error->message, part));
    error_free(take_error);
}

void
wait_for(atomic_int *value, int least)
{
    int64_t end = clock_monotonic_ms() + TEST_DEADLINE_MS;
    while (atomic_load(value) < least) {
        cr_assert_lt(clock_monotonic_ms(), end);
        poll(NULL, 0, 2);
    }
}

size_t
count_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    cr_assert_not_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

void
write_file(const char *path, const char *text)
{
    assert_ok(file_write_safely(path, text, strlen(text), 0600));
}
