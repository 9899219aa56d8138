#include "loopback.h"

#include <poll.h>

#include "grpc_health.pb-c.h"

#define STREAM_TEST(name) Test(rpc_stream, name, .init = loopback_init, .fini = loopback_done)

static void
serve_and_connect(void)
{
    loopback_serve((struct rpc_server_options){.addresses = NULL});
    loopback.channel = loopback_connect((struct rpc_channel_options){.target = NULL});
}

static struct rpc_stream *
open_backup(int32_t count, struct cancel *cancel)
{
    struct rpc_stream *stream = NULL;
    assert_ok(rpc_stream_open(loopback.channel, TM "Backup",
                              &tabletmanagerdata__backup_response__descriptor, cancel, &stream));
    Tabletmanagerdata__BackupRequest request = TABLETMANAGERDATA__BACKUP_REQUEST__INIT;
    request.concurrency = count;
    assert_ok(rpc_stream_send(stream, &request.base));
    rpc_stream_half_close(stream);
    return stream;
}

STREAM_TEST(thousand_messages_with_a_slow_reader)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    struct rpc_stream *stream = open_backup(1000, cancel);
    /* Nobody reads: the sender must come to rest with its queue full, far from the end. */
    int before = -1;
    for (int now = 0; now == 0 || now != before; now = atomic_load(&loopback.sent)) {
        before = now;
        poll(NULL, 0, 300);
    }
    cr_assert_geq(atomic_load(&loopback.sent), 1);
    cr_assert_lt(atomic_load(&loopback.sent), 1000);
    for (int i = 0; i < 1000; i++) {
        ProtobufCMessage *message = NULL;
        assert_ok(rpc_stream_receive(stream, &message));
        cr_assert_not_null(message);
        Tabletmanagerdata__BackupResponse *response = (void *)message;
        cr_assert_eq(response->event->line, i);
        protobuf_c_message_free_unpacked(message, NULL);
    }
    ProtobufCMessage *end = (void *)&end;
    assert_ok(rpc_stream_receive(stream, &end));
    cr_assert_null(end);
    assert_ok(rpc_stream_receive(stream, &end)); /* asking again is no harm */
    cr_assert_null(end);
    Tabletmanagerdata__BackupRequest request = TABLETMANAGERDATA__BACKUP_REQUEST__INIT;
    assert_error(rpc_stream_send(stream, &request.base), ERROR_UNAVAILABLE, "ended");
    rpc_stream_free(stream);
}

STREAM_TEST(empty_stream_ends_at_once)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    struct rpc_stream *stream = open_backup(0, cancel);
    ProtobufCMessage *end = (void *)&end;
    assert_ok(rpc_stream_receive(stream, &end));
    cr_assert_null(end);
    rpc_stream_free(stream);
}

STREAM_TEST(client_that_goes_frees_the_sender)
{
    serve_and_connect();
    struct rpc_stream *stream = open_backup(1000000, NULL);
    ProtobufCMessage *message = NULL;
    assert_ok(rpc_stream_receive(stream, &message));
    protobuf_c_message_free_unpacked(message, NULL);
    rpc_stream_free(stream);
    wait_for(&loopback.refused_sends, 1);
    wait_for(&loopback.done_calls, 1);
}

STREAM_TEST(lost_connection_frees_the_sender)
{
    serve_and_connect();
    struct rpc_stream *stream = open_backup(1000000, NULL);
    wait_for(&loopback.sent, 1);
    rpc_server_stop(loopback.server, 0);
    loopback.server = NULL;
    cr_assert_eq(atomic_load(&loopback.refused_sends), 1);
    struct error *error = NULL;
    while (error == NULL) {
        ProtobufCMessage *message = NULL;
        error = rpc_stream_receive(stream, &message);
        if (error == NULL) {
            cr_assert_not_null(message);
            protobuf_c_message_free_unpacked(message, NULL);
        }
    }
    assert_error(error, ERROR_UNAVAILABLE, "");
    rpc_stream_free(stream);
}

