#include <stdlib.h>

#include "agent/ctl/parallel.h"
#include "agent/ctl/reparent.h"

/* ---- Who may stand ---- */

static void
reject_by_record(struct prs *prs, struct contender *contender)
{
    const struct prs_options *options = prs->options;
    struct tablet_alias alias = tablet_alias_of(contender->tablet->alias);
    struct tablet_alias last = tablet_alias_of(prs->view.record->primary_alias);
    if (!tablet_alias_is_zero(&options->new_primary)) {
        /* Whoever is named may have any type and live in any cell. */
        if (!tablet_alias_equal(&alias, &options->new_primary))
            contender_reject(contender, "another one was asked for");
        return;
    }
    if (!options->allows_cross_cell && !tablet_alias_is_zero(&last) &&
        !str_equal(alias.cell, last.cell))
        contender_reject(contender, "not in cell '%s' of the present primary", last.cell);
    else if (!tablet_alias_is_zero(&prs->avoid) && tablet_alias_equal(&alias, &prs->avoid))
        contender_reject(contender, "it is the one to avoid");
    else if (contender->tablet->type != TOPODATA__TABLET_TYPE__REPLICA)
        contender_reject(contender, "its type is %s, not replica",
                         tablet_type_name(contender->tablet->type));
}

static size_t
count_racing(const struct prs *prs, const struct contender **ret_last)
{
    size_t count = 0;
    for (size_t i = 0; i < prs->view.tablets.count; i++) {
        if (prs->contenders[i].reason != NULL)
            continue;
        count++;
        *ret_last = &prs->contenders[i];
    }
    return count;
}

/* ---- How far they are ---- */

struct asking {
    struct prs *prs;
    struct cancel *cancel; /* the first error ends the others */
    struct error **errors;
};

static struct error *
read_status(const struct prs *prs, struct contender *contender,
            const Replicationdata__Status *status)
{
    if (status == NULL)
        return error_new(ERROR_INTERNAL, "tablet '%s' answers without a status",
                         alias_text_of(contender->tablet).text);
    TRY(position_parse(status->position, &contender->executed));
    TRY(position_parse(status->relay_log_position, &contender->combined));
    int64_t tolerable_ms = prs->options->tolerable_lag_ms;
    if (tolerable_ms > 0 && (int64_t)status->replication_lag_seconds * 1000 > tolerable_ms)
        contender_reject(contender, "lags by %u s", status->replication_lag_seconds);
    if (status->backup_running)
        contender_reject(contender, "a backup is running on it");
    if (status->replication_lag_unknown)
        contender_reject(contender, "its lag is not known: it does not replicate");
    return NULL;
}

static void
ask_status(size_t index, void *data)
{
    const struct asking *asking = data;
    struct prs *prs = asking->prs;
    struct contender *contender = &prs->contenders[index];
    if (contender->reason != NULL)
        return;
    CLEANUP(record_freep) Tabletmanagerdata__ReplicationStatusResponse *response = NULL;
    struct error *error = ctl_call(prs->ctl, contender->tablet, "ReplicationStatus", NULL,
                                   asking->cancel, 0, &response);
    if (error_says_not_a_replica(error)) {
        error_free(error); /* it has nothing, and may still be the first primary */
        return;
    }
    if (error == NULL)
        error = read_status(prs, contender, response->status);
    if (error != NULL)
        cancel_request(asking->cancel);
    asking->errors[index] = error;
}

static struct error *
take_first_error(struct error **errors, size_t count)
{
    struct error *first = NULL;
    for (int pass = 0; pass < 2; pass++) {
        /* Those that were only canceled because another failed come last. */
        for (size_t i = 0; i < count; i++) {
            if (errors[i] == NULL || (pass == 0 && error_is(errors[i], ERROR_CANCELED)))
                continue;
            first = error_first(first, errors[i]);
            errors[i] = NULL;
        }
    }
    return first;
}

static struct error *
ask_positions(struct prs *prs)
{
    size_t count = prs->view.tablets.count;
    CLEANUP(cancel_unrefp)
    struct cancel *bounded =
        cancel_new_child(prs->ctl->cancel, prs->options->wait_replicas_timeout_ms);
    CLEANUP(freep) struct error **errors = xcalloc(count + 1, sizeof(*errors));
    struct asking asking = {prs, bounded, errors};
    parallel_run(count, ask_status, &asking);
    return take_first_error(errors, count);
}

/* ---- The choice ---- */

static struct error *
nobody_left(const struct prs *prs)
{
    CLEANUP(strv_done) struct strv reasons = {0};
    for (size_t i = 0; i < prs->view.tablets.count; i++)
        strv_addf(&reasons, "%s: %s", alias_text_of(prs->contenders[i].tablet).text,
                  prs->contenders[i].reason);
    CLEANUP(freep) char *text = strv_join(&reasons, "; ");
    return error_new(ERROR_INTERNAL, "no tablet can take over: %s", text);
}

static const Topodata__Tablet *
best_of(const struct prs *prs)
{
    CLEANUP(freep)
    struct contender **racing = xcalloc(prs->view.tablets.count + 1, sizeof(*racing));
    size_t count = 0;
    for (size_t i = 0; i < prs->view.tablets.count; i++) {
        if (prs->contenders[i].reason == NULL)
            racing[count++] = &prs->contenders[i];
    }
    contenders_sort(racing, count);
    for (size_t i = 1; i < count; i++)
        contender_reject(racing[i], "%s is preferred", alias_text_of(racing[0]->tablet).text);
    return count == 0 ? NULL : racing[0]->tablet;
}

static struct error *
check_progress(const struct prs *prs)
{
    struct tablet_set all = {(const Topodata__Tablet **)prs->view.tablets.items,
                             prs->view.tablets.count};
    if (durability_can_establish(prs->view.durability, prs->elect, &all))
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "tablet '%s' could not complete a write: too few tablets would acknowledge",
                     alias_text_of(prs->elect).text);
}

struct error *
prs_elect(struct prs *prs)
{
    if (!tablet_alias_is_zero(&prs->options->new_primary) &&
        shard_view_find(&prs->view, &prs->options->new_primary) == SHARD_VIEW_NONE) {
        char text[TABLET_ALIAS_TEXT_MAX];
        tablet_alias_format(&prs->options->new_primary, text);
        return error_new(ERROR_FAILED_PRECONDITION, "tablet '%s' is not in shard '%s/%s'", text,
                         prs->view.keyspace, prs->view.shard);
    }
    for (size_t i = 0; i < prs->view.tablets.count; i++)
        reject_by_record(prs, &prs->contenders[i]);
    const struct contender *only = NULL;
    size_t count = count_racing(prs, &only);
    if (count != 1 || prs->options->tolerable_lag_ms > 0)
        TRY(ask_positions(prs));
    prs->elect = count == 1 && prs->options->tolerable_lag_ms == 0 ? only->tablet : best_of(prs);
    if (prs->elect == NULL)
        return nobody_left(prs);
    return check_progress(prs);
}
