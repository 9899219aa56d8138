#include "agent/web/lookout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/topo/health_record.h"

#define COMPONENT "lookout"
#define SELDOM_MS 60000
#define OFTEN_MS 2000
#define WATCHED_MS 15000 /* so long after the last request the page counts as looked at */
#define CELL_TIMEOUT_MS 3000

struct lookout {
    struct tablet_context *context;
    struct shard_look *answer; /* of the look under way; the worker's */
    /* loop thread */
    struct loop_timer *timer;
    struct shard_look *known;
    int64_t wanted_ms, begun_ms;
    bool is_running, is_ended;
};

/* ---- The worker's side ---- */
static void
keep_document(const struct health_record *record, struct shard_look_row *row)
{
    row->has_document = true;
    row->is_serving = record->is_serving;
    row->lag_ms = record->lag_ms;
    row->time_ns = record->time_ns;
    STR_FILL(row->type, record->type);
    STR_FILL(row->state, record->state);
    STR_FILL(row->job, record->job);
    STR_FILL(row->version, record->agent_version);
}

static void
keep_record(const Topodata__Tablet *tablet, struct shard_look_row *row)
{
    struct tablet_alias alias = tablet_alias_of(tablet->alias);
    int32_t port = tablet_port(tablet, "vt");
    tablet_alias_format(&alias, row->alias);
    STR_FILL(row->type, tablet_type_name(tablet->type));
    row->lag_ms = -1;
    if (port != 0 && !str_is_empty(tablet->hostname))
        snprintf(row->address, sizeof(row->address), "%s:%d", tablet->hostname, (int)port);
}

static void
look_at_document(struct lookout *lookout, const struct tablet_alias *alias, struct cancel *cancel,
                 struct shard_look_row *row)
{
    struct health_record record = {.lag_ms = -1};
    struct error *error = topo_get_health(lookout->context->topo, cancel, alias, &record);
    if (error == NULL)
        keep_document(&record, row);
    else
        STR_FILL(row->state, error_is(error, ERROR_NOT_FOUND)
                                 ? "no health document: the agent does not run, or is not vtagent"
                                 : error->message);
    error_free(error);
    health_record_done(&record);
}

/* A list may name tablets whose record is gone. */
static struct error *
look_at_tablet(struct lookout *lookout, const char *name, struct cancel *cancel)
{
    struct shard_look *look = lookout->answer;
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    struct tablet_alias alias;
    TRY(tablet_alias_parse(name, &alias));
    struct error *error = topo_get_tablet(lookout->context->topo, cancel, &alias, &tablet, NULL);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return NULL;
    }
    TRY(error);
    if (look->count == SHARD_LOOK_MOST) {
        look->left_out++;
        return NULL;
    }
    struct shard_look_row *row = &look->rows[look->count++];
    keep_record(tablet, row);
    look_at_document(lookout, &alias, cancel, row);
    return NULL;
}

static struct error *
look_at_cell(struct lookout *lookout, const char *cell)
{
    const struct tablet_context *context = lookout->context;
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(context->stop, CELL_TIMEOUT_MS);
    TRY(topo_list_replication(context->topo, cancel, cell, context->identity->keyspace,
                              context->identity->shard, &names));
    for (size_t i = 0; i < names.count; i++)
        TRY(look_at_tablet(lookout, names.items[i], cancel));
    return NULL;
}

static int
compare_rows(const void *a, const void *b)
{
    const struct shard_look_row *left = a, *right = b;
    int left_first = str_equal(left->type, "primary"),
        right_first = str_equal(right->type, "primary");
    return left_first != right_first ? right_first - left_first : strcmp(left->alias, right->alias);
}

/* A cell that cannot be read hides no other. */
static void
look(struct lookout *lookout)
{
    const struct tablet_context *context = lookout->context;
    struct shard_look *answer = lookout->answer;
    CLEANUP(strv_done) struct strv cells = {.items = NULL};
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(context->stop, CELL_TIMEOUT_MS);
    struct error *error = topo_list_cells(context->topo, cancel, &cells);
    for (size_t i = 0; i < cells.count && !cancel_is_requested(context->stop); i++) {
        struct error *cell_error = look_at_cell(lookout, cells.items[i]);
        if (error == NULL)
            error = cell_error;
        else
            error_free(cell_error);
    }
    if (error != NULL)
        STR_FILL(answer->error, error->message);
    error_free(error);
    qsort(answer->rows, answer->count, sizeof(answer->rows[0]), compare_rows);
    answer->looked_ms = clock_monotonic_ms();
}

static void schedule(struct lookout *lookout);

static void
store(void *data)
{
    struct lookout *lookout = data;
    struct shard_look *old = lookout->known;
    /* With nothing in its place, what was known is still worth showing, with its age. */
    bool is_better = lookout->answer->count > 0 || lookout->answer->error[0] == '\0';
    if (is_better)
        lookout->known = lookout->answer;
    else
        STR_FILL(old->error, lookout->answer->error);
    lookout->answer = is_better ? old : lookout->answer;
    lookout->is_running = false;
    schedule(lookout);
}

static void
look_on_worker(void *data)
{
    struct lookout *lookout = data;
    *lookout->answer = (struct shard_look){.looked_ms = 0};
    look(lookout);
    loop_post(lookout->context->loop, COMPONENT, store, lookout);
}

/* ---- The loop's side ---- */

static void
begin(void *data)
{
    struct lookout *lookout = data;
    if (lookout->is_running || lookout->is_ended)
        return;
    lookout->is_running = true;
    lookout->begun_ms = clock_monotonic_ms();
    worker_submit(lookout->context->wait_worker, look_on_worker, lookout);
}

static void
schedule(struct lookout *lookout)
{
    if (lookout->is_ended || lookout->is_running)
        return;
    int64_t now_ms = clock_monotonic_ms();
    bool is_watched = lookout->wanted_ms != 0 && now_ms - lookout->wanted_ms < WATCHED_MS;
    int64_t next_ms = lookout->begun_ms + (is_watched ? OFTEN_MS : SELDOM_MS);
    loop_timer_start(lookout->timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

struct lookout *
lookout_new(struct tablet_context *context)
{
    struct lookout *lookout = xcalloc(1, sizeof(*lookout));
    lookout->context = context;
    lookout->known = xcalloc(1, sizeof(*lookout->known));
    lookout->answer = xcalloc(1, sizeof(*lookout->answer));
    return lookout;
}

void
lookout_start(struct lookout *lookout)
{
    lookout->timer = loop_timer_new(lookout->context->loop, COMPONENT, begin, lookout);
    begin(lookout);
}

void
lookout_want(struct lookout *lookout)
{
    lookout->wanted_ms = clock_monotonic_ms();
    if (lookout->timer != NULL)
        schedule(lookout);
}

const struct shard_look *
lookout_get(const struct lookout *lookout)
{
    return lookout->known;
}

void
lookout_end(struct lookout *lookout)
{
    lookout->is_ended = true;
    loop_timer_free(lookout->timer);
    lookout->timer = NULL;
}

void
lookout_free(struct lookout *lookout)
{
    if (lookout == NULL)
        return;
    freep(&lookout->known);
    freep(&lookout->answer);
    freep(&lookout);
}
