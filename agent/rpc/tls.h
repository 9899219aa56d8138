/* Private to agent/rpc: credentials from files. */
#ifndef VTAGENT_RPC_TLS_H
#define VTAGENT_RPC_TLS_H

#include <grpc/grpc_security.h>

#include "agent/base/error.h"
#include "agent/rpc/rpc.h"
#include "agent/rpc/stamp.h"

struct rpc_tls tls_copy(const struct rpc_tls *tls);
void tls_done(struct rpc_tls *tls);
bool tls_is_used(const struct rpc_tls *tls); /* by a client */

/* A listener's certificate, followed as the files change. Lives as long as the server. */
struct tls_listener;
struct error *tls_listener_new(const struct rpc_tls *tls, struct tls_listener **ret_listener,
                               grpc_server_credentials **ret_credentials) ERROR_MUST_CHECK;
void tls_listener_free(struct tls_listener *listener);

struct error *tls_client_credentials(const struct rpc_tls *tls,
                                     grpc_channel_credentials **ret_credentials) ERROR_MUST_CHECK;

#endif
