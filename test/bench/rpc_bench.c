/* Latency of one unary method on a kept connection and on fresh ones.
 * rpc_bench HOST:PORT Ping|FullStatus|ExecuteFetchAsDba COUNT kept|fresh
 * prints "p50 p90 p99" in microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cancel.h"
#include "agent/base/clock.h"
#include "agent/rpc/rpc.h"
#include "tabletmanagerdata.pb-c.h"

#define SERVICE "/tabletmanagerservice.TabletManager/"
#define CALL_TIMEOUT_MS 30000
#define WARM_UP_CALLS 50

struct method {
    const char *name, *path;
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *response;
};

static int
compare_int64(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static struct error *
call_once(struct rpc_channel *channel, const struct method *method)
{
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + CALL_TIMEOUT_MS);
    ProtobufCMessage *response = NULL;
    struct error *error = rpc_channel_call(channel, method->path, method->request, method->response,
                                           cancel, &response);
    if (response != NULL)
        protobuf_c_message_free_unpacked(response, NULL);
    cancel_unref(cancel);
    return error;
}

static struct error *
call_fresh(struct rpc_pump *pump, const char *target, const struct method *method)
{
    struct rpc_channel_options options = {.target = target};
    struct rpc_channel *channel = NULL;
    TRY(rpc_channel_new(pump, &options, &channel));
    struct error *error = call_once(channel, method);
    rpc_channel_free(channel);
    return error;
}

static struct error *
measure(struct rpc_pump *pump, const char *target, const struct method *method, bool is_kept,
        int64_t *times_us, size_t count)
{
    struct rpc_channel_options options = {.target = target};
    struct rpc_channel *channel = NULL;
    TRY(rpc_channel_new(pump, &options, &channel));
    struct error *error = NULL;
    for (size_t i = 0; error == NULL && i < WARM_UP_CALLS; i++)
        error = call_once(channel, method);
    for (size_t i = 0; error == NULL && i < count; i++) {
        int64_t start_us = clock_monotonic_us();
        error = is_kept ? call_once(channel, method) : call_fresh(pump, target, method);
        times_us[i] = clock_monotonic_us() - start_us;
    }
    rpc_channel_free(channel);
    return error;
}

static const struct method *
find_method(const char *name)
{
    static Tabletmanagerdata__PingRequest ping = TABLETMANAGERDATA__PING_REQUEST__INIT;
    static Tabletmanagerdata__FullStatusRequest full_status =
        TABLETMANAGERDATA__FULL_STATUS_REQUEST__INIT;
    static Tabletmanagerdata__ExecuteFetchAsDbaRequest fetch =
        TABLETMANAGERDATA__EXECUTE_FETCH_AS_DBA_REQUEST__INIT;
    static const struct method methods[] = {
        {"Ping", SERVICE "Ping", &ping.base, &tabletmanagerdata__ping_response__descriptor},
        {"FullStatus", SERVICE "FullStatus", &full_status.base,
         &tabletmanagerdata__full_status_response__descriptor},
        {"ExecuteFetchAsDba", SERVICE "ExecuteFetchAsDba", &fetch.base,
         &tabletmanagerdata__execute_fetch_as_dba_response__descriptor},
    };
    static uint8_t query[] = "SELECT 1";
    ping.payload = (char *)"payload";
    fetch.query = (ProtobufCBinaryData){sizeof query - 1, query};
    fetch.max_rows = 1;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(name, methods[i].name) == 0)
            return &methods[i];
    return NULL;
}

static int
fail(struct error *take_error)
{
    fprintf(stderr, "rpc_bench: %s\n", take_error->message);
    error_free(take_error);
    return 1;
}

int
main(int argc, char **argv)
{
    const struct method *method = argc == 5 ? find_method(argv[2]) : NULL;
    size_t count = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
    if (method == NULL || count == 0 || count > 10000000) {
        fprintf(stderr, "usage: rpc_bench HOST:PORT Ping|FullStatus|ExecuteFetchAsDba COUNT"
                        " kept|fresh\n");
        return 2;
    }
    struct rpc_pump *pump = NULL;
    struct error *error = rpc_pump_start(&pump);
    if (error != NULL)
        return fail(error);
    int64_t *times_us = calloc(count, sizeof *times_us);
    error = times_us == NULL
                ? error_new(ERROR_RESOURCE_EXHAUSTED, "no memory")
                : measure(pump, argv[1], method, strcmp(argv[4], "kept") == 0, times_us, count);
    rpc_pump_stop(pump);
    if (error == NULL) {
        qsort(times_us, count, sizeof *times_us, compare_int64);
        printf("%ld %ld %ld\n", (long)times_us[count / 2], (long)times_us[count * 9 / 10],
               (long)times_us[count * 99 / 100]);
    }
    free(times_us);
    return error == NULL ? 0 : fail(error);
}
