/* queryservice.Query/StreamHealth: everybody who listens is told each report of health. What vtgate
 * routes by. The service's other methods are not offered. */
#ifndef VTAGENT_HANDLERS_STREAM_HEALTH_H
#define VTAGENT_HANDLERS_STREAM_HEALTH_H

#include "agent/health/health.h"
#include "agent/rpc/rpc.h"

struct stream_health;
struct stream_health *stream_health_new(const struct tablet_identity *identity);
/* Ends every stream, as at a shutdown; later ones are refused. Any thread. */
void stream_health_stop(struct stream_health *streams);
void stream_health_free(struct stream_health *streams); /* after rpc_server_stop() */
/* The row for rpc_server_start. */
struct rpc_method stream_health_method(struct stream_health *streams);
/* Tells all; never waits: who takes nothing off loses the stream. Any thread. */
void stream_health_tell(struct stream_health *streams, const struct health_view *view,
                        const struct tablet_snapshot *snapshot);
size_t stream_health_count(struct stream_health *streams); /* who listens; any thread */

#endif
