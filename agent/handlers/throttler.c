/* CheckThrottler and GetThrottlerStatus. */
#include "agent/handlers/throttler.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/handlers/message.h"
#include "agent/handlers/throttler_recent.h"

#define CODE(name) TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__##name

static void
config_free(Topodata__ThrottlerConfig **config)
{
    if (*config != NULL)
        topodata__throttler_config__free_unpacked(*config, NULL);
}

bool
throttler_was_checked_within(const struct service *service, int64_t age_ms)
{
    int64_t last_ms = atomic_load(&service->throttler_checked_ms);
    return last_ms != 0 && clock_monotonic_ms() - last_ms < age_ms;
}

static Tabletmanagerdata__CheckThrottlerResponse__Metric *
add_metric(Tabletmanagerdata__CheckThrottlerResponse *out, const char *name)
{
    Tabletmanagerdata__CheckThrottlerResponse__MetricsEntry *entry =
        message_new(&tabletmanagerdata__check_throttler_response__metrics_entry__descriptor);
    entry->key = message_text(name);
    entry->value = message_new(&tabletmanagerdata__check_throttler_response__metric__descriptor);
    entry->value->name = message_text(name);
    message_append(&out->n_metrics, &out->metrics, entry);
    return entry->value;
}

static void
set_message(Tabletmanagerdata__CheckThrottlerResponse__Metric *metric, const char *text)
{
    metric->message = message_text(text);
    metric->error = message_text(text);
}

static void
fill_metric(struct handler_call *call, const Topodata__ThrottlerConfig *config,
            const struct throttler_metric *metric, bool is_of_shard,
            Tabletmanagerdata__CheckThrottlerResponse__Metric *out)
{
    out->scope = message_text(is_of_shard ? "shard" : "self");
    out->threshold = throttler_threshold(config, metric);
    struct error *error = throttler_metric_read(call, config, metric, is_of_shard, &out->value);
    out->response_code = throttler_decide(true, error, out->value, out->threshold);
    CLEANUP(freep) char *scoped = xasprintf("%s/%s", out->scope, metric->name);
    if (out->response_code == CODE(OK))
        throttler_recent_note_healthy(call->service->throttler_recent, scoped, clock_wall_ns());
    if (error != NULL)
        set_message(out, error->message);
    else if (out->response_code ==
             CODE(THRESHOLD_EXCEEDED)) /* no error: a primary uses the value */
        out->message = message_text("threshold exceeded");
    error_free(error);
}

static void
check_one(struct handler_call *call, const Topodata__ThrottlerConfig *config, const char *text,
          const Tabletmanagerdata__CheckThrottlerRequest *in,
          Tabletmanagerdata__CheckThrottlerResponse *out)
{
    const char *name = NULL;
    bool is_of_shard = false;
    bool has_scope = throttler_split_name(text, &is_of_shard, &name);
    if (str_equal(name, "default"))
        name = throttler_default_metric(config);
    const struct throttler_metric *metric = throttler_metric_find(name);
    Tabletmanagerdata__CheckThrottlerResponse__Metric *answer = add_metric(out, name);
    if (metric == NULL) {
        answer->response_code = throttler_decide(false, NULL, 0, 0);
        set_message(answer, "no such metric");
        if (in->ok_if_not_exists)
            answer->response_code = CODE(OK);
        return;
    }
    if (!has_scope)
        is_of_shard = metric->is_of_shard;
    if (!str_is_empty(in->scope))
        is_of_shard = str_equal(in->scope, "shard");
    fill_metric(call, config, metric, is_of_shard, answer);
}

