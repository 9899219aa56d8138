#include "loopback.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_TEST(name) Test(rpc_server, name, .init = loopback_init, .fini = loopback_done)

static void
serve_and_connect(void)
{
    loopback_serve((struct rpc_server_options){.addresses = NULL});
    loopback.channel = loopback_connect((struct rpc_channel_options){.target = NULL});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    assert_ok(call_ping(loopback.channel, "connected", cancel, NULL));
    wait_for(&loopback.done_calls, 1);
    atomic_store(&loopback.done_calls, 0);
}

SERVER_TEST(ping_is_echoed)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    char *payload = NULL;
    assert_ok(call_ping(loopback.channel, "hello", cancel, &payload));
    cr_assert_str_eq(payload, "hello");
    free(payload);
    wait_for(&loopback.done_calls, 1);
    cr_assert_eq(atomic_load(&loopback.last_code), 0);
    assert_ok(call_hook(loopback.channel, "a hook", cancel));
    assert_ok(call_ping(loopback.channel, "", NULL, NULL)); /* an empty message, no deadline */
}

SERVER_TEST(unknown_method_is_named)
{
    serve_and_connect();
    Tabletmanagerdata__PingRequest request = TABLETMANAGERDATA__PING_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    assert_error(rpc_channel_call(loopback.channel, TM "Nope", &request.base,
                                  &tabletmanagerdata__ping_response__descriptor, NULL, &message),
                 ERROR_UNIMPLEMENTED,
                 "TabletManager.Nope on zone1-100: unknown method '" TM "Nope'");
    assert_error(rpc_channel_call(loopback.channel, "/a.B/C", &request.base,
                                  &tabletmanagerdata__ping_response__descriptor, NULL, &message),
                 ERROR_UNIMPLEMENTED, "unknown method '/a.B/C' on zone1-100");
    /* The server goes on. */
    assert_ok(call_ping(loopback.channel, "x", NULL, NULL));
}

SERVER_TEST(malformed_body_is_refused)
{
    serve_and_connect();
    /* A Ping's payload is where this method has a message: one that ends inside its first field. */
    Tabletmanagerdata__PingRequest request = TABLETMANAGERDATA__PING_REQUEST__INIT;
    char payload[] = "\x0a\x7f";
    request.payload = payload;
    ProtobufCMessage *message = NULL;
    assert_error(rpc_channel_call(loopback.channel, TM "SetReplicationSource", &request.base,
                                  &tabletmanagerdata__ping_response__descriptor, NULL, &message),
                 ERROR_INVALID_ARGUMENT,
                 "TabletManager.SetReplicationSource on zone1-100: malformed "
                 "tabletmanagerdata.SetReplicationSourceRequest of 4 bytes");
}

SERVER_TEST(malformed_answer_is_an_error)
{
    serve_and_connect();
    Tabletmanagerdata__PingRequest request = TABLETMANAGERDATA__PING_REQUEST__INIT;
    char payload[] = "\x0a\x7f";
    request.payload = payload;
    ProtobufCMessage *message = NULL;
    assert_error(rpc_channel_call(loopback.channel, TM "Ping", &request.base,
                                  &tabletmanagerdata__backup_response__descriptor, NULL, &message),
                 ERROR_INTERNAL, "malformed");
}

SERVER_TEST(mysql_errors_keep_their_numbers)
{
    serve_and_connect();
    Tabletmanagerdata__GetSchemaRequest request = TABLETMANAGERDATA__GET_SCHEMA_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    struct error *error =
        rpc_channel_call(loopback.channel, TM "GetSchema", &request.base,
                         &tabletmanagerdata__get_schema_response__descriptor, NULL, &message);
    cr_assert_not_null(error);
    cr_assert_eq(error->mysql_errno, 1290);
    cr_assert_str_eq(error->sqlstate, "HY000");
    assert_error(error, ERROR_CLUSTER_EVENT, "TabletManager.GetSchema on zone1-100: get schema: ");
    wait_for(&loopback.done_calls, 1);
    cr_assert_eq(atomic_load(&loopback.last_code), ERROR_CLUSTER_EVENT);
}

SERVER_TEST(deadline_reaches_the_handler)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(clock_monotonic_ms() + 3000);
    assert_error(call_sleep(loopback.channel, cancel), ERROR_DEADLINE_EXCEEDED,
                 "deadline exceeded");
    wait_for(&loopback.woken, 1);
    cr_assert_gt(atomic_load(&loopback.deadline_left_ms), 0);
    cr_assert_leq(atomic_load(&loopback.deadline_left_ms), 3100); /* grpc-timeout is rounded up */
}

static void *
sleep_thread(void *data)
{
    return call_sleep(loopback.channel, data);
}

