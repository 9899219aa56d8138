/* Dispatch with a call that only remembers its answer. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/handlers/handlers.h"
#include "agent/handlers/service.h"
#include "agent/tablet/tablet_internal.h"
#include "fake_call.h"

struct cancel *
rpc_call_cancel(struct rpc_call *call)
{
    return call->cancel;
}

const char *
rpc_call_method(const struct rpc_call *call)
{
    (void)call;
    return "";
}

const char *
rpc_call_peer(const struct rpc_call *call)
{
    (void)call;
    return "";
}

struct error *
rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message)
{
    const Logutil__Event *event = ((const Tabletmanagerdata__BackupResponse *)message)->event;
    size_t length = strlen(call->events);
    snprintf(call->events + length, sizeof(call->events) - length, "%s\n", event->value);
    return NULL;
}

void
rpc_call_finish(struct rpc_call *call, const ProtobufCMessage *response, struct error *take_error)
{
    if (take_error != NULL) {
        call->code = (int)take_error->code;
        call->message = xstrdup(take_error->message);
        error_free(take_error);
    } else if (response != NULL &&
               response->descriptor == &tabletmanagerdata__ping_response__descriptor) {
        call->payload = xstrdup(((const Tabletmanagerdata__PingResponse *)response)->payload);
    }
    atomic_store(&call->is_finished, true);
}

struct error *
rpc_call_offer(struct rpc_call *call, const ProtobufCMessage *message, size_t most_queued)
{
    (void)most_queued;
    if (call->is_full)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "full");
    uint8_t bytes[1024];
    cr_assert_leq(protobuf_c_message_get_packed_size(message), sizeof(bytes));
    size_t size = protobuf_c_message_pack(message, bytes);
    if (call->last != NULL)
        query__stream_health_response__free_unpacked(call->last, NULL);
    call->last = query__stream_health_response__unpack(NULL, size, bytes);
    call->offered++;
    return NULL;
}

void
rpc_call_on_gone(struct rpc_call *call, void (*on_gone)(struct rpc_call *call, void *data),
                 void *data)
{
    call->on_gone = on_gone;
    call->gone_data = data;
}

void
fake_call_done(struct rpc_call *call)
{
    if (call->last != NULL)
        query__stream_health_response__free_unpacked(call->last, NULL);
    cancel_unref(call->cancel);
    free(call->message);
    free(call->payload);
}

static const struct rpc_method *
find_method(const struct rpc_method *methods, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(strrchr(methods[i].path, '/') + 1, name) == 0)
            return &methods[i];
    abort();
}

Test(dispatch, ping_is_echoed_at_once)
{
    struct tablet_context context = {0};
    size_t count = 0;
    const struct rpc_method *methods = handlers_methods(&context, &count);
    const struct rpc_method *ping = find_method(methods, count, "Ping");
    Tabletmanagerdata__PingRequest request = TABLETMANAGERDATA__PING_REQUEST__INIT;
    request.payload = (char *)"payload";
    struct rpc_call call = {.cancel = cancel_new(INT64_MAX)};
    ping->handler(&call, &request.base, ping->data);
    cr_assert(call.is_finished);
    cr_assert_eq(call.code, 0);
    cr_assert_str_eq(call.payload, "payload");
    fake_call_done(&call);
    handlers_free(methods);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void
pass_gate(void *data)
{
    (void)data;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

/* A loop that has ended: what is to run on it runs at once. */
static struct loop *
ended_loop(void)
{
    struct loop *loop = NULL;
    struct error *error = loop_new(&loop);
    cr_assert_null(error);
    loop_stop(loop);
    loop_run(loop);
    return loop;
}

/* The action thread is busy until the gate opens. */
static const struct rpc_method *
busy_service(struct tablet_context *context, size_t *ret_count)
{
    context->loop = ended_loop();
    tablet_bind(tablet_new(&(struct tablet_options){.loop = context->loop}), context);
    struct error *error = worker_new("action", 1, &context->action_worker);
    cr_assert_null(error);
    pthread_mutex_lock(&gate);
    worker_submit(context->action_worker, pass_gate, NULL);
    return handlers_methods(context, ret_count);
}

static void
busy_service_done(struct tablet_context *context)
{
    tablet_free(context->tablet);
    loop_free(context->loop);
}

Test(dispatch, call_whose_caller_left_while_it_was_queued_answers_with_that)
{
    struct tablet_context context = {0};
    size_t count = 0;
    const struct rpc_method *methods = busy_service(&context, &count);
    const struct rpc_method *sleep_method = find_method(methods, count, "Sleep");
    Tabletmanagerdata__SleepRequest request = TABLETMANAGERDATA__SLEEP_REQUEST__INIT;
    struct rpc_call gone = {.cancel = cancel_new(INT64_MAX)};
    struct rpc_call late = {.cancel = cancel_new(clock_monotonic_ms() - 1)};
    struct rpc_call good = {.cancel = cancel_new(INT64_MAX)};
    sleep_method->handler(&gone, &request.base, sleep_method->data);
    sleep_method->handler(&late, &request.base, sleep_method->data);
    sleep_method->handler(&good, &request.base, sleep_method->data);
    cancel_request(gone.cancel);
    cr_assert(!gone.is_finished);
    pthread_mutex_unlock(&gate);
    worker_free(context.action_worker);
    cr_assert_eq(gone.code, ERROR_CANCELED);
    cr_assert_eq(late.code, ERROR_DEADLINE_EXCEEDED);
    cr_assert(good.is_finished);
    cr_assert_eq(good.code, 0);
    fake_call_done(&gone);
    fake_call_done(&late);
    fake_call_done(&good);
    handlers_free(methods);
    busy_service_done(&context);
}

