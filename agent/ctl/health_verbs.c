/* How a shard's tablets are, live, from their health documents; and taking one out of service. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/print.h"
#include "agent/ctl/reparent.h"
#include "agent/topo/health_record.h"

#define WATCH_PAUSE_MS 1000
#define CLEAR_SCREEN "\033[H\033[2J"

/* ---- Health ---- */

static void
add_row(struct table *table, const Topodata__Tablet *tablet, const struct health_record *record,
        const char *problem)
{
    if (record == NULL) {
        table_add(table, alias_text_of(tablet).text, tablet_type_name(tablet->type), "", "", "",
                  problem, NULL);
        return;
    }
    CLEANUP(freep)
    char *lag = record->lag_ms < 0 ? xstrdup("unknown")
                                   : xasprintf("%.1f s", (double)record->lag_ms / 1000);
    CLEANUP(freep)
    char *age = xasprintf("%.0f s", (double)(clock_wall_ns() - record->time_ns) / 1e9);
    table_add(table, record->alias, record->type, lag, record->job, age, record->state, NULL);
}

static struct error *
add_tablet(struct ctl *ctl, const Topodata__Tablet *tablet, struct table *table,
           struct buffer *json)
{
    struct health_record record = {.lag_ms = -1};
    struct tablet_alias alias = tablet_alias_of(tablet->alias);
    struct error *error = topo_get_health(ctl->topo, ctl->cancel, &alias, &record);
    TRY(cancel_check(ctl->cancel));
    if (error != NULL) {
        bool is_missing = error_is(error, ERROR_NOT_FOUND);
        add_row(table, tablet, NULL,
                is_missing ? "no health document: the agent does not run, or is not vtagent"
                           : error->message);
        error_free(error);
        return NULL;
    }
    add_row(table, tablet, &record, NULL);
    buffer_append_text(json, json->length_bytes == 0 ? "[" : ",");
    health_record_print(&record, json);
    health_record_done(&record);
    return NULL;
}

static struct error *
list_tablets(struct ctl *ctl, struct tablet_list *ret_list)
{
    CLEANUP(strv_done) struct strv cells = {.items = NULL};
    if (ctl->words.count > 0) {
        CLEANUP(freep) char *keyspace = NULL;
        CLEANUP(freep) char *shard = NULL;
        TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
        return topo_list_shard_tablets(ctl->topo, ctl->cancel, keyspace, shard, ret_list);
    }
    TRY(topo_list_cells(ctl->topo, ctl->cancel, &cells));
    for (size_t i = 0; i < cells.count; i++)
        TRY(topo_list_tablets(ctl->topo, ctl->cancel, cells.items[i], NULL, NULL, ret_list));
    return NULL;
}

static struct error *
show_once(struct ctl *ctl)
{
    CLEANUP(tablet_list_done) struct tablet_list list = {.items = NULL};
    CLEANUP(table_done) struct table table = {0};
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    TRY(list_tablets(ctl, &list));
    table_add(&table, "TABLET", "TYPE", "LAG", "JOB", "AGE", "STATE", NULL);
    for (size_t i = 0; i < list.count; i++)
        TRY(add_tablet(ctl, list.items[i], &table, &json));
    if (ctl->options.is_watching && !ctl->options.wants_json)
        fputs(CLEAR_SCREEN, ctl->out);
    if (ctl->options.wants_json)
        fprintf(ctl->out, "%s]\n", json.length_bytes == 0 ? "[" : buffer_text(&json));
    else
        table_print(&table, ctl->out);
    fflush(ctl->out);
    return NULL;
}

/* Until the verb's time is over, or Ctrl-C: that is its ordinary end. */
static struct error *
show_health(struct ctl *ctl)
{
    TRY(show_once(ctl));
    while (ctl->options.is_watching) {
        struct error *ended = cancel_sleep_ms(ctl->cancel, WATCH_PAUSE_MS);
        if (ended == NULL)
            ended = show_once(ctl);
        if (ended != NULL && cancel_is_requested(ctl->cancel)) {
            error_free(ended);
            return NULL;
        }
        TRY(ended);
    }
    return NULL;
}

