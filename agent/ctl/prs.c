/* PlannedReparentShard: everybody is up, and nothing is lost. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/parallel.h"
#include "agent/ctl/print.h"
#include "agent/ctl/reparent.h"
#include "agent/ctl/repoint.h"

#define BUFFER_POOL_VARIABLE "Innodb_buffer_pool_pages_data"

static int64_t
remote_ms(const struct prs *prs)
{
    return prs->ctl->options.remote_timeout_ms;
}

/* ---- Is everybody there? ---- */

struct reaching {
    struct prs *prs;
    struct cancel *cancel;
    struct error *first;
    pthread_mutex_t mutex;
};

static int64_t
pages_of(const Tabletmanagerdata__GetGlobalStatusVarsResponse *response)
{
    for (size_t i = 0; i < response->n_status_values; i++) {
        if (str_equal(response->status_values[i]->key, BUFFER_POOL_VARIABLE))
            return strtoll(response->status_values[i]->value, NULL, 10);
    }
    return 0;
}

static void
reach_one(size_t index, void *data)
{
    struct reaching *reaching = data;
    struct contender *contender = &reaching->prs->contenders[index];
    Tabletmanagerdata__GetGlobalStatusVarsRequest request =
        TABLETMANAGERDATA__GET_GLOBAL_STATUS_VARS_REQUEST__INIT;
    char *names[] = {(char *)(uintptr_t)BUFFER_POOL_VARIABLE};
    request.variables = names;
    request.n_variables = 1;
    CLEANUP(record_freep) Tabletmanagerdata__GetGlobalStatusVarsResponse *response = NULL;
    struct error *error = ctl_call(reaching->prs->ctl, contender->tablet, "GetGlobalStatusVars",
                                   &request.base, reaching->cancel, 0, &response);
    if (error == NULL) {
        contender->buffer_pool_pages = pages_of(response);
        return;
    }
    pthread_mutex_lock(&reaching->mutex);
    reaching->first = error_first(reaching->first, error);
    pthread_mutex_unlock(&reaching->mutex);
    cancel_request(reaching->cancel);
}

static struct error *
reach_all(struct prs *prs)
{
    struct reaching reaching = {.prs = prs};
    pthread_mutex_init(&reaching.mutex, NULL);
    reaching.cancel = cancel_new_child(prs->ctl->cancel, remote_ms(prs));
    parallel_run(prs->view.tablets.count, reach_one, &reaching);
    cancel_unref(reaching.cancel);
    pthread_mutex_destroy(&reaching.mutex);
    return error_wrap(reaching.first, "not all tablets answer");
}

/* ---- The four cases ---- */

enum prs_case {
    PRS_INIT,    /* there never was a primary */
    PRS_RECOVER, /* there was one, but who is not clear now */
    PRS_REFRESH, /* the elect is primary already: mend the others */
    PRS_SWITCH,
};

static enum prs_case
case_of(const struct prs *prs)
{
    if (prs->current == NULL)
        return prs->view.record->primary_term_start_time == NULL ? PRS_INIT : PRS_RECOVER;
    return prs->current == prs->elect ? PRS_REFRESH : PRS_SWITCH;
}

static struct error *
refresh_primary(struct prs *prs, char **ret_position)
{
    TRY(ctl_call(prs->ctl, prs->elect, "SetReadWrite", NULL, prs->ctl->cancel, remote_ms(prs),
                 NULL));
    return call_primary_position(prs->ctl, prs->elect, prs->ctl->cancel, remote_ms(prs),
                                 ret_position);
}

static struct error *
demote(struct ctl *ctl, const Topodata__Tablet *tablet, struct cancel *cancel, int64_t timeout_ms,
       char **ret_position)
{
    CLEANUP(record_freep) Tabletmanagerdata__DemotePrimaryResponse *response = NULL;
    TRY(ctl_call(ctl, tablet, "DemotePrimary", NULL, cancel, timeout_ms, &response));
    if (response->primary_status == NULL)
        return error_new(ERROR_INTERNAL, "tablet '%s' was demoted but tells no position",
                         alias_text_of(tablet).text);
    *ret_position = xstrdup(response->primary_status->position);
    return NULL;
}

/* The primary keeps writing while its successor catches up with a position of a moment ago: the
 * pause to come is only as long as the rest. */
