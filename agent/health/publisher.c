#include "agent/health/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/topo/health_record.h"

#define COMPONENT "health-document"
#define LEAST_TIMEOUT_MS 2000
#define STOP_TIMEOUT_MS 2000
#define ASK_TIMEOUT_MS 1000
#define LEARN_AGAIN_MS 30000 /* where the cell's etcd is, and who is primary */
#define MS_PER_SECOND 1000

#ifndef VTAGENT_VERSION
#define VTAGENT_VERSION "unknown"
#endif

struct health_publisher {
    struct tablet_context *context;
    int64_t ttl_ms;
    struct worker *worker; /* one thread */
    struct health *health;
    /* loop thread */
    struct loop_timer *timer;
    bool is_running, is_wanted_again, is_stopped, is_replica, is_in_doubt;
    struct buffer document; /* the newest */
    /* the writing thread */
    struct topo_conn *cell;
    int64_t cell_known_ms, lease, renewed_ms, primary_known_ms;
    char *written;
    struct tablet_alias primary;
    struct health_published published;
};

/* One round: what to write, and whether the primary is of interest. */
struct round {
    struct health_publisher *publisher;
    char *document;
    bool wants_source, is_in_doubt;
};

/* ---- Writing, on the thread ---- */

static struct error *
find_cell(struct health_publisher *publisher, struct cancel *cancel, int64_t now_ms)
{
    if (publisher->cell != NULL && now_ms - publisher->cell_known_ms < LEARN_AGAIN_MS)
        return NULL;
    publisher->cell_known_ms = now_ms; /* while the global etcd is away, the old way goes on */
    struct error *error = topo_cell(publisher->context->topo, cancel,
                                    publisher->context->identity->alias.cell, &publisher->cell);
    if (error == NULL || publisher->cell == NULL)
        return error;
    error_free(error);
    return NULL;
}

/* An ended lease takes the document along: both are made anew. */
static struct error *
keep_lease(struct health_publisher *publisher, struct cancel *cancel, int64_t now_ms)
{
    if (publisher->lease != 0 && now_ms - publisher->renewed_ms >= publisher->ttl_ms / 4) {
        struct error *error = topo_lease_renew(publisher->cell, cancel, publisher->lease);
        if (error_is(error, ERROR_NOT_FOUND)) {
            error_free(error);
            error = NULL;
            publisher->lease = 0;
        } else if (error == NULL) {
            publisher->renewed_ms = now_ms;
        }
        TRY(error);
    }
    if (publisher->lease != 0)
        return NULL;
    freep(&publisher->written);
    TRY(topo_lease_grant(publisher->cell, cancel, publisher->ttl_ms / MS_PER_SECOND,
                         &publisher->lease));
    publisher->renewed_ms = now_ms;
    return NULL;
}

static struct error *
write_document(struct health_publisher *publisher, const char *document, struct cancel *cancel)
{
    int64_t now_ms = clock_monotonic_ms();
    TRY(find_cell(publisher, cancel, now_ms));
    TRY(keep_lease(publisher, cancel, now_ms));
    if (str_equal(publisher->written, document))
        return NULL;
    CLEANUP(freep) char *path = health_record_path(&publisher->context->identity->alias);
    struct error *error =
        topo_lease_put(publisher->cell, cancel, path, document, strlen(document), publisher->lease);
    if (error_is(error, ERROR_NOT_FOUND))
        publisher->lease = 0; /* the next round makes a new one */
    TRY(error);
    str_replace(&publisher->written, document);
    return NULL;
}

static void
note_outcome(struct health_publisher *publisher, const struct error *error)
{
    struct health_published *published = &publisher->published;
    int64_t now_ms = clock_monotonic_ms();
    if (error == NULL) {
        if (published->failing_since_ms != 0)
            LOG_INFO(COMPONENT, "written again");
        *published = (struct health_published){.written_ms = now_ms};
    } else {
        if (published->failing_since_ms == 0) {
            LOG_WARN(COMPONENT, "not written: %s; trying again", error->message);
            published->failing_since_ms = now_ms;
        }
        snprintf(published->error, sizeof(published->error), "%s", error->message);
    }
    health_set_published(publisher->health, published);
}

/* ---- The primary's ---- */

