/* EmergencyReparentShard: the primary is gone; the most advanced replica's transactions survive. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/ers_ask.h"
#include "agent/ctl/print.h"
#include "agent/ctl/repoint.h"

struct ers {
    struct ctl *ctl;
    const struct ers_options *options;
    struct shard_view view;
    char *action; /* the lock's text; the reparent journal's too */
    struct ers_set set;
    size_t wanted, primary; /* indexes; ERS_NONE */
    struct ers_order order;
    size_t source, chosen;
    bool has_stopped; /* and nobody was pointed elsewhere yet */
};

static const Topodata__Tablet *
record_of(const struct ers *ers, size_t index)
{
    return index == ERS_NONE ? NULL : ers->set.items[index].contender.tablet;
}

static const char *
name_of(const struct ers *ers, size_t index, struct alias_text *space)
{
    *space = alias_text_of(record_of(ers, index));
    return space->text;
}

/* ---- Opening ---- */

static struct error *
find_index(const struct ers *ers, const struct tablet_alias *alias, size_t *ret_index)
{
    if (tablet_alias_is_zero(alias)) {
        *ret_index = ERS_NONE;
        return NULL;
    }
    *ret_index = shard_view_find(&ers->view, alias);
    if (*ret_index != SHARD_VIEW_NONE)
        return NULL;
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(alias, text);
    return error_new(ERROR_FAILED_PRECONDITION, "tablet '%s' is not in shard '%s/%s'", text,
                     ers->view.keyspace, ers->view.shard);
}

static struct error *
check_expected(const struct ers *ers)
{
    struct tablet_alias primary = tablet_alias_of(ers->view.record->primary_alias);
    const struct tablet_alias *expected = &ers->options->expected_primary;
    if (tablet_alias_is_zero(expected) || tablet_alias_equal(expected, &primary))
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION, "the primary is '%s', not the expected one",
                     alias_text_from(ers->view.record->primary_alias).text);
}

static char *
action_text(const struct tablet_alias *wanted)
{
    if (tablet_alias_is_zero(wanted))
        return xstrdup("EmergencyReparentShard");
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(wanted, text);
    return xasprintf("EmergencyReparentShard(%s)", text);
}

static struct error *
open_ers(struct ers *ers)
{
    const struct ers_options *options = ers->options;
    ers->action = action_text(&options->new_primary);
    TRY(shard_view_open(ers->ctl, options->shard_name, options->is_dry_run ? NULL : ers->action,
                        &ers->view));
    TRY(check_expected(ers));
    struct tablet_alias primary = tablet_alias_of(ers->view.record->primary_alias);
    TRY(error_wrap(find_index(ers, &primary, &ers->primary), "the shard's primary"));
    TRY(find_index(ers, &options->new_primary, &ers->wanted));
    ers->set.durability = ers->view.durability;
    ers->set.count = ers->view.tablets.count;
    ers->set.items = xcalloc(ers->set.count + 1, sizeof(*ers->set.items));
    for (size_t i = 0; i < ers->set.count; i++) {
        struct ers_tablet *tablet = &ers->set.items[i];
        tablet->contender.tablet = ers->view.tablets.items[i];
        tablet->is_ignored =
            strv_contains(options->ignored_replicas, alias_text_of(tablet->contender.tablet).text);
    }
    return NULL;
}

/* ---- Choosing ---- */

static struct error *
rank(struct ers *ers)
{
    int64_t wait_ms = ers->options->wait_replicas_timeout_ms;
    TRY(ers_check_reached(&ers->set, ers->primary));
    TRY(shard_view_check(ers->ctl, &ers->view));
    TRY(ers_rank_positions(&ers->set));
    if (!ers->options->is_dry_run)
        TRY(ers_apply_relay_logs(ers->ctl, &ers->set, wait_ms));
    if (ers->set.is_gtid_based) {
        TRY(ers_read_journals(ers->ctl, &ers->set, wait_ms));
        ers_reject_errant(&ers->set);
    }
    return NULL;
}

static struct error *
choose(struct ers *ers)
{
    TRY(rank(ers));
    const char *cell = ers->options->prevents_cross_cell && ers->primary != ERS_NONE
                           ? record_of(ers, ers->primary)->alias->cell
                           : NULL;
    TRY(ers_find_source(&ers->set, ers->wanted, &ers->source, &ers->order));
    TRY(ers_keep_promotable(&ers->set, cell, ers->wanted, &ers->order));
    return ers_choose(&ers->set, &ers->order, ers->source, ers->wanted, &ers->chosen);
}

