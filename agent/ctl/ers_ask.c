#include "agent/ctl/ers_ask.h"

#include <stdlib.h>

#include "agent/ctl/parallel.h"

#define STATE_CONNECTING 2
#define STATE_RUNNING 3

struct round {
    struct ctl *ctl;
    struct ers_set *set;
    struct cancel *cancel;
    /* for ers_stop_all */
    pthread_mutex_t mutex;
    size_t successes, needed;
    size_t awaited; /* index that must have answered; ERS_NONE: nobody */
    bool has_awaited;
};

/* ---- Reading answers ---- */

static bool
is_io_healthy(const Replicationdata__Status *status)
{
    return status->io_state == STATE_RUNNING ||
           (status->io_state == STATE_CONNECTING && str_is_empty(status->last_io_error));
}

static struct error *
read_after(struct ers_tablet *tablet, const Replicationdata__Status *after)
{
    TRY(position_parse(after->position, &tablet->executed));
    TRY(position_parse(after->relay_log_position, &tablet->relay_log));
    tablet->wait_position = xstrdup(str_is_empty(after->relay_log_position)
                                        ? after->relay_log_source_binlog_equivalent_position
                                        : after->relay_log_position);
    tablet->source_uuid = xstrdup(after->source_uuid);
    tablet->has_backup_running = after->backup_running;
    tablet->is_replica = true;
    return NULL;
}

static struct error *
read_stopped(struct ers_tablet *tablet, const Replicationdata__StopReplicationStatus *status)
{
    if (status == NULL || status->before == NULL || status->after == NULL)
        return error_new(ERROR_INTERNAL, "tablet '%s' answers without a status",
                         alias_text_of(tablet->contender.tablet).text);
    const Replicationdata__Status *before = status->before;
    tablet->was_io_healthy = is_io_healthy(before);
    tablet->was_running = before->io_state == STATE_RUNNING || before->sql_state == STATE_RUNNING;
    return read_after(tablet, status->after);
}

static struct error *
read_demoted(struct ers_tablet *tablet, const Replicationdata__PrimaryStatus *status)
{
    if (status == NULL)
        return error_new(ERROR_INTERNAL, "tablet '%s' answers without a status",
                         alias_text_of(tablet->contender.tablet).text);
    return position_parse(status->position, &tablet->executed);
}

/* ---- Stopping ---- */

static struct error *
demote_forced(struct round *round, struct ers_tablet *tablet)
{
    Tabletmanagerdata__DemotePrimaryRequest request =
        TABLETMANAGERDATA__DEMOTE_PRIMARY_REQUEST__INIT;
    request.force = true;
    CLEANUP(record_freep) Tabletmanagerdata__DemotePrimaryResponse *response = NULL;
    TRY(error_wrap(ctl_call(round->ctl, tablet->contender.tablet, "DemotePrimary", &request.base,
                            round->cancel, 0, &response),
                   "it takes itself for a primary, and demoting it failed"));
    return read_demoted(tablet, response->primary_status);
}

static struct error *
stop_replica(struct round *round, struct ers_tablet *tablet)
{
    Tabletmanagerdata__StopReplicationAndGetStatusRequest request =
        TABLETMANAGERDATA__STOP_REPLICATION_AND_GET_STATUS_REQUEST__INIT;
    request.stop_replication_mode = REPLICATIONDATA__STOP_REPLICATION_MODE__IOTHREADONLY;
    CLEANUP(record_freep) Tabletmanagerdata__StopReplicationAndGetStatusResponse *response = NULL;
    struct error *error =
        ctl_call(round->ctl, tablet->contender.tablet, "StopReplicationAndGetStatus", &request.base,
                 round->cancel, 0, &response);
    if (error_says_not_a_replica(error)) {
        error_free(error);
        return demote_forced(round, tablet);
    }
    TRY(error);
    return read_stopped(tablet, response->status);
}

static void
count_answer(struct round *round, size_t index, bool is_success)
{
    pthread_mutex_lock(&round->mutex);
    round->successes += is_success;
    round->has_awaited |= index == round->awaited;
    bool is_enough =
        round->successes >= round->needed && (round->awaited == ERS_NONE || round->has_awaited);
    pthread_mutex_unlock(&round->mutex);
    if (is_enough)
        cancel_request(round->cancel);
}

static void
stop_one(size_t index, void *data)
{
    struct round *round = data;
    struct ers_tablet *tablet = &round->set->items[index];
    if (tablet->is_ignored)
        return;
    tablet->error = stop_replica(round, tablet);
    tablet->is_reached = tablet->error == NULL;
    count_answer(round, index, tablet->is_reached);
}

static void
report_unreached(struct ctl *ctl, const struct ers_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].error != NULL)
            ctl_warn(ctl, "%s", set->items[i].error->message);
    }
}

void
ers_stop_all(struct ctl *ctl, struct ers_set *set, size_t wanted, bool waits_for_all)
{
    struct round round = {.ctl = ctl, .set = set, .awaited = wanted};
    size_t asked = 0;
    for (size_t i = 0; i < set->count; i++)
        asked += !set->items[i].is_ignored;
    if (wanted != ERS_NONE && set->items[wanted].is_ignored)
        round.awaited = ERS_NONE;
    /* The primary is taken to be down: nobody waits for it. */
    round.needed = waits_for_all || asked == 0 ? asked : asked - 1;
    round.cancel = cancel_new_child(ctl->cancel, ctl->options.remote_timeout_ms);
    pthread_mutex_init(&round.mutex, NULL);
    parallel_run(set->count, stop_one, &round);
    pthread_mutex_destroy(&round.mutex);
    cancel_unref(round.cancel);
    report_unreached(ctl, set);
}

