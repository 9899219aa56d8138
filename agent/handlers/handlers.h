/* The TabletManager service, vtagent's own and StreamHealth: one row per method, message → action →
 * message. */
#ifndef VTAGENT_HANDLERS_HANDLERS_H
#define VTAGENT_HANDLERS_HANDLERS_H

#include "agent/handlers/stream_health.h"
#include "agent/rpc/rpc.h"
#include "agent/tablet/action_watch.h"
#include "agent/tablet/tablet.h"

#define HANDLER_STREAMS_MOST 8 /* callers that follow jobs: threads of context->stream_worker */

/* The rows for rpc_server_start. They belong to the service behind them, which lives until
 * handlers_free(); `context` must live as long. Methods without a row are the server's to refuse.
 */
const struct rpc_method *handlers_methods(struct tablet_context *context, size_t *ret_count);
/* Those who listen to StreamHealth, which is one of the rows. */
struct stream_health *handlers_streams(const struct rpc_method *methods);
/* What runs under the action lock. */
struct action_watch *handlers_action_watch(const struct rpc_method *methods);
/* After rpc_server_stop(), when no call is left; the loop's timers must be free to go: on the
 * loop's thread, or after the loop ended. NULL is fine. */
void handlers_free(const struct rpc_method *methods);

#endif