static struct error *
find_primary(struct health_publisher *publisher, struct cancel *cancel)
{
    const struct tablet_identity *identity = publisher->context->identity;
    int64_t now_ms = clock_monotonic_ms();
    bool is_known = !tablet_alias_is_zero(&publisher->primary) && publisher->primary_known_ms != 0;
    if (is_known && now_ms - publisher->primary_known_ms < LEARN_AGAIN_MS)
        return NULL;
    Topodata__Shard *shard = NULL;
    TRY(topo_get_shard(publisher->context->topo, cancel, identity->keyspace, identity->shard,
                       &shard, NULL));
    publisher->primary = tablet_alias_of(shard->primary_alias);
    publisher->primary_known_ms = now_ms;
    topodata__shard__free_unpacked(shard, NULL);
    return NULL;
}

static struct error *
read_source(struct health_publisher *publisher, struct cancel *cancel, struct health_source *source)
{
    TRY(find_primary(publisher, cancel));
    const struct tablet_alias *primary = &publisher->primary;
    if (tablet_alias_is_zero(primary))
        return NULL;
    struct health_record record = {.lag_ms = -1};
    TRY(topo_get_health(publisher->context->topo, cancel, primary, &record));
    source->is_known = true;
    source->is_serving = record.is_serving && str_equal(record.type, "primary");
    tablet_alias_format(primary, source->alias);
    source->position = xstrdup(record.position);
    if (!source->is_serving)
        publisher->primary_known_ms = 0; /* it may be another one by now */
    health_record_done(&record);
    return NULL;
}

/* Its document is some seconds old: the primary itself knows better. */
static struct error *
ask_primary(struct health_publisher *publisher, struct cancel *cancel, char **position)
{
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(cancel, ASK_TIMEOUT_MS);
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(topo_get_tablet(publisher->context->topo, bounded, &publisher->primary, &tablet, NULL));
    Tabletmanagerdata__PrimaryPositionRequest request =
        TABLETMANAGERDATA__PRIMARY_POSITION_REQUEST__INIT;
    CLEANUP(record_freep) ProtobufCMessage *response = NULL;
    TRY(tm_call(publisher->context->tm_client, tablet, "PrimaryPosition", &request.base,
                &tabletmanagerdata__primary_position_response__descriptor, bounded, &response));
    str_replace(position, ((Tabletmanagerdata__PrimaryPositionResponse *)response)->position);
    return NULL;
}

/* Whatever cannot be learnt is not known: that is told, too. */
static void
learn_source(struct health_publisher *publisher, bool is_in_doubt, struct cancel *cancel)
{
    struct health_source source = {.is_known = false};
    struct error *error = read_source(publisher, cancel, &source);
    if (error != NULL)
        publisher->primary_known_ms = 0;
    error_free(error);
    if (is_in_doubt && source.is_serving) /* without its answer, what the document says counts */
        error_free(ask_primary(publisher, cancel, &source.position));
    source.measured_ms = clock_monotonic_ms();
    health_set_source(publisher->health, &source);
}

static void run_round(struct health_publisher *publisher);

static void
round_ended(void *data)
{
    struct health_publisher *publisher = data;
    publisher->is_running = false;
    if (publisher->is_wanted_again)
        run_round(publisher);
}

static void
round_on_thread(void *data)
{
    struct round *round = data;
    struct health_publisher *publisher = round->publisher;
    int64_t timeout_ms = publisher->ttl_ms / 4;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(
        publisher->context->stop, timeout_ms > LEAST_TIMEOUT_MS ? timeout_ms : LEAST_TIMEOUT_MS);
    struct error *error = write_document(publisher, round->document, cancel);
    if (!cancel_is_requested(publisher->context->stop))
        note_outcome(publisher, error);
    if (round->wants_source)
        learn_source(publisher, round->is_in_doubt, cancel);
    error_free(error);
    freep(&round->document);
    freep(&round);
    loop_post(publisher->context->loop, COMPONENT, round_ended, publisher);
}

/* ---- The loop's side ---- */

static void
run_round(struct health_publisher *publisher)
{
    if (publisher->is_stopped || publisher->document.length_bytes == 0)
        return;
    publisher->is_wanted_again = publisher->is_running;
    if (publisher->is_running)
        return;
    publisher->is_running = true;
    struct round *round = xcalloc(1, sizeof(*round));
    *round = (struct round){.publisher = publisher,
                            .document = xstrdup(buffer_text(&publisher->document)),
                            .wants_source = publisher->is_replica,
                            .is_in_doubt = publisher->is_in_doubt};
    publisher->is_in_doubt = false;
    worker_submit(publisher->worker, round_on_thread, round);
}

