#include "agent/health/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/health/clock_watch.h"
#include "agent/health/probe.h"
#include "agent/health/restart_watch.h"
#include "agent/health/sentinel.h"
#include "agent/job/registry.h"

#define COMPONENT "health"
#define TICK_MS 1000
#define REPORT_MS 5000
#define HURRY_MS 2000
#define HURRY_TICK_MS 100

static const struct probe_kind *const kinds[] = {&probe_server, &probe_host, &probe_disk,
                                                 &probe_backups};
#define PROBE_COUNT ARRAY_LENGTH(kinds)
#define SERVER_PROBE 0
#define BACKUPS_PROBE 3

struct probe {
    struct health *health;
    const struct probe_kind *kind;
    struct worker *worker; /* one thread; NULL: the kind is off */
    void *state;
    struct health_facts answer;
    int64_t interval_ms;
    /* loop thread */
    int64_t next_ms;
    bool is_running, is_wanted_again;
};

/* What a report told last. */
struct reported {
    bool is_serving;
    Topodata__TabletType type;
    int64_t term_start_ns;
    enum tablet_state state;
    enum health_cause cause;
};

struct health {
    struct health_options options;
    struct probe probes[PROBE_COUNT];
    struct sentinel *sentinel;
    /* loop thread */
    struct loop_timer *timer;
    bool is_stopped, was_broken, is_evaluating, is_report_wanted;
    struct clock_watch clock_watch;
    struct restart_watch restart_watch;
    struct health_lag_memory lag_memory;
    struct health_settling settling;
    struct lag_history lag_history;
    struct health_view view;
    struct reported reported;
    int64_t reported_ms, doubted_ms, hurry_until_ms, type_since_ms;
    Topodata__TabletType type;
};

static const struct health_clock_source machine_clock = {clock_monotonic_ms, clock_wall_ns};

static int64_t
now_ms(const struct health *health)
{
    return health->options.clock->monotonic_ms();
}

/* ---- What follows from the facts ---- */

/* Serving may go on with old data, so this is told apart from it. */
static void
log_replication(struct health *health)
{
    const struct health_verdict *verdict = &health->view.verdict;
    if (verdict->is_broken && !health->was_broken)
        LOG_WARN(COMPONENT, "replication: %s", verdict->reason);
    if (!verdict->is_broken && health->was_broken)
        LOG_INFO(COMPONENT, "replication is no longer broken: %s", verdict->reason);
    health->was_broken = verdict->is_broken;
}

static void
report(struct health *health, const struct tablet_view *tablet)
{
    const struct health_verdict *verdict = &health->view.verdict;
    struct reported now = {.is_serving = tablet->snapshot.is_serving,
                           .type = tablet->snapshot.type,
                           .term_start_ns = tablet->snapshot.term_start_ns,
                           .state = tablet->state,
                           .cause = verdict->cause};
    const struct reported *last = &health->reported;
    bool is_news = now.is_serving != last->is_serving || now.type != last->type ||
                   now.term_start_ns != last->term_start_ns || now.state != last->state ||
                   now.cause != last->cause;
    if (!is_news && !health->is_report_wanted &&
        health->view.now_ms - health->reported_ms < REPORT_MS)
        return;
    health->reported = now;
    health->reported_ms = health->view.now_ms;
    health->is_report_wanted = false;
    if (health->options.on_report != NULL)
        health->options.on_report(&health->view, health->options.on_report_data);
}

/* Whether the primary lives decides about a replica that cannot reach it. */
static void
doubt(struct health *health)
{
    const struct health_view *view = &health->view;
    bool is_doubtful = view->verdict.is_broken || view->judgement.is_silent;
    if (!is_doubtful || view->now_ms - health->doubted_ms < TICK_MS)
        return;
    health->doubted_ms = view->now_ms;
    if (health->options.on_doubt != NULL)
        health->options.on_doubt(health->options.on_report_data);
}

static void
note_lag(struct health *health)
{
    const struct health_view *view = &health->view;
    bool is_known = view->facts.replication.is_replica && view->verdict.is_lag_known;
    lag_history_note(&health->lag_history, view->now_ms, is_known ? view->verdict.lag_ms : -1);
}

static void
apply_verdict(struct health *health, struct tablet_view *tablet)
{
    struct tablet_context *context = health->options.context;
    const struct health_view *view = &health->view;
    if (tablet->must_catch_up && view->judgement.has_caught_up && view->verdict.is_serving)
        tablet_set_caught_up(context);
    if (view->verdict.is_lag_known && !view->verdict.is_broken)
        tablet_set_lag(context, (uint32_t)(view->verdict.lag_ms / 1000));
    tablet_set_health(context, view->verdict.is_serving, view->verdict.reason,
                      view->judgement.is_disk_stalled);
    tablet_get_view(context->tablet, tablet);
}

