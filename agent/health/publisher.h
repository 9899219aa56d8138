/* Keeps our health document in the topology, and learns from the primary's how that one is. etcd
 * may be away for as long as it likes: this says so, and catches up after. */
#ifndef VTAGENT_HEALTH_PUBLISHER_H
#define VTAGENT_HEALTH_PUBLISHER_H

#include "agent/health/health.h"

struct health_publisher;
struct error *health_publisher_new(struct tablet_context *context, int64_t ttl_ms,
                                   struct health_publisher **ret_publisher) ERROR_MUST_CHECK;
void health_publisher_start(struct health_publisher *publisher,
                            struct health *health); /* loop thread */
/* A new report: written as soon as the last is. `job`: what runs, or "". Loop thread. */
void health_publisher_tell(struct health_publisher *publisher, const struct health_view *view,
                           const struct tablet_snapshot *snapshot, const char *job);
/* Looks at the primary's document now, and asks the primary itself what it has executed. Loop
 * thread. */
void health_publisher_ask(struct health_publisher *publisher);
/* Takes the document away. A worker that may block for seconds; no tell or ask after it. */
void health_publisher_stop(struct health_publisher *publisher);
void health_publisher_end(struct health_publisher *publisher);  /* loop thread: no more timers */
void health_publisher_free(struct health_publisher *publisher); /* after the loop ended */

#endif
