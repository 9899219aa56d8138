/* The TabletManager service: one row per method, message → action → message. */
#ifndef VTAGENT_HANDLERS_HANDLERS_H
#define VTAGENT_HANDLERS_HANDLERS_H

#include "agent/rpc/rpc.h"
#include "agent/tablet/tablet.h"

/* The rows for rpc_server_start; static. `context` becomes each row's data. */
const struct rpc_method *handlers_methods(struct tablet_context *context, size_t *ret_count);

#endif
