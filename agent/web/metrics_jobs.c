/* The tablet's jobs in /metrics. */
#include "agent/web/pages.h"

const struct job_view *
pages_running_job(const struct job_summary *jobs, enum job_kind kind)
{
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->views[i].kind == kind && jobs->views[i].state == JOB_RUNNING)
            return &jobs->views[i];
    }
    return NULL;
}

enum number { RUNNING, BYTES_DONE, BYTES_TOTAL, RATE, REMAINING };

/* Whether there is one. */
static bool
read_number(const struct job_view *view, enum number number, double *ret_value)
{
    *ret_value = view != NULL;
    if (number == RUNNING)
        return true;
    if (view == NULL || (number == REMAINING && view->remaining_seconds < 0))
        return false;
    *ret_value = number == BYTES_DONE    ? (double)view->done_bytes
                 : number == BYTES_TOTAL ? (double)view->total_bytes
                 : number == RATE        ? (double)view->rate_bytes_per_second
                                         : (double)view->remaining_seconds;
    return true;
}

static void
print_gauge(const struct job_summary *jobs, const char *name, enum number number, const char *help,
            struct exposition *exposition)
{
    exposition_family(exposition, name, METRIC_GAUGE, help);
    for (int kind = 0; kind < JOB_KIND_COUNT; kind++) {
        double value;
        if (read_number(pages_running_job(jobs, (enum job_kind)kind), number, &value))
            exposition_sample(exposition, value, "kind", job_kind_name((enum job_kind)kind), NULL);
    }
}

static void
print_outcomes(const struct job_summary *jobs, struct exposition *exposition)
{
    exposition_family(exposition, "vtagent_jobs", METRIC_COUNTER,
                      "Jobs that ended since the agent was started, by outcome.");
    for (int kind = 0; kind < JOB_KIND_COUNT; kind++) {
        for (int state = JOB_DONE; state < JOB_STATE_COUNT; state++)
            exposition_sample(exposition, (double)jobs->ended[kind][state], "kind",
                              job_kind_name((enum job_kind)kind), "outcome",
                              job_state_name((enum job_state)state), NULL);
    }
}

void
metrics_print_jobs(const struct job_summary *jobs, struct exposition *exposition)
{
    print_gauge(jobs, "vtagent_job_running", RUNNING, "1 while a job of the kind runs.",
                exposition);
    print_gauge(jobs, "vtagent_job_done_bytes", BYTES_DONE, "Done of the job's phase.", exposition);
    print_gauge(jobs, "vtagent_job_size_bytes", BYTES_TOTAL, "Size of the job's phase.",
                exposition);
    print_gauge(jobs, "vtagent_job_rate_bytes_per_second", RATE, "The job's speed lately.",
                exposition);
    print_gauge(jobs, "vtagent_job_remaining_seconds", REMAINING,
                "Time that the job's phase will still take at that speed.", exposition);
    print_outcomes(jobs, exposition);
    exposition_family(exposition, "vtagent_job_stuck_workers", METRIC_GAUGE,
                      "Workers that were killed and are held by the kernel: their storage hangs.");
    exposition_sample(exposition, (double)jobs->stray_count, NULL);
}