/* ---- A better tablet than the most advanced one catches up with it first ---- */

static void
add_target(const struct ers *ers, struct repoint *repoint, size_t index)
{
    const struct ers_tablet *tablet = &ers->set.items[index];
    repoint_add(repoint, tablet->contender.tablet, tablet->is_replica && tablet->was_running);
}

/* Keeps in the order who follows the source now. */
static void
keep_followers(struct ers *ers, const struct repoint *repoint)
{
    size_t kept = 0;
    for (size_t i = 0; i < ers->order.count; i++) {
        size_t index = ers->order.items[i];
        bool follows = index == ers->source;
        for (size_t k = 0; k < repoint->count; k++) {
            if (repoint->targets[k].tablet == record_of(ers, index))
                follows = repoint->targets[k].error == NULL;
        }
        if (follows)
            ers->order.items[kept++] = index;
        else
            contender_reject(&ers->set.items[index].contender,
                             "it did not follow the most advanced tablet");
    }
    ers->order.count = kept;
}

static struct error *
follow_source(struct ers *ers)
{
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(NULL, ers->options->wait_replicas_timeout_ms);
    CLEANUP(repoint_done)
    struct repoint repoint = {
        .ctl = ers->ctl,
        .view = &ers->view,
        .primary = record_of(ers, ers->source),
        .cancel = bounded,
    };
    for (size_t i = 0; i < ers->order.count; i++) {
        if (ers->order.items[i] != ers->source)
            add_target(ers, &repoint, ers->order.items[i]);
    }
    repoint_start(&repoint);
    size_t failed = repoint_join(&repoint);
    if (failed > 0 && failed == repoint.count && ers->order.count > 2)
        return error_wrap(repoint_error(&repoint), "nobody follows the most advanced tablet");
    ctl_warn_take(ers->ctl, repoint_error(&repoint));
    keep_followers(ers, &repoint);
    return NULL;
}

static struct error *
catch_up(struct ers *ers)
{
    struct ctl *ctl = ers->ctl;
    CLEANUP(freep) char *position = NULL;
    TRY(call_primary_position(ctl, record_of(ers, ers->source), ctl->cancel,
                              ctl->options.remote_timeout_ms, &position));
    return call_wait_for_position(ctl, record_of(ers, ers->chosen), position, ctl->cancel,
                                  ers->options->wait_replicas_timeout_ms);
}

static struct error *
improve(struct ers *ers)
{
    struct alias_text source, chosen;
    if (ers->chosen == ers->source)
        return NULL;
    ctl_note(ers->ctl, "%s is the most advanced, %s shall be primary: it catches up first",
             name_of(ers, ers->source, &source), name_of(ers, ers->chosen, &chosen));
    TRY(follow_source(ers));
    TRY(ers_choose(&ers->set, &ers->order, ers->source, ers->wanted, &ers->chosen));
    if (ers->chosen != ers->source)
        TRY(catch_up(ers));
    return shard_view_check(ers->ctl, &ers->view);
}

/* ---- Promoting ---- */

static struct error *
promote(struct ers *ers)
{
    struct ctl *ctl = ers->ctl;
    const Topodata__Tablet *elect = record_of(ers, ers->chosen);
    CLEANUP(freep) char *position = NULL;
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(ctl->cancel, ctl->options.remote_timeout_ms);
    ctl_note(ctl, "promoting %s", alias_text_of(elect).text);
    TRY(call_promote(ctl, elect, ers->view.record->primary_alias == NULL,
                     shard_primary_semi_sync(&ers->view), bounded, 0, &position));
    return call_populate_journal(ctl, elect, clock_wall_ns(), ers->action, position, bounded, 0);
}

static struct error *
judge_followers(struct ers *ers, struct repoint *repoint)
{
    size_t failed = repoint_join(repoint);
    if (failed == 0)
        return NULL;
    struct error *error = repoint_error(repoint);
    /* Of two tablets the other one is the dead primary; of more, one at least must follow. */
    if (failed < repoint->count || ers->view.tablets.count <= 2) {
        ctl_warn_take(ers->ctl, error_wrap(error, "not following yet"));
        return NULL;
    }
    return error_wrap(error, "'%s' is primary, but nobody follows it",
                      alias_text_of(repoint->primary).text);
}

