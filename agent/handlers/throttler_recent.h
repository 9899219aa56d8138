/* What GetThrottlerStatus tells of the past: which apps asked in the last hour, and when each
 * metric was last under its threshold. Any thread; bounded: the oldest entry makes room. */
#ifndef VTAGENT_HANDLERS_THROTTLER_RECENT_H
#define VTAGENT_HANDLERS_THROTTLER_RECENT_H

#include <stdint.h>

#include "tabletmanagerdata.pb-c.h"

#define THROTTLER_RECENT_MOST 64
#define THROTTLER_RECENT_APP_NS (3600 * INT64_C(1000000000))

struct throttler_recent;
struct throttler_recent *throttler_recent_new(void);
void throttler_recent_free(struct throttler_recent *recent); /* NULL is fine */

void throttler_recent_note_app(struct throttler_recent *recent, const char *app, int64_t now_ns,
                               Tabletmanagerdata__CheckThrottlerResponseCode code);
/* name: "self/lag" */
void throttler_recent_note_healthy(struct throttler_recent *recent, const char *name,
                                   int64_t now_ns);
/* Adds to out's recent_apps and metrics_health; the caller's allocator frees them with it. */
void throttler_recent_fill(struct throttler_recent *recent, int64_t now_ns,
                           Tabletmanagerdata__GetThrottlerStatusResponse *out);

#endif
