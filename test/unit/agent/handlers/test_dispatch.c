/* Dispatch with a call that only remembers its answer. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/handlers/handlers.h"
#include "agent/handlers/service.h"

struct rpc_call {
    struct cancel *cancel;
    bool is_finished;
    int code;
    char *message;
    char *payload;
};

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
    (void)call;
    (void)message;
    return NULL;
}

void
rpc_call_finish(struct rpc_call *call, const ProtobufCMessage *response, struct error *take_error)
{
    call->is_finished = true;
    if (take_error != NULL) {
        call->code = (int)take_error->code;
        call->message = xstrdup(take_error->message);
        error_free(take_error);
    } else if (response != NULL &&
               response->descriptor == &tabletmanagerdata__ping_response__descriptor) {
        call->payload = xstrdup(((const Tabletmanagerdata__PingResponse *)response)->payload);
    }
}

static void
call_done(struct rpc_call *call)
{
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
    call_done(&call);
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

/* The action thread is busy until the gate opens. */
static const struct rpc_method *
busy_service(struct tablet_context *context, size_t *ret_count)
{
    struct error *error = worker_new("action", 1, &context->action_worker);
    cr_assert_null(error);
    pthread_mutex_lock(&gate);
    worker_submit(context->action_worker, pass_gate, NULL);
    return handlers_methods(context, ret_count);
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
    call_done(&gone);
    call_done(&late);
    call_done(&good);
    handlers_free(methods);
}

Test(dispatch, second_backup_is_refused_without_queueing)
{
    struct tablet_context context = {0};
    size_t count = 0;
    const struct rpc_method *methods = busy_service(&context, &count);
    const struct rpc_method *backup = find_method(methods, count, "Backup");
    Tabletmanagerdata__BackupRequest request = TABLETMANAGERDATA__BACKUP_REQUEST__INIT;
    struct rpc_call first = {.cancel = cancel_new(INT64_MAX)};
    struct rpc_call second = {.cancel = cancel_new(INT64_MAX)};
    backup->handler(&first, &request.base, backup->data);
    backup->handler(&second, &request.base, backup->data);
    cr_assert(!first.is_finished);
    cr_assert(second.is_finished);
    cr_assert_eq(second.code, ERROR_UNKNOWN);
    cr_assert_str_eq(second.message, "a backup is already running");
    cancel_request(first.cancel);
    pthread_mutex_unlock(&gate);
    worker_free(context.action_worker);
    cr_assert_eq(first.code, ERROR_CANCELED);
    call_done(&first);
    call_done(&second);

    /* Over, so the next one is let in (and fails for another reason). */
    struct tablet_identity identity = {0};
    context.identity = &identity;
    struct error *error = worker_new("action", 1, &context.action_worker);
    cr_assert_null(error);
    struct rpc_call third = {.cancel = cancel_new(INT64_MAX)};
    backup->handler(&third, &request.base, backup->data);
    worker_free(context.action_worker);
    cr_assert_not_null(strstr(third.message, "without my.cnf"));
    call_done(&third);
    handlers_free(methods);
}