static struct error *
promote_chosen(struct ers *ers)
{
    /* Not the verb's token: who is being pointed to the new primary shall get there. */
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(NULL, ers->options->wait_replicas_timeout_ms);
    CLEANUP(repoint_done)
    struct repoint repoint = {
        .ctl = ers->ctl,
        .view = &ers->view,
        .primary = record_of(ers, ers->chosen),
        .cancel = bounded,
    };
    for (size_t i = 0; i < ers->set.count; i++) {
        if (i != ers->chosen && !ers->set.items[i].is_ignored)
            add_target(ers, &repoint, i);
    }
    repoint_start(&repoint);
    struct error *error = promote(ers);
    if (error != NULL) {
        cancel_request(bounded);
        return error_wrap(error, "promote '%s'", alias_text_of(repoint.primary).text);
    }
    ctl_note(ers->ctl, "%s is primary of %s/%s", alias_text_of(repoint.primary).text,
             ers->view.keyspace, ers->view.shard);
    return judge_followers(ers, &repoint);
}

/* ---- Dry run ---- */

static void
print_plan(const struct ers *ers, const struct error *error)
{
    FILE *out = ers->ctl->out;
    struct alias_text space;
    CLEANUP(table_done) struct table table = {0};
    table_add(&table, "TABLET", "TYPE", "POSITION", "VERDICT", NULL);
    for (size_t i = 0; i < ers->set.count; i++) {
        const struct ers_tablet *tablet = &ers->set.items[i];
        CLEANUP(freep) char *position = position_text(tablet->contender.combined);
        const char *verdict = error == NULL && i == ers->chosen  ? "would be promoted"
                              : tablet->contender.reason != NULL ? tablet->contender.reason
                                                                 : "would follow";
        table_add(&table, name_of(ers, i, &space), tablet_type_name(tablet->contender.tablet->type),
                  position, verdict, NULL);
    }
    table_print(&table, out);
    fprintf(out, "\n");
    if (error == NULL && ers->chosen != ers->source)
        fprintf(out,
                "%s has the most transactions: the one promoted would catch up with it first\n",
                name_of(ers, ers->source, &space));
    if (error == NULL)
        fprintf(out,
                "would stop replication everywhere, wait until all have applied what they "
                "received, promote %s, then let all others follow it\n",
                name_of(ers, ers->chosen, &space));
}

static struct error *
run_dry(struct ers *ers)
{
    ers_look_at_all(ers->ctl, &ers->set);
    struct error *error = choose(ers);
    print_plan(ers, error);
    return error;
}

/* ---- All of it ---- */

static struct error *
run_ers(struct ers *ers)
{
    TRY(open_ers(ers));
    if (ers->options->is_dry_run)
        return run_dry(ers);
    ctl_note(ers->ctl, "stopping replication on all tablets of %s/%s", ers->view.keyspace,
             ers->view.shard);
    ers->has_stopped = true;
    ers_stop_all(ers->ctl, &ers->set, ers->wanted, ers->options->waits_for_all);
    TRY(choose(ers));
    TRY(shard_view_check(ers->ctl, &ers->view));
    ers->has_stopped = false;
    TRY(improve(ers));
    return promote_chosen(ers);
}

/* A reparent that ends before anybody was pointed elsewhere leaves replication as it was. */
static void
undo(struct ers *ers)
{
    struct error *lost = ers->view.lock == NULL ? NULL : topo_lock_check(ers->view.lock, NULL);
    if (lost != NULL) {
        ctl_warn_take(ers->ctl, error_wrap(lost, "replication stays stopped"));
        return;
    }
    ctl_note(ers->ctl, "starting replication again");
    ers_restart_replication(ers->ctl, &ers->view, &ers->set, record_of(ers, ers->primary));
}

struct error *
emergency_reparent(struct ctl *ctl, const struct ers_options *options)
{
    struct ers ers = {.ctl = ctl, .options = options, .wanted = ERS_NONE, .primary = ERS_NONE};
    struct error *error = run_ers(&ers);
    if (error != NULL && ers.has_stopped)
        undo(&ers);
    ers_order_done(&ers.order);
    ers_set_done(&ers.set);
    shard_view_done(&ers.view);
    free(ers.action);
    return error;
}
