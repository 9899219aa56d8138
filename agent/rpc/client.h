/* Private to agent/rpc: channels and what waits for the core. */
#ifndef VTAGENT_RPC_CLIENT_H
#define VTAGENT_RPC_CLIENT_H

#include <pthread.h>

#include "agent/rpc/auth.h"
#include "agent/rpc/pump.h"
#include "agent/rpc/tls.h"

struct rpc_channel {
    struct rpc_pump *pump;
    char *target;
    struct rpc_tls tls;
    char *client_file;
    int64_t max_message_bytes;
    bool waits_for_ready;
    pthread_mutex_t lock; /* the rest; made anew when a file changed */
    grpc_channel *core;
    struct auth_client auth;
    struct stamp stamps[5];
};

/* A new call with the cancel's deadline, and the metadata to send (0 or 2 entries; release them
 * once the batch is started). */
struct client_start {
    grpc_call *call;
    grpc_metadata metadata[2];
    size_t metadata_count;
    uint32_t flags; /* for GRPC_OP_SEND_INITIAL_METADATA */
};
struct client_start channel_start_call(struct rpc_channel *channel, const char *path,
                                       const struct cancel *cancel);
/* Says so when a call's time went by without a connection. */
struct error *channel_explain(struct rpc_channel *channel,
                              struct error *take_error) ERROR_MUST_CHECK;

/* wait.c: a wake-up from the pump thread to one waiting thread. */
struct signal {
    int descriptor;
};
struct error *signal_init(struct signal *signal) ERROR_MUST_CHECK;
void signal_done(struct signal *signal);
void signal_raise(const struct signal *signal);
/* Returns after a raise. Cancels the call (once: *is_canceled) when the token's end is asked for,
 * and then waits on: the core ends the call. */
void signal_wait(const struct signal *signal, grpc_call *call, struct cancel *cancel,
                 bool *is_canceled);

#endif