static struct error *
catch_up(struct prs *prs)
{
    CLEANUP(freep) char *position = NULL;
    TRY(error_wrap(
        call_primary_position(prs->ctl, prs->current, prs->ctl->cancel, remote_ms(prs), &position),
        "the present primary must be healthy"));
    struct set_source source = {
        .parent = prs->current->alias,
        .wait_position = position,
        .is_forced = true,
        .wants_semi_sync = shard_replica_semi_sync(&prs->view, prs->elect, prs->current),
    };
    return error_wrap(call_set_source(prs->ctl, prs->elect, &source, prs->ctl->cancel,
                                      prs->options->wait_replicas_timeout_ms),
                      "'%s' did not catch up", alias_text_of(prs->elect).text);
}

/* On its own time: the shard must not stay without a primary because our deadline is over. */
static struct error *
undo_demotion(struct prs *prs, struct error *take_cause)
{
    Tabletmanagerdata__UndoDemotePrimaryRequest request =
        TABLETMANAGERDATA__UNDO_DEMOTE_PRIMARY_REQUEST__INIT;
    request.semisync = shard_primary_semi_sync(&prs->view);
    ctl_note(prs->ctl, "undoing the demotion of %s", alias_text_of(prs->current).text);
    struct error *error = ctl_call(prs->ctl, prs->current, "UndoDemotePrimary", &request.base, NULL,
                                   remote_ms(prs), NULL);
    if (error == NULL)
        return error_wrap(take_cause, "'%s' stays primary", alias_text_of(prs->current).text);
    struct error *both = error_new(take_cause->code, "%s; and undoing the demotion failed: %s",
                                   take_cause->message, error->message);
    error_free(take_cause);
    error_free(error);
    return both;
}

static struct error *
switch_primary(struct prs *prs)
{
    TRY(catch_up(prs));
    TRY(shard_view_check(prs->ctl, &prs->view));
    ctl_note(prs->ctl, "demoting %s", alias_text_of(prs->current).text);
    CLEANUP(freep) char *position = NULL;
    TRY(demote(prs->ctl, prs->current, prs->ctl->cancel, remote_ms(prs), &position));
    struct error *error = call_wait_for_position(prs->ctl, prs->elect, position, prs->ctl->cancel,
                                                 prs->options->wait_replicas_timeout_ms);
    if (error == NULL)
        error = cancel_check(prs->ctl->cancel);
    return error == NULL ? NULL : undo_demotion(prs, error);
}

/* ---- Nobody is clearly primary: all become read-only, then the elect must have everything ---- */

struct demoting {
    struct prs *prs;
    struct cancel *cancel;
    struct position **positions;
    struct error **errors;
};

static void
demote_one(size_t index, void *data)
{
    const struct demoting *demoting = data;
    const Topodata__Tablet *tablet = demoting->prs->view.tablets.items[index];
    CLEANUP(freep) char *text = NULL;
    struct error *error = demote(demoting->prs->ctl, tablet, demoting->cancel, 0, &text);
    if (error == NULL)
        error = position_parse(text, &demoting->positions[index]);
    demoting->errors[index] = error;
}

static struct error *
check_has_all(const struct prs *prs, struct position *const *positions)
{
    struct tablet_alias alias = tablet_alias_of(prs->elect->alias);
    const struct position *best = positions[shard_view_find(&prs->view, &alias)];
    for (size_t i = 0; i < prs->view.tablets.count; i++) {
        if (!position_contains(best, positions[i]))
            return error_new(
                ERROR_FAILED_PRECONDITION, "tablet '%s' has transactions that '%s' has not",
                alias_text_of(prs->view.tablets.items[i]).text, alias_text_of(prs->elect).text);
    }
    return NULL;
}

static struct error *
recover_primary(struct prs *prs)
{
    size_t count = prs->view.tablets.count;
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(prs->ctl->cancel, remote_ms(prs));
    CLEANUP(freep) struct position **positions = xcalloc(count + 1, sizeof(*positions));
    CLEANUP(freep) struct error **errors = xcalloc(count + 1, sizeof(*errors));
    struct demoting demoting = {prs, bounded, positions, errors};
    ctl_note(prs->ctl, "no clear primary: demoting all tablets");
    parallel_run(count, demote_one, &demoting);
    struct error *error = NULL;
    for (size_t i = 0; i < count; i++)
        error = error_first(error, errors[i]);
    if (error == NULL)
        error = check_has_all(prs, positions);
    for (size_t i = 0; i < count; i++)
        position_free(positions[i]);
    return error == NULL ? shard_view_check(prs->ctl, &prs->view) : error;
}

/* ---- Everybody follows the elect ---- */

static struct error *
promote(struct prs *prs, struct cancel *cancel, bool needs_promotion, int64_t now_ns,
        char **position)
{
    if (needs_promotion) {
        ctl_note(prs->ctl, "promoting %s", alias_text_of(prs->elect).text);
        TRY(call_promote(prs->ctl, prs->elect, false, shard_primary_semi_sync(&prs->view), cancel,
                         0, position));
    }
    return call_populate_journal(prs->ctl, prs->elect, now_ns, "PlannedReparentShard",
                                 *position == NULL ? "" : *position, cancel, 0);
}