/* ---- Looking (dry run) ---- */

static struct error *
look_at(struct round *round, struct ers_tablet *tablet)
{
    CLEANUP(record_freep) Tabletmanagerdata__ReplicationStatusResponse *replica = NULL;
    struct error *error = ctl_call(round->ctl, tablet->contender.tablet, "ReplicationStatus", NULL,
                                   round->cancel, 0, &replica);
    if (error == NULL && replica->status != NULL)
        return read_after(tablet, replica->status);
    if (!error_says_not_a_replica(error))
        return error_first(error, error_new(ERROR_INTERNAL, "no status"));
    error_free(error);
    CLEANUP(record_freep) Tabletmanagerdata__PrimaryStatusResponse *primary = NULL;
    TRY(ctl_call(round->ctl, tablet->contender.tablet, "PrimaryStatus", NULL, round->cancel, 0,
                 &primary));
    return read_demoted(tablet, primary->status);
}

static void
look_at_one(size_t index, void *data)
{
    struct round *round = data;
    struct ers_tablet *tablet = &round->set->items[index];
    if (tablet->is_ignored)
        return;
    tablet->error = look_at(round, tablet);
    tablet->is_reached = tablet->error == NULL;
}

void
ers_look_at_all(struct ctl *ctl, struct ers_set *set)
{
    struct round round = {.ctl = ctl, .set = set};
    round.cancel = cancel_new_child(ctl->cancel, ctl->options.remote_timeout_ms);
    parallel_run(set->count, look_at_one, &round);
    cancel_unref(round.cancel);
}

/* ---- Rounds in which all must succeed ---- */

struct all_round {
    struct round round;
    struct error **errors;
    struct error *(*ask)(struct round *round, struct ers_tablet *tablet);
};

static void
ask_one(size_t index, void *data)
{
    struct all_round *all = data;
    struct ers_tablet *tablet = &all->round.set->items[index];
    if (tablet->contender.reason != NULL)
        return;
    all->errors[index] = all->ask(&all->round, tablet);
    if (all->errors[index] != NULL)
        cancel_request(all->round.cancel);
}

static struct error *
ask_all(struct ctl *ctl, struct ers_set *set, int64_t timeout_ms,
        struct error *(*ask)(struct round *, struct ers_tablet *))
{
    CLEANUP(freep) struct error **errors = xcalloc(set->count + 1, sizeof(*errors));
    struct all_round all = {.round = {.ctl = ctl, .set = set}, .errors = errors, .ask = ask};
    all.round.cancel = cancel_new_child(ctl->cancel, timeout_ms);
    parallel_run(set->count, ask_one, &all);
    cancel_unref(all.round.cancel);
    struct error *first = NULL, *canceled = NULL;
    for (size_t i = 0; i < set->count; i++) {
        if (error_is(errors[i], ERROR_CANCELED))
            canceled = error_first(canceled, errors[i]);
        else
            first = error_first(first, errors[i]);
    }
    return error_first(first, canceled);
}

static struct error *
apply_relay_log(struct round *round, struct ers_tablet *tablet)
{
    if (!tablet->is_replica || str_is_empty(tablet->wait_position))
        return NULL;
    return call_wait_for_position(round->ctl, tablet->contender.tablet, tablet->wait_position,
                                  round->cancel, 0);
}

struct error *
ers_apply_relay_logs(struct ctl *ctl, struct ers_set *set, int64_t timeout_ms)
{
    return error_wrap(ask_all(ctl, set, timeout_ms, apply_relay_log),
                      "not all tablets applied what they had received");
}

static struct error *
read_journal(struct round *round, struct ers_tablet *tablet)
{
    CLEANUP(record_freep) Tabletmanagerdata__ReadReparentJournalInfoResponse *response = NULL;
    TRY(ctl_call(round->ctl, tablet->contender.tablet, "ReadReparentJournalInfo", NULL,
                 round->cancel, 0, &response));
    tablet->journal_length = response->length;
    return NULL;
}

struct error *
ers_read_journals(struct ctl *ctl, struct ers_set *set, int64_t timeout_ms)
{
    return error_wrap(ask_all(ctl, set, timeout_ms, read_journal),
                      "not all tablets told their reparent journal");
}

/* ---- Undoing ---- */

struct restart {
    struct ctl *ctl;
    const struct shard_view *view;
    const struct ers_set *set;
    const Topodata__Tablet *primary;
};

static void
restart_one(size_t index, void *data)
{
    const struct restart *restart = data;
    const struct ers_tablet *tablet = &restart->set->items[index];
    if (!tablet->is_reached || !tablet->is_replica || !tablet->was_io_healthy)
        return;
    Tabletmanagerdata__StartReplicationRequest request =
        TABLETMANAGERDATA__START_REPLICATION_REQUEST__INIT;
    request.semisync =
        restart->primary != NULL &&
        shard_replica_semi_sync(restart->view, tablet->contender.tablet, restart->primary);
    ctl_warn_take(restart->ctl,
                  ctl_call(restart->ctl, tablet->contender.tablet, "StartReplication",
                           &request.base, NULL, restart->ctl->options.remote_timeout_ms, NULL));
}

void
ers_restart_replication(struct ctl *ctl, const struct shard_view *view, const struct ers_set *set,
                        const Topodata__Tablet *primary)
{
    struct restart restart = {ctl, view, set, primary};
    parallel_run(set->count, restart_one, &restart);
}