SERVER_TEST(cancel_reaches_the_handler)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(INT64_MAX);
    pthread_t thread;
    void *error;
    cr_assert_eq(pthread_create(&thread, NULL, sleep_thread, cancel), 0);
    wait_for(&loopback.sleeping, 1);
    cr_assert_eq(atomic_load(&loopback.deadline_left_ms), INT64_MAX);
    cancel_request(cancel);
    pthread_join(thread, &error);
    assert_error(error, ERROR_CANCELED, "canceled");
    wait_for(&loopback.woken, 1);
}

SERVER_TEST(stop_ends_running_calls)
{
    serve_and_connect();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, sleep_thread, NULL), 0);
    wait_for(&loopback.sleeping, 3);
    rpc_server_stop(loopback.server, 50);
    loopback.server = NULL;
    cr_assert_eq(atomic_load(&loopback.woken), 3);
    for (int i = 0; i < 3; i++) {
        void *error;
        pthread_join(threads[i], &error);
        cr_assert_not_null(error);
        error_free(error);
    }
}

SERVER_TEST(stop_waits_for_calls_that_end_in_time)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(clock_monotonic_ms() + 3000);
    pthread_t thread;
    void *error;
    cr_assert_eq(pthread_create(&thread, NULL, sleep_thread, cancel), 0);
    wait_for(&loopback.sleeping, 1);
    rpc_server_stop(loopback.server, TEST_DEADLINE_MS);
    loopback.server = NULL;
    pthread_join(thread, &error);
    assert_error(error, ERROR_DEADLINE_EXCEEDED, "deadline exceeded");
}

SERVER_TEST(large_messages_are_refused_both_ways)
{
    serve_and_connect();
    size_t size = 15 * 1024 * 1024;
    CLEANUP(freep) char *payload = xcalloc(1, 17 * 1024 * 1024 + 1);
    memset(payload, 'x', size);
    char *answer = NULL;
    assert_ok(call_ping(loopback.channel, payload, NULL, &answer));
    cr_assert_eq(strlen(answer), size);
    free(answer);
    memset(payload, 'x', 17 * 1024 * 1024);
    assert_error(call_ping(loopback.channel, payload, NULL, NULL), ERROR_RESOURCE_EXHAUSTED,
                 "larger than max");
    struct rpc_channel *small =
        loopback_connect((struct rpc_channel_options){.max_message_bytes = 1000});
    assert_error(call_ping(small, payload, NULL, NULL), ERROR_RESOURCE_EXHAUSTED,
                 "larger than the limit of 1000 bytes");
    rpc_channel_free(small);
}

SERVER_TEST(long_error_texts_are_cut)
{
    serve_and_connect();
    struct error *error = call_hook(loopback.channel, "long", NULL);
    cr_assert_not_null(error);
    cr_assert_eq(strlen(error->message), 8192 - 512 - 1); /* not in the middle of a character */
    assert_error(error, ERROR_ABORTED, "TabletManager.ExecuteHook on zone1-100: a\xc3\xa9\xc3\xa9");
}

SERVER_TEST(fresh_connections_leave_nothing)
{
    serve_and_connect();
    assert_ok(call_ping(loopback.channel, "x", NULL, NULL));
    size_t before = 0;
    for (int i = 0; i < 500; i++) {
        if (i == 20)
            before = count_descriptors();
        struct rpc_channel *channel =
            loopback_connect((struct rpc_channel_options){.waits_for_ready = true});
        CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
        assert_ok(call_ping(channel, "x", cancel, NULL));
        rpc_channel_free(channel);
    }
    int64_t end = clock_monotonic_ms() + TEST_DEADLINE_MS;
    while (count_descriptors() > before + 20) /* closed by the core a moment later */
        cr_assert_lt(clock_monotonic_ms(), end);
}

SERVER_TEST(nobody_listens)
{
    struct rpc_channel *fast =
        loopback_connect((struct rpc_channel_options){.target = "127.0.0.1:1"});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    assert_error(call_ping(fast, "x", cancel, NULL), ERROR_UNAVAILABLE, "127.0.0.1:1");
    rpc_channel_free(fast);
    struct rpc_channel *patient = loopback_connect(
        (struct rpc_channel_options){.target = "127.0.0.1:1", .waits_for_ready = true});
    CLEANUP(cancel_unrefp) struct cancel *soon = cancel_new(clock_monotonic_ms() + 1000);
    assert_error(call_ping(patient, "x", soon, NULL), ERROR_DEADLINE_EXCEEDED, "127.0.0.1:1");
    rpc_channel_free(patient);
}

SERVER_TEST(ended_cancel_makes_no_call)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(INT64_MAX);
    cancel_request(cancel);
    assert_error(call_ping(loopback.channel, "x", cancel, NULL), ERROR_CANCELED, "canceled");
}
