/* The throttler: may an app go on, given the shard's lag and what the operator configured?
 * Configuration: SrvKeyspace.throttler_config. Source: Vitess's tablet throttler, without its
 * background collection: metrics are read when somebody asks. */
#ifndef VTAGENT_HANDLERS_THROTTLER_H
#define VTAGENT_HANDLERS_THROTTLER_H

#include "agent/handlers/service.h"
#include "topodata.pb-c.h"

/* ---- Configuration (throttler_config.c) ---- */
/* Read from the topology at most every 2 s; the last known one while the topology is away. NULL:
 * there is none. Caller frees. */
struct error *throttler_config_get(struct handler_call *call,
                                   Topodata__ThrottlerConfig **ret_config) ERROR_MUST_CHECK;

/* ---- Metrics (throttler_metrics.c) ---- */
struct throttler_metric {
    const char *name;
    bool is_of_shard; /* scope when none is asked for */
    double threshold;
    struct error *(*read)(struct handler_call *call, const Topodata__ThrottlerConfig *config,
                          double *ret_value);
};
const struct throttler_metric *throttler_metrics(size_t *ret_count);
const struct throttler_metric *throttler_metric_find(const char *name); /* NULL: unknown */
/* The value in a scope: ours, or on a primary the largest of the shard's replicas and ours. */
struct error *throttler_metric_read(struct handler_call *call,
                                    const Topodata__ThrottlerConfig *config,
                                    const struct throttler_metric *metric, bool is_of_shard,
                                    double *ret_value) ERROR_MUST_CHECK;

/* ---- Decisions (throttler_decide.c). Pure. ---- */
/* "lag", or "custom" with a custom query. */
const char *throttler_default_metric(const Topodata__ThrottlerConfig *config);
double throttler_threshold(const Topodata__ThrottlerConfig *config,
                           const struct throttler_metric *metric);
/* What the configuration says of an app ("a:b" is also a and b): random in [0, 1). ret_matched: the
 * name of the rule, or the app's; borrowed. */
enum throttler_app { THROTTLER_APP_CHECKED, THROTTLER_APP_DENIED, THROTTLER_APP_EXEMPT };
enum throttler_app throttler_app_of(const Topodata__ThrottlerConfig *config, const char *app,
                                    int64_t now_ns, double random, const char **ret_matched);
/* Names of the metrics to check for an app, possibly with scopes ("shard/lag"). ret_matched as
 * above. */
void throttler_metric_names(const Topodata__ThrottlerConfig *config, const char *app,
                            struct strv *ret_names, const char **ret_matched);
/* "shard/lag": scope and name; no scope: false, and the whole. */
bool throttler_split_name(const char *text, bool *ret_is_of_shard, const char **ret_name);
Tabletmanagerdata__CheckThrottlerResponseCode
throttler_decide(bool is_known, const struct error *error, double value, double threshold);

/* Whether an app asked within the last age_ms. */
bool throttler_was_checked_within(const struct service *service, int64_t age_ms);
#define THROTTLER_RECENT_MS 2000
#define THROTTLER_DORMANT_AFTER_MS 60000

#endif