/* ---- Jobs: a backup that waits behind the busy action thread ---- */
static struct tablet_identity identity = {.mycnf_path = (char *)"my.cnf"};
static struct cancel *stop;

static const struct rpc_method *
service_with_jobs(struct tablet_context *context, size_t *ret_count)
{
    stop = cancel_new(INT64_MAX);
    context->identity = &identity;
    context->jobs = job_registry_new(stop);
    struct error *error = worker_new("stream", HANDLER_STREAMS_MOST, &context->stream_worker);
    cr_assert_null(error);
    return busy_service(context, ret_count);
}

static void
free_service(struct tablet_context *context, const struct rpc_method *methods)
{
    pthread_mutex_unlock(&gate);
    worker_free(context->action_worker);
    worker_free(context->stream_worker);
    handlers_free(methods);
    job_registry_free(context->jobs);
    cancel_unref(stop);
    busy_service_done(context);
}

/* The request lives as long as the call, as with the real server. */
static void
ask_backup(const struct rpc_method *methods, size_t count, struct rpc_call *call)
{
    const struct rpc_method *backup = find_method(methods, count, "Backup");
    call->cancel = cancel_new(INT64_MAX);
    tabletmanagerdata__backup_request__init(&call->request);
    call->request.concurrency = call->request_concurrency;
    backup->handler(call, &call->request.base, backup->data);
}

static void
await_finished(struct rpc_call *call)
{
    for (int64_t end = clock_monotonic_ms() + 20000; !atomic_load(&call->is_finished);) {
        cr_assert(clock_monotonic_ms() < end);
        error_free(cancel_sleep_ms(NULL, 2));
    }
}

static void
await_jobs(struct tablet_context *context, size_t wanted)
{
    struct job_summary summary;
    for (int64_t end = clock_monotonic_ms() + 20000;;) {
        job_registry_read(context->jobs, &summary);
        if (summary.count == wanted)
            return;
        cr_assert(clock_monotonic_ms() < end);
        error_free(cancel_sleep_ms(NULL, 2));
    }
}

Test(dispatch, a_caller_that_goes_away_leaves_the_job_and_one_that_asks_the_same_follows_it)
{
    struct tablet_context context = {0};
    size_t count = 0;
    const struct rpc_method *methods = service_with_jobs(&context, &count);
    struct rpc_call first = {.request_concurrency = 2}, second = {.request_concurrency = 2},
                    other = {.request_concurrency = 3};
    ask_backup(methods, count, &first);
    await_jobs(&context, 1);
    ask_backup(methods, count, &second);
    ask_backup(methods, count, &other);
    await_finished(&other);
    cr_assert_eq(other.code, ERROR_UNKNOWN);
    cr_assert_not_null(strstr(other.message, "a backup is already running: backup-1 (concurrency "
                                             "2)"));
    cancel_request(first.cancel);
    await_finished(&first);
    cr_assert_eq(first.code, ERROR_CANCELED);
    cr_assert_not_null(strstr(first.message, "job 'backup-1' goes on without this caller"));
    cr_assert(!atomic_load(&second.is_finished));

    struct job_view views[JOB_KIND_COUNT];
    size_t canceled = 0;
    struct error *error = job_registry_cancel(context.jobs, "backup-1", NULL, views, &canceled);
    cr_assert_null(error);
    cr_assert_eq(canceled, 1u);
    await_finished(&second);
    cr_assert_eq(second.code, ERROR_CANCELED);
    cr_assert_not_null(strstr(second.events, "attached to the running backup-1"));
    cr_assert_not_null(strstr(second.message, "canceled before it began"));
    fake_call_done(&first);
    fake_call_done(&second);
    fake_call_done(&other);
    free_service(&context, methods);
}

Test(dispatch, only_so_many_callers_follow_jobs)
{
    struct tablet_context context = {0};
    size_t count = 0;
    const struct rpc_method *methods = service_with_jobs(&context, &count);
    struct rpc_call calls[HANDLER_STREAMS_MOST] = {0}, late = {0};
    for (size_t i = 0; i < HANDLER_STREAMS_MOST; i++)
        ask_backup(methods, count, &calls[i]);
    ask_backup(methods, count, &late);
    cr_assert(atomic_load(&late.is_finished));
    cr_assert_eq(late.code, ERROR_RESOURCE_EXHAUSTED);
    cancel_request(stop);
    pthread_mutex_unlock(&gate);
    for (size_t i = 0; i < HANDLER_STREAMS_MOST; i++)
        await_finished(&calls[i]);
    pthread_mutex_lock(&gate);
    for (size_t i = 0; i < HANDLER_STREAMS_MOST; i++)
        fake_call_done(&calls[i]);
    fake_call_done(&late);
    free_service(&context, methods);
}

Test(dispatch, a_backup_without_my_cnf_is_no_job)
{
    struct tablet_context context = {0};
    size_t count = 0;
    const struct rpc_method *methods = service_with_jobs(&context, &count);
    struct tablet_identity bare = {0};
    context.identity = &bare;
    struct rpc_call call = {0};
    ask_backup(methods, count, &call);
    await_finished(&call);
    cr_assert_not_null(strstr(call.message, "without my.cnf"));
    await_jobs(&context, 0);
    fake_call_done(&call);
    free_service(&context, methods);
}
