/* The row that a primary writes so that replicas can tell how old their data is: Vitess's heartbeat
 * table. Never on a server that is read-only: that would be a transaction nobody else has. */
#ifndef VTAGENT_HEALTH_HEARTBEAT_H
#define VTAGENT_HEALTH_HEARTBEAT_H

#include "agent/tablet/tablet_internal.h"

struct heartbeat;
struct heartbeat_options {
    struct tablet_context *context;
    int64_t interval_ms;
    bool is_always_on;
    int64_t lease_ms; /* written for this long after a request, or a promotion; 0: never so */
};
/* *ret_heartbeat NULL: neither is wanted. */
struct error *heartbeat_new(const struct heartbeat_options *options,
                            struct heartbeat **ret_heartbeat) ERROR_MUST_CHECK;
/* NULL is fine below. */
void heartbeat_start(struct heartbeat *heartbeat); /* loop thread */
void
heartbeat_request(struct heartbeat *heartbeat);   /* any thread: somebody wants to know the lag */
void heartbeat_end(struct heartbeat *heartbeat);  /* loop thread */
void heartbeat_free(struct heartbeat *heartbeat); /* after the loop ended */

#endif