static void
on_timer(void *data)
{
    struct health_publisher *publisher = data;
    if (publisher->is_stopped)
        return;
    loop_timer_start(publisher->timer, publisher->ttl_ms / 3);
    run_round(publisher);
}

static void
fill_record(const struct health_view *view, const struct tablet_identity *identity,
            const struct tablet_snapshot *snapshot, char *sentence, struct health_record *record)
{
    const struct health_facts *facts = &view->facts;
    bool is_short =
        facts->position != NULL && strlen(facts->position) <= HEALTH_RECORD_MOST_POSITION;
    *record = (struct health_record){
        .alias = (char *)(uintptr_t)identity->alias_text,
        .keyspace = identity->keyspace,
        .shard = identity->shard,
        .type = (char *)(uintptr_t)tablet_type_name(snapshot->type),
        .is_serving = snapshot->is_serving,
        .state = sentence,
        .cause = (char *)(uintptr_t)health_cause_name(view->verdict.cause),
        .position = is_short ? facts->position : NULL,
        .lag_ms = view->verdict.is_lag_known ? view->verdict.lag_ms : -1,
        .source = (char *)(uintptr_t)facts->replication.source,
        .agent_version = (char *)(uintptr_t)VTAGENT_VERSION,
        .server_version = (char *)(uintptr_t)facts->server.version,
        .time_ns = view->checked_at_ns,
        .term_start_ns = snapshot->term_start_ns,
        .backup_complete_ns = facts->backups.complete_ns,
        .backup_proven_ns = facts->backups.proven_ns,
        .disk_free_bytes = facts->disk.free_bytes,
        .disk_total_bytes = facts->disk.total_bytes,
    };
}

void
health_publisher_tell(struct health_publisher *publisher, const struct health_view *view,
                      const struct tablet_snapshot *snapshot, const char *job)
{
    char sentence[TABLET_SENTENCE];
    struct health_record record;
    tablet_sentence(snapshot, sentence);
    fill_record(view, publisher->context->identity, snapshot, sentence, &record);
    record.job = (char *)(uintptr_t)job;
    buffer_clear(&publisher->document);
    health_record_print(&record, &publisher->document);
    publisher->is_replica = tablet_type_is_replica(snapshot->type);
    run_round(publisher);
}

void
health_publisher_ask(struct health_publisher *publisher)
{
    publisher->is_in_doubt = true;
    run_round(publisher);
}

struct error *
health_publisher_new(struct tablet_context *context, int64_t ttl_ms,
                     struct health_publisher **ret_publisher)
{
    struct worker *worker = NULL;
    TRY(worker_new("document", 1, &worker));
    struct health_publisher *publisher = xcalloc(1, sizeof(*publisher));
    publisher->context = context;
    publisher->ttl_ms = ttl_ms;
    publisher->worker = worker;
    *ret_publisher = publisher;
    return NULL;
}

void
health_publisher_start(struct health_publisher *publisher, struct health *health)
{
    publisher->health = health;
    publisher->timer = loop_timer_new(publisher->context->loop, COMPONENT, on_timer, publisher);
    on_timer(publisher);
}

static void
stop_on_loop(void *data)
{
    ((struct health_publisher *)data)->is_stopped = true;
}

static void
revoke_on_thread(void *data)
{
    struct health_publisher *publisher = data;
    if (publisher->cell == NULL || publisher->lease == 0)
        return;
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, STOP_TIMEOUT_MS);
    /* If etcd is away, the lease ends by itself. */
    error_free(topo_lease_revoke(publisher->cell, cancel, publisher->lease));
    publisher->lease = 0;
}

void
health_publisher_stop(struct health_publisher *publisher)
{
    loop_call(publisher->context->loop, COMPONENT, stop_on_loop, publisher);
    worker_submit(publisher->worker, revoke_on_thread, publisher); /* behind a round under way */
}

void
health_publisher_end(struct health_publisher *publisher)
{
    publisher->is_stopped = true;
    loop_timer_free(publisher->timer);
    publisher->timer = NULL;
}

void
health_publisher_free(struct health_publisher *publisher)
{
    if (publisher == NULL)
        return;
    worker_free(publisher->worker);
    buffer_done(&publisher->document);
    freep(&publisher->written);
    freep(&publisher);
}