static bool
is_hurrying(const struct health *health)
{
    return health->view.now_ms < health->hurry_until_ms;
}

static void
note_type(struct health *health, Topodata__TabletType type)
{
    if (type == health->type)
        return;
    health->type = type;
    health->type_since_ms = health->view.now_ms;
}

static void
evaluate(struct health *health)
{
    if (health->is_stopped || health->is_evaluating)
        return;
    health->is_evaluating = true; /* the tablet tells us of changes that are ours */
    struct tablet_view tablet;
    tablet_get_view(health->options.context->tablet, &tablet);
    struct health_view *view = &health->view;
    view->now_ms = now_ms(health);
    view->checked_at_ns = health->options.clock->wall_ns();
    note_type(health, tablet.snapshot.type);
    struct health_input input = {.facts = &view->facts,
                                 .rules = &view->rules,
                                 .type = tablet.snapshot.type,
                                 .is_catching_up = tablet.must_catch_up,
                                 .is_hurried = is_hurrying(health),
                                 .type_since_ms = health->type_since_ms,
                                 .now_ms = view->now_ms,
                                 .now_ns = view->checked_at_ns};
    health_judge(&input, &health->lag_memory, &view->judgement);
    health_settle(&view->judgement, &input, &health->settling, &view->verdict);
    note_lag(health);
    log_replication(health);
    apply_verdict(health, &tablet);
    doubt(health);
    health->is_evaluating = false;
    report(health, &tablet);
}

/* ---- Probes ---- */

static void run_probe(struct probe *probe);

static void
look_after_server(struct health *health)
{
    if (health->view.facts.server.answers)
        sentinel_keep(health->sentinel);
    bool has_restarted = restart_watch_look(&health->restart_watch, &health->view.facts);
    if (has_restarted && health->options.on_restart != NULL)
        health->options.on_restart(health->options.on_report_data);
}

static void
store_on_loop(void *data)
{
    struct probe *probe = data;
    struct health *health = probe->health;
    probe->kind->store(&health->view.facts, &probe->answer);
    health_facts_done(&probe->answer);
    probe->is_running = false;
    if (health->is_stopped)
        return;
    if (probe->kind == &probe_server)
        look_after_server(health);
    if (probe->is_wanted_again)
        run_probe(probe);
    evaluate(health);
}

static void
ask_on_thread(void *data)
{
    struct probe *probe = data;
    probe->answer = (struct health_facts){.position = NULL};
    probe->kind->ask(probe->state, &probe->health->options, &probe->answer);
    loop_post(probe->health->options.context->loop, COMPONENT, store_on_loop, probe);
}

static void
run_probe(struct probe *probe)
{
    struct health *health = probe->health;
    int64_t now = now_ms(health);
    if (probe->worker == NULL || health->is_stopped)
        return;
    probe->is_wanted_again = probe->is_running;
    if (probe->is_running)
        return;
    probe->is_running = true;
    probe->next_ms = now + probe->interval_ms;
    if (probe->kind->prepare != NULL)
        probe->kind->prepare(probe->state, &health->view.facts, now);
    worker_submit(probe->worker, ask_on_thread, probe);
}

static bool
is_due(const struct health *health, const struct probe *probe, int64_t now)
{
    bool is_wanted = probe == &health->probes[SERVER_PROBE] && is_hurrying(health) &&
                     !health->view.verdict.is_serving;
    return !probe->is_running && (is_wanted || now >= probe->next_ms);
}

static void
start_timer(struct health *health)
{
    int64_t pause_ms = health->options.rules.interval_ms;
    if (pause_ms > TICK_MS)
        pause_ms = TICK_MS;
    if (is_hurrying(health) && !health->view.verdict.is_serving)
        pause_ms = HURRY_TICK_MS;
    loop_timer_start(health->timer, pause_ms);
}

/* Reading also finds those that have ended. */
static void
look_at_strays(struct health *health)
{
    struct job_stray strays[JOB_STRAYS_MOST];
    struct health_storage *storage = &health->view.facts.storage;
    *storage = (struct health_storage){
        .stuck_count = job_registry_read_strays(health->options.context->jobs, strays)};
    if (storage->stuck_count == 0)
        return;
    storage->stuck_since_ns = strays[0].since_ns;
    snprintf(storage->text, sizeof(storage->text), "%.*s", HEALTH_TEXT - 1, strays[0].text);
}

