/* Private to agent/rpc: the addresses a server listens on. */
#ifndef VTAGENT_RPC_LISTEN_H
#define VTAGENT_RPC_LISTEN_H

#include <grpc/grpc.h>

#include "agent/base/error.h"
#include "agent/rpc/rpc.h"

struct listener {
    char *address;
    int port;            /* 0 for a unix socket */
    char *lock_path;     /* unix sockets: held while we listen */
    int lock_descriptor; /* -1: none */
    struct tls_listener *tls;
};

struct listeners {
    struct listener *items;
    size_t count;
};

/* Binds all addresses to the server, which is not started yet. */
struct error *listeners_open(struct listeners *listeners, grpc_server *server,
                             const struct rpc_server_options *options) ERROR_MUST_CHECK;
void listeners_close(struct listeners *listeners); /* after the server is gone */

#endif
