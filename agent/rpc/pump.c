/* The pump: one thread, one completion queue.
 *
 * Rules of the gRPC core that shape this folder:
 * - Each asynchronous operation has a tag that comes back exactly once, whatever happens. What an
 *   operation points to must live until then; so each call counts its tags and is freed at zero.
 * - Batches may be started from any thread, but a call has at most one send and one receive under
 *   way.
 * - Tags of one call come back in no promised order.
 * - A server's shutdown tag says nothing about calls that handlers still hold.
 * - A queue is shut down only after everything that uses it is gone; a batch after that aborts.
 *
 * A tag's function runs on the pump thread and must not block. */
#include "agent/rpc/pump.h"

#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"

#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#else
#define __tsan_acquire(address) ((void)(address))
#define __tsan_release(address) ((void)(address))
#endif

struct rpc_pump {
    grpc_completion_queue *queue;
    pthread_t thread;
};

/* The core tells why it could not listen only in its log. */
static _Thread_local struct buffer core_errors;
static _Thread_local bool is_collecting;

void
rpc_core_errors_collect(void)
{
    is_collecting = true;
}

char *
rpc_core_errors_take(void)
{
    is_collecting = false;
    return buffer_take(&core_errors);
}

static void
log_from_core(gpr_log_func_args *arguments)
{
    if (is_collecting && arguments->severity == GPR_LOG_SEVERITY_ERROR) {
        buffer_append_text(&core_errors, arguments->message);
        return;
    }
    enum log_level level =
        arguments->severity == GPR_LOG_SEVERITY_ERROR ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    log_write(level, "grpc", "%s", arguments->message);
}

static void *
pump_main(void *data)
{
    struct rpc_pump *pump = data;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(pump->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        struct rpc_tag *tag = event.tag;
        __tsan_acquire(tag);
        tag->function(tag, event.success != 0);
    }
}

struct error *
rpc_pump_start(struct rpc_pump **ret_pump)
{
    struct rpc_pump *pump = xcalloc(1, sizeof(*pump));
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the core's own threads inherit it */
    gpr_set_log_function(log_from_core);
    grpc_init();
    pump->queue = grpc_completion_queue_create_for_next(NULL);
    int failure = pthread_create(&pump->thread, NULL, pump_main, pump);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        grpc_completion_queue_shutdown(pump->queue);
        grpc_completion_queue_destroy(pump->queue);
        grpc_shutdown();
        free(pump);
        return error_from_errno(failure, "start the gRPC thread");
    }
    pthread_setname_np(pump->thread, "grpc-pump");
    *ret_pump = pump;
    return NULL;
}

void
rpc_pump_stop(struct rpc_pump *pump)
{
    if (pump == NULL)
        return;
    grpc_completion_queue_shutdown(pump->queue);
    pthread_join(pump->thread, NULL);
    grpc_completion_queue_destroy(pump->queue);
    grpc_shutdown();
    free(pump);
}

grpc_completion_queue *
rpc_pump_queue(struct rpc_pump *pump)
{
    return pump->queue;
}

void
rpc_tag_release(struct rpc_tag *tag)
{
    __tsan_release(tag);
}

void
rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    rpc_tag_release(tag);
    grpc_call_error failure = grpc_call_start_batch(call, ops, count, tag, NULL);
    if (failure == GRPC_CALL_OK)
        return;
    LOG_ERROR("rpc", "the gRPC core refused a batch: %s", grpc_call_error_to_string(failure));
    abort();
}

grpc_op
rpc_op(grpc_op_type type)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = type;
    return op;
}