static void
on_tick(void *data)
{
    struct health *health = data;
    if (health->is_stopped)
        return;
    int64_t now = now_ms(health);
    clock_watch_look(&health->clock_watch, now, health->options.clock->wall_ns(),
                     &health->view.facts.clock);
    look_at_strays(health);
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        if (is_due(health, &health->probes[i], now))
            run_probe(&health->probes[i]);
    }
    evaluate(health);
    start_timer(health);
}

/* The server may have ended: it is asked at once. */
static void
on_server_event(void *data)
{
    struct health *health = data;
    run_probe(&health->probes[SERVER_PROBE]);
}

/* ---- Life ---- */

static struct error *
probe_init(struct probe *probe, struct health *health, const struct probe_kind *kind)
{
    probe->health = health;
    probe->kind = kind;
    probe->interval_ms = kind->interval_ms(&health->options);
    if (probe->interval_ms <= 0)
        return NULL;
    if (kind->state_new != NULL)
        probe->state = kind->state_new(&health->options);
    return worker_new(kind->name, 1, &probe->worker);
}

struct error *
health_new(const struct health_options *options, struct health **ret_health)
{
    struct health *health = xcalloc(1, sizeof(*health));
    health->options = *options;
    if (health->options.clock == NULL)
        health->options.clock = &machine_clock;
    health->view.rules = options->rules;
    health->view.lag_history = &health->lag_history;
    struct error *error = NULL;
    for (size_t i = 0; i < PROBE_COUNT && error == NULL; i++)
        error = probe_init(&health->probes[i], health, kinds[i]);
    if (error == NULL)
        error = sentinel_new(options->context, on_server_event, health, &health->sentinel);
    if (error != NULL) {
        health_free(health);
        return error;
    }
    *ret_health = health;
    return NULL;
}

void
health_start(struct health *health)
{
    health->timer = loop_timer_new(health->options.context->loop, COMPONENT, on_tick, health);
    on_tick(health);
}

static void
poke_on_loop(void *data)
{
    struct health *health = data;
    if (health->is_stopped || health->timer == NULL)
        return;
    health->is_report_wanted = true;
    health->hurry_until_ms = now_ms(health) + HURRY_MS;
    run_probe(&health->probes[SERVER_PROBE]);
    evaluate(health);
    start_timer(health);
}

void
health_poke(struct health *health)
{
    loop_post(health->options.context->loop, COMPONENT, poke_on_loop, health);
}

void
health_poke_backups(struct health *health)
{
    struct probe *probe = &health->probes[BACKUPS_PROBE];
    if (health->timer == NULL || probe->state == NULL)
        return;
    probe_backups_forget(probe->state);
    run_probe(probe);
}

void
health_refresh(struct health *health)
{
    if (health->timer == NULL)
        return;
    run_probe(&health->probes[SERVER_PROBE]);
    evaluate(health);
}

struct source_call {
    struct health *health;
    struct health_source source;
};

static void
set_source_on_loop(void *data)
{
    struct source_call *call = data;
    struct health_source *source = &call->health->view.facts.source;
    bool is_news = !str_equal(source->position, call->source.position);
    freep(&source->position);
    *source = call->source;
    if (is_news && call->health->view.judgement.is_silent)
        run_probe(&call->health->probes[SERVER_PROBE]); /* has it all arrived? */
    evaluate(call->health);
}

void
health_set_source(struct health *health, struct health_source *take_source)
{
    struct source_call call = {health, *take_source};
    *take_source = (struct health_source){.position = NULL};
    loop_call(health->options.context->loop, COMPONENT, set_source_on_loop, &call);
}

struct published_call {
    struct health *health;
    const struct health_published *published;
};

static void
set_published_on_loop(void *data)
{
    const struct published_call *call = data;
    call->health->view.facts.published = *call->published;
}

void
health_set_published(struct health *health, const struct health_published *published)
{
    struct published_call call = {health, published};
    loop_call(health->options.context->loop, COMPONENT, set_published_on_loop, &call);
}

void
health_get_view(const struct health *health, struct health_view *ret_view)
{
    *ret_view = health->view;
}

void
health_end(struct health *health)
{
    health->is_stopped = true;
    loop_timer_free(health->timer);
    health->timer = NULL;
    sentinel_end(health->sentinel);
}

void
health_free(struct health *health)
{
    if (health == NULL)
        return;
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        struct probe *probe = &health->probes[i];
        worker_free(probe->worker);
        health_facts_done(&probe->answer);
        if (probe->kind != NULL && probe->kind->state_free != NULL)
            probe->kind->state_free(probe->state);
    }
    sentinel_free(health->sentinel);
    health_facts_done(&health->view.facts);
    freep(&health);
}
