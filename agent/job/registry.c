#include "agent/job/registry_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"

const char *
job_kind_name(enum job_kind kind)
{
    static const char *const names[] = {"backup", "restore", "verify"};
    return (size_t)kind < ARRAY_LENGTH(names) ? names[kind] : "?";
}

const char *
job_state_name(enum job_state state)
{
    static const char *const names[] = {"waiting", "running", "done", "failed", "canceled"};
    return (size_t)state < ARRAY_LENGTH(names) ? names[state] : "?";
}

struct job_registry *
job_registry_new(struct cancel *stop)
{
    struct job_registry *registry = xcalloc(1, sizeof(*registry));
    registry->stop = stop;
    pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

void
job_registry_free(struct job_registry *registry)
{
    if (registry == NULL)
        return;
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

static void
lock(struct job_registry *registry)
{
    pthread_mutex_lock(&registry->lock);
}

static void
unlock(struct job_registry *registry)
{
    pthread_mutex_unlock(&registry->lock);
}

void
job_registry_read(struct job_registry *registry, struct job_summary *ret_summary)
{
    *ret_summary = (struct job_summary){.count = 0};
    if (registry == NULL)
        return;
    ret_summary->stray_count = job_registry_read_strays(registry, ret_summary->strays);
    lock(registry);
    for (size_t kind = 0; kind < JOB_KIND_COUNT; kind++) {
        if (registry->live[kind] != NULL)
            job_fill_view(registry->live[kind], &ret_summary->views[ret_summary->count++]);
    }
    memcpy(&ret_summary->views[ret_summary->count], registry->ended,
           registry->ended_count * sizeof(registry->ended[0]));
    ret_summary->count += registry->ended_count;
    memcpy(ret_summary->ended, registry->counts, sizeof(registry->counts));
    unlock(registry);
}

/* ---- One job's life ---- */
static struct job *
job_new(struct job_registry *registry, enum job_kind kind, const char *parameters)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->registry = registry;
    job->references = 1; /* the registry's, until it has ended */
    job->cancel = cancel_new_child(registry->stop, INT64_MAX);
    job->parameters = xstrdup(parameters);
    job->view.kind = kind;
    job->view.remaining_seconds = -1;
    job->view.start_time_ns = clock_wall_ns();
    job->view.moved_ms = clock_monotonic_ms();
    snprintf(job->view.id, sizeof(job->view.id), "%s-%" PRIu64, job_kind_name(kind),
             ++registry->last_number);
    snprintf(job->view.parameters, sizeof(job->view.parameters), "%s", parameters);
    return job;
}

static struct job *
ref(struct job *job)
{
    job->references++;
    return job;
}

void
job_unref(struct job *job)
{
    if (job == NULL)
        return;
    struct job_registry *registry = job->registry;
    lock(registry);
    bool is_last = --job->references == 0;
    unlock(registry);
    if (!is_last)
        return;
    job_drop_lines(job);
    error_free(job->outcome);
    cancel_unref(job->cancel);
    free(job->parameters);
    free(job);
}

void
job_unrefp(struct job **job)
{
    job_unref(*job);
    *job = NULL;
}

/* A start that tries again and again fails for one reason: that is one ended job, not twelve. */
static bool
is_repetition(const struct job_view *ended, const struct job_view *last)
{
    return ended->state == JOB_FAILED && last->state == JOB_FAILED && ended->kind == last->kind &&
           strcmp(ended->parameters, last->parameters) == 0 &&
           strcmp(ended->error, last->error) == 0;
}

static void
remember(struct job_registry *registry, const struct job_view *view)
{
    registry->counts[view->kind][view->state]++;
    bool replaces = registry->ended_count > 0 && is_repetition(view, &registry->ended[0]);
    if (!replaces) {
        if (registry->ended_count < JOB_ENDED_MOST)
            registry->ended_count++;
        memmove(&registry->ended[1], &registry->ended[0],
                (registry->ended_count - 1) * sizeof(registry->ended[0]));
    }
    registry->ended[0] = *view;
}

static enum job_state
end_state(const struct job *job, const struct error *outcome)
{
    if (outcome == NULL)
        return JOB_DONE;
    bool is_canceled = error_is(outcome, ERROR_CANCELED) && cancel_is_requested(job->cancel);
    return is_canceled ? JOB_CANCELED : JOB_FAILED;
}

static void
note_end(struct job *job, const struct error *outcome)
{
    struct job_registry *registry = job->registry;
    job_fill_view(job, &job->view); /* the speed that it had */
    job->view.state = end_state(job, outcome);
    job->view.end_time_ns = clock_wall_ns();
    job->view.remaining_seconds = -1;
    if (outcome != NULL) {
        job->outcome = error_copy(outcome);
        job->view.error_code = outcome->code;
        snprintf(job->view.error, sizeof(job->view.error), "%s", outcome->message);
    }
    remember(registry, &job->view);
    if (registry->live[job->view.kind] == job)
        registry->live[job->view.kind] = NULL;
    job_wake_watchers(job);
}

void
job_end(struct job *take_job, const struct error *outcome)
{
    lock(take_job->registry);
    note_end(take_job, outcome);
    unlock(take_job->registry);
    job_unref(take_job);
}

/* ---- Running it ---- */
static void
finish(struct job *job, struct error *take_outcome)
{
    if (job->free_data != NULL)
        job->free_data(job->data);
    if (end_state(job, take_outcome) == JOB_CANCELED)
        take_outcome = error_wrap(take_outcome, "job '%s'", job->view.id);
    job_end(job, take_outcome);
    error_free(take_outcome);
}

static void
run_second(void *data)
{
    struct job *job = data;
    finish(job, job->second.run(job, job->data));
}

/* One that was canceled while it waited has ended. */
static bool
begin(struct job *job)
{
    lock(job->registry);
    bool is_waiting = job->view.state == JOB_WAITING;
    if (is_waiting)
        job->view.state = JOB_RUNNING;
    unlock(job->registry);
    return is_waiting;
}

static void
forget(struct job *job)
{
    if (job->free_data != NULL)
        job->free_data(job->data);
    job_unref(job);
}

static void
run_first(void *data)
{
    struct job *job = data;
    if (!begin(job)) {
        forget(job);
        return;
    }
    struct error *error = cancel_check(job->cancel); /* the agent may be stopping */
    if (error == NULL)
        error = job->first.run(job, job->data);
    if (error == NULL && job->second.run != NULL)
        worker_submit(job->second.worker, run_second, job);
    else
        finish(job, error);
}

/* ---- Starting ---- */
static struct error *
refuse(const struct job *running)
{
    const char *kind = job_kind_name(running->view.kind);
    struct job_view view;
    job_fill_view(running, &view);
    CLEANUP(freep) char *text = job_describe(&view);
    return error_new(ERROR_UNKNOWN,
                     "a %s is already running: %s; ask with its parameters to follow it, or end it "
                     "with 'vtagent ctl CancelJob'",
                     kind, text);
}

/* One that was asked to end is not what the caller wants. */
static bool
is_what_is_wanted(const struct job *running, const struct job_plan *plan)
{
    return strcmp(running->parameters, plan->parameters) == 0 &&
           !cancel_is_requested(running->cancel);
}

static struct error *
start_or_attach(struct job_registry *registry, const struct job_plan *plan, struct job **ret_job,
                bool *ret_is_attached)
{
    struct job *running = registry->live[plan->kind];
    *ret_is_attached = running != NULL;
    if (running != NULL) {
        if (!is_what_is_wanted(running, plan))
            return refuse(running);
        *ret_job = ref(running);
        return NULL;
    }
    struct job *job = job_new(registry, plan->kind, plan->parameters);
    job->first = plan->first;
    job->second = plan->second;
    job->data = plan->data;
    job->free_data = plan->free_data;
    registry->live[plan->kind] = job;
    *ret_job = ref(job);
    return NULL;
}

struct error *
job_start(struct job_registry *registry, const struct job_plan *plan, struct job **ret_job,
          bool *ret_is_attached)
{
    struct job *job = NULL;
    bool is_attached = false;
    lock(registry);
    struct error *error = start_or_attach(registry, plan, &job, &is_attached);
    unlock(registry);
    if ((error != NULL || is_attached) && plan->free_data != NULL)
        plan->free_data(plan->data);
    TRY(error);
    if (!is_attached)
        worker_submit(plan->first.worker, run_first, job);
    *ret_job = job;
    *ret_is_attached = is_attached;
    return NULL;
}

struct error *
job_begin(struct job_registry *registry, enum job_kind kind, const char *parameters,
          struct job **ret_job)
{
    struct job *job = NULL;
    struct error *error = NULL;
    lock(registry);
    if (registry->live[kind] != NULL) {
        error = refuse(registry->live[kind]);
    } else {
        job = job_new(registry, kind, parameters);
        job->view.state = JOB_RUNNING;
        registry->live[kind] = job;
    }
    unlock(registry);
    TRY(error);
    *ret_job = job;
    return NULL;
}

/* ---- Ending from outside ---- */
static bool
is_asked(const struct job *job, const char *id)
{
    return job != NULL && (strcmp(id, "all") == 0 || strcmp(id, job->view.id) == 0);
}

static size_t
find_asked(struct job_registry *registry, const char *id, struct job *found[JOB_KIND_COUNT])
{
    size_t count = 0;
    for (size_t kind = 0; kind < JOB_KIND_COUNT; kind++) {
        if (is_asked(registry->live[kind], id))
            found[count++] = ref(registry->live[kind]);
    }
    return count;
}

static struct error *
not_found(struct job_registry *registry, const char *id)
{
    for (size_t i = 0; i < registry->ended_count; i++) {
        if (strcmp(registry->ended[i].id, id) == 0)
            return error_new(ERROR_FAILED_PRECONDITION, "job '%s' has ended already (%s)", id,
                             job_state_name(registry->ended[i].state));
    }
    CLEANUP(strv_done) struct strv ids = {.items = NULL};
    for (size_t kind = 0; kind < JOB_KIND_COUNT; kind++) {
        if (registry->live[kind] != NULL)
            strv_addf(&ids, "'%s'", registry->live[kind]->view.id);
    }
    CLEANUP(freep) char *names = strv_join(&ids, ", ");
    return ids.count == 0 ? error_new(ERROR_NOT_FOUND, "no job '%s': none runs", id)
                          : error_new(ERROR_NOT_FOUND, "no job '%s': %s %s", id, names,
                                      ids.count == 1 ? "runs" : "run");
}

/* It need not get its turn for that. */
static void
end_waiting(struct job *job)
{
    CLEANUP(error_freep) struct error *outcome = NULL;
    lock(job->registry);
    if (job->view.state == JOB_WAITING) {
        outcome = error_new(ERROR_CANCELED, "job '%s': canceled before it began", job->view.id);
        note_end(job, outcome);
    }
    unlock(job->registry);
}

static struct error *
await_end(struct job *job, struct cancel *cancel, struct job_view *ret_view)
{
    bool has_ended = job_wait(job, cancel);
    job_read(job, ret_view);
    if (has_ended)
        return NULL;
    return error_new(ERROR_DEADLINE_EXCEEDED,
                     "job '%s' was asked to end and is still busy (%s): see 'vtagent ctl Jobs'",
                     ret_view->id, ret_view->phase[0] != '\0' ? ret_view->phase : "waiting");
}

struct error *
job_registry_cancel(struct job_registry *registry, const char *id, struct cancel *cancel,
                    struct job_view ret_views[JOB_KIND_COUNT], size_t *ret_count)
{
    struct job *found[JOB_KIND_COUNT];
    struct error *error = NULL;
    lock(registry);
    size_t count = find_asked(registry, id, found);
    if (count == 0 && strcmp(id, "all") != 0)
        error = not_found(registry, id);
    unlock(registry);
    for (size_t i = 0; i < count; i++) {
        cancel_request(found[i]->cancel);
        end_waiting(found[i]);
    }
    for (size_t i = 0; i < count; i++) {
        error = error_first(error, await_end(found[i], cancel, &ret_views[i]));
        job_unref(found[i]);
    }
    TRY(error);
    *ret_count = count;
    return NULL;
}

size_t
job_registry_drain(struct job_registry *registry, struct cancel *cancel)
{
    struct job *found[JOB_KIND_COUNT];
    lock(registry);
    size_t count = find_asked(registry, "all", found), busy = 0;
    unlock(registry);
    for (size_t i = 0; i < count; i++) {
        busy += job_wait(found[i], cancel) ? 0 : 1;
        job_unref(found[i]);
    }
    return busy;
}
