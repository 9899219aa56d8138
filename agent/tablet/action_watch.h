/* What runs under the action lock, for probes that ask whether it is stuck: an action ends soon
 * after its deadline, or after its caller has gone. */
#ifndef VTAGENT_TABLET_ACTION_WATCH_H
#define VTAGENT_TABLET_ACTION_WATCH_H

#include "agent/base/cancel.h"
#include "agent/base/loop.h"

struct action_view {
    const char *name; /* "SetReadOnly", borrowed from the method's row; NULL: nothing runs */
    int64_t since_ms; /* clock_monotonic_ms() of its begin */
    /* Since when it should have ended: its deadline, or when that its caller has gone was first
     * seen; 0: it may go on. */
    int64_t overdue_since_ms;
};

struct action_watch;
struct action_watch *action_watch_new(struct loop *loop);
void action_watch_free(struct action_watch *watch); /* nothing runs any more; NULL is fine */
/* By the action thread, around each call; they wait for the loop. Holds the token meanwhile. */
void action_watch_begin(struct action_watch *watch, const char *name, struct cancel *cancel);
void action_watch_end(struct action_watch *watch);
/* Loop thread. */
void action_watch_read(struct action_watch *watch, int64_t now_ms, struct action_view *ret_view);

#endif
