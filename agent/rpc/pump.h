/* Private to agent/rpc: tags, batches, the queue. See pump.c for the core's rules. */
#ifndef VTAGENT_RPC_PUMP_H
#define VTAGENT_RPC_PUMP_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent/rpc/rpc.h"

/* What is given to the core with every asynchronous operation; embedded in the object it is about.
 * The pump thread calls function(tag, is_ok) exactly once. */
struct rpc_tag {
    void (*function)(struct rpc_tag *tag, bool is_ok);
};

#define RPC_CONTAINER(pointer, type, member)                                                       \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

grpc_completion_queue *rpc_pump_queue(struct rpc_pump *pump);

/* To be called right before a tag is given to the core. */
void rpc_tag_release(struct rpc_tag *tag);

/* Gives the core a batch. A refusal is a bug of this folder and aborts. */
void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag);

/* Between the two, the core's ERROR lines from this thread are collected instead of logged. */
void rpc_core_errors_collect(void);
char *rpc_core_errors_take(void); /* never NULL; caller frees */

/* A zeroed operation. */
grpc_op rpc_op(grpc_op_type type);

#endif