STREAM_TEST(cancel_ends_a_receive)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(INT64_MAX);
    struct rpc_stream *stream = NULL;
    assert_ok(rpc_stream_open(loopback.channel, TM "Backup",
                              &tabletmanagerdata__backup_response__descriptor, cancel, &stream));
    cancel_request(cancel); /* nothing was sent: nothing will come */
    ProtobufCMessage *message = NULL;
    assert_error(rpc_stream_receive(stream, &message), ERROR_CANCELED, "canceled");
    rpc_stream_free(stream);
}

STREAM_TEST(deadline_ends_a_receive)
{
    serve_and_connect();
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(clock_monotonic_ms() + 500);
    struct rpc_stream *stream = NULL;
    assert_ok(rpc_stream_open(loopback.channel, TM "Backup",
                              &tabletmanagerdata__backup_response__descriptor, cancel, &stream));
    ProtobufCMessage *message = NULL;
    assert_error(rpc_stream_receive(stream, &message), ERROR_DEADLINE_EXCEEDED,
                 "deadline exceeded");
    rpc_stream_free(stream);
}

/* ---- Health ---- */
typedef Grpc__Health__V1__HealthCheckRequest health_request;
typedef Grpc__Health__V1__HealthCheckResponse health_response;

static struct error *
check_health(const char *service)
{
    health_request request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    ProtobufCMessage *message = NULL;
    TRY(rpc_channel_call(loopback.channel, "/grpc.health.v1.Health/Check", &request.base,
                         &grpc__health__v1__health_check_response__descriptor, NULL, &message));
    cr_assert_eq(((health_response *)(void *)message)->status,
                 GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

static struct rpc_stream *
open_watch(const char *service)
{
    struct rpc_stream *stream = NULL;
    assert_ok(rpc_stream_open(loopback.channel, "/grpc.health.v1.Health/Watch",
                              &grpc__health__v1__health_check_response__descriptor, NULL, &stream));
    health_request request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    assert_ok(rpc_stream_send(stream, &request.base));
    rpc_stream_half_close(stream);
    return stream;
}

static Grpc__Health__V1__HealthCheckResponse__ServingStatus
next_health(struct rpc_stream *stream)
{
    ProtobufCMessage *message = NULL;
    assert_ok(rpc_stream_receive(stream, &message));
    cr_assert_not_null(message);
    Grpc__Health__V1__HealthCheckResponse__ServingStatus status =
        ((health_response *)(void *)message)->status;
    protobuf_c_message_free_unpacked(message, NULL);
    return status;
}

STREAM_TEST(health_of_known_services)
{
    serve_and_connect();
    assert_ok(check_health(""));
    assert_ok(check_health("tabletmanagerservice.TabletManager"));
    assert_ok(check_health("grpc.health.v1.Health"));
    assert_error(check_health("tabletmanagerservice"), ERROR_NOT_FOUND, "unknown service");
}

STREAM_TEST(health_watch_hears_of_the_stop)
{
    serve_and_connect();
    struct rpc_stream *known = open_watch(""), *unknown = open_watch("nope");
    cr_assert_eq(next_health(known),
                 GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    cr_assert_eq(next_health(unknown),
                 GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN);
    rpc_server_stop(loopback.server, TEST_DEADLINE_MS);
    loopback.server = NULL;
    cr_assert_eq(next_health(known),
                 GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
    ProtobufCMessage *message = NULL;
    assert_error(rpc_stream_receive(known, &message), ERROR_UNAVAILABLE, "shutting down");
    rpc_stream_free(known);
    rpc_stream_free(unknown);
}

STREAM_TEST(health_watcher_may_go)
{
    serve_and_connect();
    struct rpc_stream *stream = open_watch("");
    cr_assert_eq(next_health(stream),
                 GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    rpc_stream_free(stream);
    wait_for(&loopback.done_calls, 1);
}