/* The replicas are sent first: with semi-sync the journal's row waits for one of them. */
static struct error *
reparent_all(struct prs *prs, bool needs_promotion, char **position)
{
    CLEANUP(cancel_unrefp)
    struct cancel *bounded =
        cancel_new_child(prs->ctl->cancel, prs->options->wait_replicas_timeout_ms);
    CLEANUP(repoint_done)
    struct repoint repoint = {
        .ctl = prs->ctl,
        .view = &prs->view,
        .primary = prs->elect,
        .time_created_ns = clock_wall_ns(),
        .cancel = bounded,
    };
    for (size_t i = 0; i < prs->view.tablets.count; i++) {
        if (prs->view.tablets.items[i] != prs->elect)
            repoint_add(&repoint, prs->view.tablets.items[i], false);
    }
    repoint_start(&repoint);
    struct error *error = promote(prs, bounded, needs_promotion, repoint.time_created_ns, position);
    if (error != NULL) {
        cancel_request(bounded);
        return error;
    }
    if (repoint_join(&repoint) == 0)
        return NULL;
    return error_wrap(repoint_error(&repoint),
                      "'%s' is primary, but not all tablets follow it (run the same command again "
                      "with --new-primary %s)",
                      alias_text_of(prs->elect).text, alias_text_of(prs->elect).text);
}

static struct error *
carry_out(struct prs *prs)
{
    enum prs_case kind = case_of(prs);
    CLEANUP(freep) char *position = NULL;
    switch (kind) {
    case PRS_INIT:
        ctl_note(prs->ctl, "making %s the first primary", alias_text_of(prs->elect).text);
        TRY(call_promote(prs->ctl, prs->elect, true, shard_primary_semi_sync(&prs->view),
                         prs->ctl->cancel, prs->options->wait_replicas_timeout_ms, &position));
        break;
    case PRS_RECOVER:
        TRY(recover_primary(prs));
        break;
    case PRS_REFRESH:
        ctl_note(prs->ctl, "%s is primary already: mending the others",
                 alias_text_of(prs->elect).text);
        TRY(refresh_primary(prs, &position));
        break;
    case PRS_SWITCH:
        TRY(switch_primary(prs));
        break;
    }
    TRY(shard_view_check(prs->ctl, &prs->view));
    TRY(reparent_all(prs, kind == PRS_RECOVER || kind == PRS_SWITCH, &position));
    if (kind == PRS_INIT)
        ctl_warn_take(prs->ctl, ctl_call(prs->ctl, prs->elect, "RefreshState", NULL,
                                         prs->ctl->cancel, remote_ms(prs), NULL));
    ctl_note(prs->ctl, "%s is primary of %s/%s", alias_text_of(prs->elect).text, prs->view.keyspace,
             prs->view.shard);
    return NULL;
}

/* ---- A dry run: the table of who and why, and the steps ---- */

static void
print_plan(struct prs *prs)
{
    static const char *const plans[] = {
        [PRS_INIT] = "would make %s the first primary, then let all others follow it\n",
        [PRS_RECOVER] = "would make all tablets read-only, check that %s has all transactions, "
                        "promote it, then let all others follow it\n",
        [PRS_REFRESH] = "%s is primary already: would make it writable and let all others follow "
                        "it\n",
        [PRS_SWITCH] = "would let %s catch up, demote the present primary, wait for the rest, "
                       "promote it, then let all others follow it\n",
    };
    CLEANUP(table_done) struct table table = {0};
    table_add(&table, "TABLET", "TYPE", "VERDICT", NULL);
    for (size_t i = 0; i < prs->view.tablets.count; i++) {
        const struct contender *contender = &prs->contenders[i];
        const char *verdict = contender->tablet == prs->elect ? "takes over"
                              : contender->reason == NULL     ? "could take over"
                                                              : contender->reason;
        table_add(&table, alias_text_of(contender->tablet).text,
                  tablet_type_name(contender->tablet->type), verdict, NULL);
    }
    table_print(&table, prs->ctl->out);
    fputs("\n", prs->ctl->out);
    const char *plan = plans[case_of(prs)];
    const char *gap = strstr(plan, "%s");
    fprintf(prs->ctl->out, "%.*s%s%s", (int)(gap - plan), plan, alias_text_of(prs->elect).text,
            gap + 2);
}

/* ---- Before anything is changed ---- */

