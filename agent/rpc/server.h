/* Private to agent/rpc: the server and its calls. */
#ifndef VTAGENT_RPC_SERVER_H
#define VTAGENT_RPC_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/rpc/arena.h"
#include "agent/rpc/auth.h"
#include "agent/rpc/listen.h"
#include "agent/rpc/peer.h"
#include "agent/rpc/pump.h"
#include "agent/rpc/tls.h"

enum {
    SEND_QUEUE_LENGTH = 64,
    ACCEPT_SLOTS = 16,
    MOST_LIVE_CALLS = 4096,
    MOST_REQUEST_BYTES = 512 * 1024 * 1024, /* of all decoded requests together */
};

struct rpc_server {
    struct rpc_pump *pump;
    grpc_server *core;
    struct rpc_method *methods; /* sorted by path */
    size_t method_count;
    char *alias;
    int64_t max_message_bytes;
    struct auth_server *auth; /* NULL: none */
    struct peer_rules *peers; /* NULL: none */
    void (*on_done)(const char *path, int code, int64_t microseconds, void *data);
    void *on_done_data;
    struct listeners listeners;
    atomic_size_t request_bytes;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t live_count, accept_count; /* under the lock, as the rest */
    bool is_stopping, is_shut_down;
    struct rpc_call *watches; /* health watches, see health.c */
    struct rpc_tag shutdown_tag;
};

/* One reference belongs to the handler, one to each tag under way. */
struct rpc_call {
    atomic_int references;
    struct rpc_server *server;
    grpc_call *core;
    const struct rpc_method *method; /* NULL: unknown */
    char *unknown_path;
    bool is_accepted;
    struct rpc_tag accept_tag, message_tag, close_tag, send_tag;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *request_buffer;
    struct arena arena;
    int is_canceled; /* written by the core */
    struct cancel *cancel;
    char *peer;
    int64_t started_us;

    pthread_mutex_t lock;
    pthread_cond_t has_room;
    grpc_byte_buffer **queue; /* ring of SEND_QUEUE_LENGTH, made by the first send */
    size_t queue_first, queue_count;
    grpc_byte_buffer *sending, *response;
    bool has_close_op, has_sent_metadata, is_sending, is_gone, is_finishing, is_finished;
    int status_code;
    char *status_text;

    void (*on_gone)(struct rpc_call *call, void *data); /* pump thread, as gone_data */
    void *gone_data;
    struct rpc_call *next_watch;
};

/* server.c */
const struct rpc_method *server_find_method(const struct rpc_server *server, const char *path,
                                            size_t length);

/* server_accept.c: the pump thread's part of a call, up to its handler. */
void call_post_accept(struct rpc_server *server);

/* server_call.c */
struct rpc_call *call_new(struct rpc_server *server);
void call_ref(struct rpc_call *call);
void call_unref(struct rpc_call *call);
bool call_is_gone(struct rpc_call *call);
/* The core wants to tell each call's end once: 1 operation, or 0 when it is asked for already. */
size_t call_add_close_op(struct rpc_call *call, grpc_op *ops);

/* health.c */
enum { HEALTH_METHOD_COUNT = 2 };
void health_fill_methods(struct rpc_server *server, struct rpc_method *methods);
void health_stop(struct rpc_server *server); /* ends the watches */

#endif