/* ---- Drain ---- */

static struct error *
hand_over(struct ctl *ctl, const Topodata__Tablet *tablet)
{
    CLEANUP(freep) char *name = xasprintf("%s/%s", tablet->keyspace, tablet->shard);
    struct prs_options prs = {
        .shard_name = name,
        .avoid_primary = tablet_alias_of(tablet->alias),
        .wait_replicas_timeout_ms = cancel_remaining_ms(ctl->cancel) / 2,
    };
    return error_wrap(planned_reparent(ctl, &prs), "hand over '%s'", alias_text_of(tablet).text);
}

static struct error *
leave_serving(struct ctl *ctl, const Topodata__Tablet *tablet)
{
    Tabletmanagerdata__ChangeTypeRequest request = TABLETMANAGERDATA__CHANGE_TYPE_REQUEST__INIT;
    request.tablet_type = TOPODATA__TABLET_TYPE__SPARE;
    bool acks = false;
    TRY(ctl_read_replica_acks(ctl, tablet, request.tablet_type, &acks));
    request.semisync = acks;
    return ctl_call(ctl, tablet, "ChangeType", &request.base, ctl->cancel, 0, NULL);
}

/* A pod's hook has no shell and no tablet's name, but its agent's environment. */
static struct error *
read_drained(struct ctl *ctl, Topodata__Tablet **ret_tablet)
{
    if (ctl->words.count == 0 && str_is_empty(ctl->options.tablet_path))
        return ctl_wrong_use(ctl, "name a tablet, or give --tablet-path");
    if (ctl->words.count == 0)
        strv_addf(&ctl->words, "%s", ctl->options.tablet_path);
    return ctl_read_tablet(ctl, 0, ret_tablet);
}

static struct error *
drain_within(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(read_drained(ctl, &tablet));
    if (tablet->type == TOPODATA__TABLET_TYPE__SPARE) {
        ctl_note(ctl, "%s is out of service already", alias_text_of(tablet).text);
        return NULL;
    }
    if (tablet->type == TOPODATA__TABLET_TYPE__PRIMARY) {
        TRY(hand_over(ctl, tablet));
        ctl_note(ctl, "%s has handed over", alias_text_of(tablet).text);
    } else if (!tablet_type_is_replica(tablet->type)) {
        ctl_note(ctl, "%s is %s: it does not serve", alias_text_of(tablet).text,
                 tablet_type_name(tablet->type));
        return NULL;
    }
    TRY(leave_serving(ctl, tablet));
    ctl_note(ctl, "%s is out of service: it replicates, as spare", alias_text_of(tablet).text);
    return NULL;
}

/* The whole verb has one budget, whatever it is made of. */
static struct error *
drain(struct ctl *ctl)
{
    if (ctl->options.drain_timeout_ms <= 0)
        return ctl_wrong_use(ctl, "--timeout must be more than 0");
    struct cancel *whole = ctl->cancel;
    ctl->cancel = cancel_new_child(whole, ctl->options.drain_timeout_ms);
    struct error *error = drain_within(ctl);
    cancel_unref(ctl->cancel);
    ctl->cancel = whole;
    return error;
}

/* ---- The table ---- */

static const struct option_row health_rows[] = {
    CTL_OPTION("watch", OPTION_FLAG, is_watching, NULL, "show it every second"),
};
static const struct option_row drain_rows[] = {
    CTL_OPTION("timeout", OPTION_DURATION, drain_timeout_ms, "25s", "longest time it may take"),
    CTL_OPTION("tablet-path", OPTION_TEXT, tablet_path, NULL, "the tablet, where none is named"),
};

#define HEALTH "Health"
static const struct ctl_verb verbs[] = {
    {"Health", NULL, HEALTH, "[--watch] [KEYSPACE/SHARD]",
     "shows how tablets are, from what they say in etcd", CTL_ROWS(health_rows), 0, 1, show_health,
     false},
    {"Drain", NULL, HEALTH, "[--timeout 25s] [TABLET]",
     "takes a tablet out of service: a primary hands over first", CTL_ROWS(drain_rows), 0, 1, drain,
     false},
};

struct ctl_family
health_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