static char *
summary_of(const Tabletmanagerdata__CheckThrottlerResponse *out,
           const Tabletmanagerdata__CheckThrottlerResponse__Metric *worst)
{
    switch ((int)out->response_code) {
    case CODE(OK):
        return xasprintf("%s is granted access", out->app_name);
    case CODE(APP_DENIED):
        return xasprintf("%s is explicitly denied access", out->app_name);
    case CODE(THRESHOLD_EXCEEDED):
        return xasprintf("%s is denied access due to %s/%s metric value %g exceeding threshold %g",
                         out->app_name, worst->scope, worst->name, out->value, out->threshold);
    case CODE(UNKNOWN_METRIC):
        return xasprintf("%s is denied access due to unknown or uncollected metric", out->app_name);
    default:
        return xasprintf("%s is denied access due to unexpected error: %s", out->app_name,
                         out->error);
    }
}

/* The answer as a whole: the last metric that says no, else the default one. */
static void
conclude(const char *default_name, Tabletmanagerdata__CheckThrottlerResponse *out)
{
    const Tabletmanagerdata__CheckThrottlerResponse__Metric *chosen = NULL, *fallback = NULL;
    for (size_t i = 0; i < out->n_metrics; i++) {
        const Tabletmanagerdata__CheckThrottlerResponse__Metric *metric = out->metrics[i]->value;
        if (metric->response_code != CODE(OK))
            chosen = metric;
        if (fallback == NULL || str_equal(metric->name, default_name))
            fallback = metric;
    }
    if (chosen == NULL)
        chosen = fallback;
    out->response_code = chosen == NULL ? CODE(OK) : chosen->response_code;
    if (chosen != NULL) {
        out->value = chosen->value;
        out->threshold = chosen->threshold;
        out->error = message_text(chosen->message);
        out->message = message_text(chosen->message);
    }
    out->summary = summary_of(out, chosen);
}

/* One word for all: nothing was measured. */
static void
answer_plainly(Tabletmanagerdata__CheckThrottlerResponseCode code,
               Tabletmanagerdata__CheckThrottlerResponse *out)
{
    Tabletmanagerdata__CheckThrottlerResponse__Metric *metric = add_metric(out, "default");
    metric->response_code = code;
    if (code == CODE(APP_DENIED))
        set_message(metric, "app denied");
    conclude("default", out);
}

static struct error *
check(struct handler_call *call, const Tabletmanagerdata__CheckThrottlerRequest *in,
      const char *app, Tabletmanagerdata__CheckThrottlerResponse *out)
{
    const char *matched = app;
    CLEANUP(config_free) Topodata__ThrottlerConfig *config = NULL;
    TRY(throttler_config_get(call, &config));
    bool is_enabled = config != NULL && config->enabled;
    if (is_enabled && !in->skip_request_heartbeats && !str_equal(app, "vitess")) {
        atomic_store(&call->service->throttler_checked_ms, clock_monotonic_ms());
        tablet_request_heartbeats(call->context);
    }
    out->recently_checked = throttler_was_checked_within(call->service, THROTTLER_RECENT_MS);

    enum throttler_app verdict = THROTTLER_APP_EXEMPT;
    if (is_enabled) {
        double random = (double)(clock_wall_ns() / 1000 % 1000003) / 1000003;
        verdict = throttler_app_of(config, app, clock_wall_ns(), random, &matched);
    }
    if (verdict != THROTTLER_APP_CHECKED) {
        out->app_name = message_text(is_enabled ? matched : "");
        answer_plainly(verdict == THROTTLER_APP_DENIED ? CODE(APP_DENIED) : CODE(OK), out);
        return NULL;
    }
    CLEANUP(strv_done) struct strv names = {0};
    throttler_metric_names(config, app, &names, &matched);
    out->app_name = message_text(matched);
    for (size_t i = 0; i < names.count; i++)
        check_one(call, config, names.items[i], in, out);
    conclude(throttler_default_metric(config), out);
    return NULL;
}

HANDLER(handle_check_throttler)
{
    const Tabletmanagerdata__CheckThrottlerRequest *in = request;
    Tabletmanagerdata__CheckThrottlerResponse *out = response;
    const char *app = str_is_empty(in->app_name) ? "vitess" : in->app_name;
    TRY(check(call, in, app, out));
    throttler_recent_note_app(call->service->throttler_recent, app, clock_wall_ns(),
                              out->response_code);
    return NULL;
}