static struct error *
check_expected(const struct prs *prs)
{
    struct tablet_alias primary = tablet_alias_of(prs->view.record->primary_alias);
    const struct tablet_alias *expected = &prs->options->expected_primary;
    if (tablet_alias_is_zero(expected) || tablet_alias_equal(expected, &primary))
        return NULL;
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(&primary, text);
    return error_new(ERROR_FAILED_PRECONDITION, "the primary is '%s', not the expected one",
                     tablet_alias_is_zero(&primary) ? "none" : text);
}

/* *ret_is_done: the primary to avoid is not primary: nothing to do. */
static struct error *
check_avoided(const struct prs *prs, bool *ret_is_done)
{
    struct tablet_alias primary = tablet_alias_of(prs->view.record->primary_alias);
    bool is_named = !tablet_alias_is_zero(&prs->options->new_primary);
    if (is_named && tablet_alias_equal(&prs->options->new_primary, &prs->avoid))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "the tablet to promote and the tablet to avoid are the same");
    *ret_is_done =
        !is_named && !tablet_alias_is_zero(&primary) && !tablet_alias_equal(&prs->avoid, &primary);
    return NULL;
}

/* An action that a tablet has under way may be about to change who is primary: an earlier promotion
 * whose caller went away. This waits until it is over. */
static void
settle_one(size_t index, void *data)
{
    struct prs *prs = data;
    struct error *error = ctl_call(prs->ctl, prs->view.tablets.items[index], "RefreshState", NULL,
                                   prs->ctl->cancel, remote_ms(prs), NULL);
    error_free(error); /* who does not answer is told of by reach_all */
}

/* Then the records are read anew. */
static struct error *
settle_all(struct prs *prs)
{
    if (prs->options->is_dry_run)
        return NULL;
    parallel_run(prs->view.tablets.count, settle_one, prs);
    struct tablet_list fresh = {0};
    TRY(topo_list_shard_tablets(prs->ctl->topo, prs->ctl->cancel, prs->view.keyspace,
                                prs->view.shard, &fresh));
    tablet_list_done(&prs->view.tablets);
    prs->view.tablets = fresh;
    return NULL;
}

static struct error *
open_prs(struct prs *prs)
{
    char elect[TABLET_ALIAS_TEXT_MAX], avoid[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(&prs->options->new_primary, elect);
    tablet_alias_format(&prs->options->avoid_primary, avoid);
    CLEANUP(freep)
    char *action = xasprintf("PlannedReparentShard(%s, AvoidPrimary = %s)",
                             tablet_alias_is_zero(&prs->options->new_primary) ? "<nil>" : elect,
                             tablet_alias_is_zero(&prs->options->avoid_primary) ? "<nil>" : avoid);
    TRY(shard_view_open(prs->ctl, prs->options->shard_name,
                        prs->options->is_dry_run ? NULL : action, &prs->view));
    TRY(settle_all(prs));
    prs->avoid = prs->options->avoid_primary;
    if (tablet_alias_is_zero(&prs->avoid) && tablet_alias_is_zero(&prs->options->new_primary))
        prs->avoid = tablet_alias_of(prs->view.record->primary_alias);
    prs->contenders = xcalloc(prs->view.tablets.count + 1, sizeof(*prs->contenders));
    for (size_t i = 0; i < prs->view.tablets.count; i++)
        prs->contenders[i].tablet = prs->view.tablets.items[i];
    bool is_tied;
    prs->current = find_current_primary(&prs->view.tablets, &is_tied);
    if (is_tied)
        ctl_warn(prs->ctl, "several tablets are primary since the same moment: none counts");
    return NULL;
}

static struct error *
run_prs(struct prs *prs)
{
    TRY(open_prs(prs));
    TRY(check_expected(prs));
    TRY(reach_all(prs));
    bool is_done = false;
    TRY(check_avoided(prs, &is_done));
    if (is_done) {
        ctl_note(prs->ctl, "the tablet to avoid is not primary: nothing to do");
        return NULL;
    }
    TRY(prs_elect(prs));
    if (prs->options->is_dry_run) {
        print_plan(prs);
        return NULL;
    }
    TRY(shard_view_check(prs->ctl, &prs->view));
    return carry_out(prs);
}

struct error *
planned_reparent(struct ctl *ctl, const struct prs_options *options)
{
    struct prs prs = {.ctl = ctl, .options = options};
    struct error *error = run_prs(&prs);
    for (size_t i = 0; prs.contenders != NULL && i < prs.view.tablets.count; i++)
        contender_done(&prs.contenders[i]);
    free(prs.contenders);
    shard_view_done(&prs.view);
    return error;
}
