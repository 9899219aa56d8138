/* From the pump's thread to the worker of the row's class, and back with one answer. */
#include <assert.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/handlers/handlers.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

struct error *
handler_take_dba(struct handler_call *call, struct dba *ret_dba)
{
    return dba_take(call->context, call->cancel, ret_dba);
}

static struct error *
pass_gates(struct handler_call *call)
{
    /* The caller may have gone while the call was queued behind a long action. */
    TRY(cancel_check(call->cancel));
    if (!call->row->needs_grants)
        return NULL;
    return grants_wait(&call->service->grants, call->context, call->row->class == HANDLER_ACTION,
                       call->cancel);
}

static struct error *
run_function(struct handler_call *call, ProtobufCMessage *response)
{
    TRY(pass_gates(call));
    struct error *error = call->row->function(call, call->request, response);
    if (call->row->class == HANDLER_ACTION)
        tablet_poke_health(call->context); /* what it did shows at once */
    return error;
}

static void
finish_call(struct handler_call *call, ProtobufCMessage *response, struct error *error)
{
    bool has_failed = error != NULL;
    rpc_call_finish(call->rpc, has_failed ? NULL : response, error);
    if (response != NULL)
        protobuf_c_message_free_unpacked(response, NULL);
    if (!has_failed && call->after != NULL)
        call->after(call->context);
    free(call);
}

static void
run_call(void *data)
{
    struct handler_call *call = data;
    bool is_stream = call->row->is_stream;
    ProtobufCMessage *response = is_stream ? NULL : message_new(call->row->response);
    struct error *error = run_function(call, response);
    finish_call(call, response, error);
}

static void
run_under_lock(void *data)
{
    struct handler_call *call = data;
    struct action_watch *watch = call->service->action_watch;
    action_watch_begin(watch, rpc_call_method(call->rpc), call->cancel);
    run_call(call);
    action_watch_end(watch);
}

static struct worker *
choose_worker(const struct handler_call *call)
{
    const struct tablet_context *context = call->context;
    switch (call->row->class) {
    case HANDLER_QUERY: {
        /* While the gate is closed these may wait, which is not what query workers are for. */
        bool may_wait = call->row->needs_grants && !atomic_load(&call->service->grants.is_open);
        return may_wait ? context->wait_worker : context->query_worker;
    }
    case HANDLER_WAIT:
        return context->wait_worker;
    case HANDLER_ACTION:
        return context->action_worker;
    case HANDLER_STREAM:
        return context->stream_worker;
    case HANDLER_INLINE:
    default:
        return NULL;
    }
}

void
handler_dispatch(struct rpc_call *rpc, const ProtobufCMessage *request, void *data)
{
    struct handler_binding *binding = data;
    struct service *service = binding->service;
    if (binding->row->class == HANDLER_STREAM &&
        worker_pending(service->context->stream_worker) >= HANDLER_STREAMS_MOST) {
        rpc_call_finish(rpc, NULL,
                        error_new(ERROR_RESOURCE_EXHAUSTED,
                                  "%d callers follow jobs of this tablet already: 'vtagent ctl "
                                  "Jobs' shows the jobs",
                                  HANDLER_STREAMS_MOST));
        return;
    }
    struct handler_call *call = xcalloc(1, sizeof(*call));
    *call = (struct handler_call){
        .service = service,
        .context = service->context,
        .row = binding->row,
        .rpc = rpc,
        .cancel = rpc_call_cancel(rpc),
        .request = request,
    };
    struct worker *worker = choose_worker(call);
    if (worker == NULL)
        run_call(call);
    else
        worker_submit(worker, call->row->class == HANDLER_ACTION ? run_under_lock : run_call, call);
}

void
handler_send_event(struct handler_call *call, int level, const char *text)
{
    int64_t now_ns = clock_wall_ns();
    Vttime__Time time = VTTIME__TIME__INIT;
    time.seconds = now_ns / 1000000000;
    time.nanoseconds = (int32_t)(now_ns % 1000000000);
    Logutil__Event event = LOGUTIL__EVENT__INIT;
    event.time = &time;
    event.level = (Logutil__Level)level;
    event.file = (char *)"vtagent";
    event.value = (char *)text;
    struct {
        ProtobufCMessage base;
        Logutil__Event *event;
    } response; /* the layout of every message with an event only */
    assert(call->row->response->sizeof_message == sizeof(response));
    protobuf_c_message_init(call->row->response, &response);
    response.event = &event;
    error_free(rpc_call_send(call->rpc, &response.base));
}
