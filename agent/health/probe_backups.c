/* The shard's backups: when the newest complete one was taken, and the newest that a server has
 * started from. A worker process asks: a storage that hangs makes these numbers old, nothing else.
 */
#include <stdatomic.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/health/probe.h"
#include "agent/job/job.h"

#define TIMEOUT_MS 30000
/* MANIFESTs are large: they are read when there is a new backup, and once in a while. */
#define READ_AGAIN_MS 600000

struct backups_state {
    char *newest;
    struct health_backups known;
    atomic_bool is_old; /* something has changed: read it again */
};

void
probe_backups_forget(void *data)
{
    atomic_store(&((struct backups_state *)data)->is_old, true);
}

static int64_t
interval_of(const struct health_options *options)
{
    return options->backups_interval_ms;
}

static void *
state_new(const struct health_options *options)
{
    (void)options;
    return xcalloc(1, sizeof(struct backups_state));
}

static void
state_free(void *data)
{
    struct backups_state *state = data;
    if (state == NULL)
        return;
    freep(&state->newest);
    freep(&state);
}

static void
keep_backup(const struct backup_summary *backup, struct health_backup *kept)
{
    const struct verdict_sum *verdict = &backup->verdict;
    *kept = (struct health_backup){.time_ns = backup->time_ns,
                                   .duration_ms = backup->duration_ms,
                                   .stored_bytes = backup->stored_bytes,
                                   .is_complete = backup->state == BACKUP_COMPLETE,
                                   .is_incremental = backup->is_incremental,
                                   .has_failed = verdict->has_failed,
                                   .verified_ns = verdict->time_ns};
    STR_FILL(kept->name, backup->name);
    STR_FILL(kept->proof, backup->proof);
    STR_FILL(kept->verified, verdict_mode_name(verdict->mode));
    STR_FILL(kept->problem, verdict->has_failed ? verdict->problem : backup->problem);
}

static void
keep_list(struct backups_state *state, const struct backup_list *list)
{
    struct health_backups *known = &state->known;
    *known = (struct health_backups){.listed_ms = clock_monotonic_ms()};
    for (size_t i = list->count; i > 0 && known->count < HEALTH_BACKUPS_MOST; i--) {
        const struct backup_summary *backup = &list->items[i - 1];
        keep_backup(backup, &known->list[known->count++]);
        if (backup->state != BACKUP_COMPLETE)
            continue;
        if (known->complete_ns == 0)
            known->complete_ns = backup->time_ns;
        if (known->proven_ns == 0 && !str_is_empty(backup->proof))
            known->proven_ns = backup->time_ns;
    }
}

static struct error *
look(struct backups_state *state, struct tablet_context *context)
{
    CLEANUP(backup_list_done) struct backup_list list = {.items = NULL};
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(context->stop, TIMEOUT_MS);
    bool is_fresh = state->known.listed_ms != 0 &&
                    clock_monotonic_ms() - state->known.listed_ms < READ_AGAIN_MS;
    bool was_old = atomic_exchange(&state->is_old, false), has_list = false;
    if (was_old || !is_fresh)
        freep(&state->newest);
    struct error *error = job_look_at_backups(context, cancel, &state->newest, &list, &has_list);
    if (error != NULL && was_old)
        atomic_store(&state->is_old, true);
    if (has_list)
        keep_list(state, &list);
    return error;
}

static void
ask(void *data, const struct health_options *options, struct health_facts *answer)
{
    struct backups_state *state = data;
    CLEANUP(error_freep) struct error *error = look(state, options->context);
    answer->backups = state->known;
    answer->backups.measured_ms = clock_monotonic_ms();
    if (error != NULL)
        STR_FILL(answer->backups.error, error->message);
}

static void
store(struct health_facts *facts, struct health_facts *answer)
{
    facts->backups = answer->backups;
}

const struct probe_kind probe_backups = {
    .name = "backups",
    .interval_ms = interval_of,
    .state_new = state_new,
    .state_free = state_free,
    .ask = ask,
    .store = store,
};
