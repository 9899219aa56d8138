/* The tablet's jobs on the status page and in /metrics. */
#include <inttypes.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/web/pages.h"

/* ---- The status page ---- */
static bool
is_live(const struct job_view *view)
{
    return view->state == JOB_WAITING || view->state == JOB_RUNNING;
}

static void
list_live(const struct job_view *view, struct buffer *body)
{
    CLEANUP(freep) char *what = job_describe(view);
    CLEANUP(freep) char *speed = job_speed_text(view);
    buffer_appendf(body, "%-14s %s%s\n", "job", what, speed);
}

static void
list_ended(const struct job_view *view, struct buffer *body)
{
    char time[32];
    clock_format_rfc3339(view->end_time_ns, time);
    buffer_appendf(body, "  %s  %s (%s) %s%s%s\n", time, view->id, view->parameters,
                   job_state_name(view->state), view->error[0] != '\0' ? ": " : "", view->error);
}

void
pages_list_jobs(const struct job_summary *jobs, struct buffer *body)
{
    size_t i = 0;
    for (; i < jobs->count && is_live(&jobs->views[i]); i++)
        list_live(&jobs->views[i], body);
    if (i < jobs->count)
        buffer_append_text(body, "\nlast jobs, newest first\n");
    for (; i < jobs->count; i++)
        list_ended(&jobs->views[i], body);
}

/* ---- Prometheus ---- */
static const struct job_view *
find_running(const struct job_summary *jobs, enum job_kind kind)
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
print_gauge(const struct job_summary *jobs, const char *name, enum number number,
            struct buffer *body)
{
    buffer_appendf(body, "# TYPE %s gauge\n", name);
    for (int kind = 0; kind < JOB_KIND_COUNT; kind++) {
        double value;
        if (read_number(find_running(jobs, (enum job_kind)kind), number, &value))
            buffer_appendf(body, "%s{kind=\"%s\"} %.17g\n", name,
                           job_kind_name((enum job_kind)kind), value);
    }
}

void
pages_count_jobs(const struct job_summary *jobs, struct buffer *body)
{
    print_gauge(jobs, "vtagent_job_running", RUNNING, body);
    print_gauge(jobs, "vtagent_job_bytes_done", BYTES_DONE, body);
    print_gauge(jobs, "vtagent_job_bytes_total", BYTES_TOTAL, body);
    print_gauge(jobs, "vtagent_job_rate_bytes_per_second", RATE, body);
    print_gauge(jobs, "vtagent_job_remaining_seconds", REMAINING, body);
    buffer_append_text(body, "# TYPE vtagent_jobs_total counter\n");
    for (int kind = 0; kind < JOB_KIND_COUNT; kind++) {
        for (int state = JOB_DONE; state < JOB_STATE_COUNT; state++)
            buffer_appendf(body, "vtagent_jobs_total{kind=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
                           job_kind_name((enum job_kind)kind),
                           job_state_name((enum job_state)state), jobs->ended[kind][state]);
    }
}
