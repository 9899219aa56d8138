/* Private to agent/rpc: Vitess's static authentication, metadata "username" and "password". */
#ifndef VTAGENT_RPC_AUTH_H
#define VTAGENT_RPC_AUTH_H

#include <grpc/grpc.h>

#include "agent/base/error.h"

/* Server: the users of a JSON file [{"Username": "u", "Password": "p"}], read again when it changes
 * (a file that has become unreadable leaves the old users in force). Pump thread after creation. */
struct auth_server;
struct error *auth_server_new(const char *users_file,
                              struct auth_server **ret_auth) ERROR_MUST_CHECK;
void auth_server_free(struct auth_server *auth);
/* UNAUTHENTICATED without credentials, PERMISSION_DENIED with wrong ones. */
struct error *auth_server_check(struct auth_server *auth,
                                const grpc_metadata_array *metadata) ERROR_MUST_CHECK;

/* Client: what a JSON file {"Username": "u", "Password": "p"} says. */
struct auth_client {
    char *username, *password; /* NULL: nothing is sent */
};
struct error *auth_client_read(const char *client_file,
                               struct auth_client *ret_auth) ERROR_MUST_CHECK;
/* Two entries, for auth_release_metadata() once the batch is started; 0 when nothing is sent. */
size_t auth_client_fill(const struct auth_client *auth, grpc_metadata metadata[2]);
void auth_release_metadata(grpc_metadata *metadata, size_t count);
void auth_client_done(struct auth_client *auth);

#endif
