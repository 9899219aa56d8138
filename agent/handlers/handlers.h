/* The TabletManager service and vtagent's own: one row per method, message → action → message. */
#ifndef VTAGENT_HANDLERS_HANDLERS_H
#define VTAGENT_HANDLERS_HANDLERS_H

#include "agent/rpc/rpc.h"
#include "agent/tablet/tablet.h"

#define HANDLER_STREAMS_MOST 8 /* callers that follow jobs: threads of context->stream_worker */

/* The rows for rpc_server_start. They belong to the service behind them, which lives until
 * handlers_free(); `context` must live as long. Methods without a row are the server's to refuse.
 */
const struct rpc_method *handlers_methods(struct tablet_context *context, size_t *ret_count);
/* After rpc_server_stop(), when no call is left; the loop's timers must be free to go: on the
 * loop's thread, or after the loop ended. NULL is fine. */
void handlers_free(const struct rpc_method *methods);

#endif
