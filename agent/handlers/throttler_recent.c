#include "agent/handlers/throttler_recent.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/handlers/message.h"

struct recent_entry {
    char name[128]; /* "": free; longer ones are cut */
    int64_t time_ns;
    Tabletmanagerdata__CheckThrottlerResponseCode code;
};
struct throttler_recent {
    pthread_mutex_t lock;
    struct recent_entry apps[THROTTLER_RECENT_MOST], metrics[THROTTLER_RECENT_MOST];
};

struct throttler_recent *
throttler_recent_new(void)
{
    struct throttler_recent *recent = xcalloc(1, sizeof(*recent));
    pthread_mutex_init(&recent->lock, NULL);
    return recent;
}

void
throttler_recent_free(struct throttler_recent *recent)
{
    if (recent == NULL)
        return;
    pthread_mutex_destroy(&recent->lock);
    free(recent);
}

/* The one of this name, else the oldest; free ones have time 0. */
static struct recent_entry *
choose(struct recent_entry *entries, const char *name)
{
    struct recent_entry *oldest = &entries[0];
    for (size_t i = 0; i < THROTTLER_RECENT_MOST; i++) {
        if (strncmp(entries[i].name, name, sizeof(entries[i].name) - 1) == 0)
            return &entries[i];
        if (entries[i].time_ns < oldest->time_ns)
            oldest = &entries[i];
    }
    return oldest;
}

static void
note(struct throttler_recent *recent, struct recent_entry *entries, const char *name,
     int64_t now_ns, Tabletmanagerdata__CheckThrottlerResponseCode code)
{
    pthread_mutex_lock(&recent->lock);
    struct recent_entry *entry = choose(entries, name);
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    entry->time_ns = now_ns;
    entry->code = code;
    pthread_mutex_unlock(&recent->lock);
}

void
throttler_recent_note_app(struct throttler_recent *recent, const char *app, int64_t now_ns,
                          Tabletmanagerdata__CheckThrottlerResponseCode code)
{
    note(recent, recent->apps, app, now_ns, code);
}

void
throttler_recent_note_healthy(struct throttler_recent *recent, const char *name, int64_t now_ns)
{
    note(recent, recent->metrics, name, now_ns,
         TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__OK);
}

static void
add_app(const struct recent_entry *app, Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    Tabletmanagerdata__GetThrottlerStatusResponse__RecentAppsEntry *entry = message_new(
        &tabletmanagerdata__get_throttler_status_response__recent_apps_entry__descriptor);
    entry->key = message_text(app->name);
    entry->value =
        message_new(&tabletmanagerdata__get_throttler_status_response__recent_app__descriptor);
    entry->value->checked_at = message_time(app->time_ns);
    entry->value->response_code = app->code;
    message_append(&out->n_recent_apps, &out->recent_apps, entry);
}

static void
add_health(const struct recent_entry *metric, int64_t now_ns,
           Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    Tabletmanagerdata__GetThrottlerStatusResponse__MetricsHealthEntry *entry = message_new(
        &tabletmanagerdata__get_throttler_status_response__metrics_health_entry__descriptor);
    entry->key = message_text(metric->name);
    entry->value =
        message_new(&tabletmanagerdata__get_throttler_status_response__metric_health__descriptor);
    entry->value->last_healthy_at = message_time(metric->time_ns);
    entry->value->seconds_since_last_healthy = (now_ns - metric->time_ns) / 1000000000;
    message_append(&out->n_metrics_health, &out->metrics_health, entry);
}

void
throttler_recent_fill(struct throttler_recent *recent, int64_t now_ns,
                      Tabletmanagerdata__GetThrottlerStatusResponse *out)
{
    pthread_mutex_lock(&recent->lock);
    for (size_t i = 0; i < THROTTLER_RECENT_MOST; i++) {
        const struct recent_entry *app = &recent->apps[i], *metric = &recent->metrics[i];
        if (app->name[0] != '\0' && now_ns - app->time_ns < THROTTLER_RECENT_APP_NS)
            add_app(app, out);
        if (metric->name[0] != '\0')
            add_health(metric, now_ns, out);
    }
    pthread_mutex_unlock(&recent->lock);
}
