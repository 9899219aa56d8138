/* /debug/status in plain text, for terminals and scripts. */
#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/web/pages.h"

static void
line(struct buffer *body, const char *name, const char *value)
{
    buffer_appendf(body, "%-14s %s\n", name, value);
}

static void
time_line(struct buffer *body, const char *name, int64_t time_ns)
{
    char text[32];
    clock_format_rfc3339(time_ns, text);
    line(body, name, text);
}

const char *
pages_replication_word(enum replication_state state)
{
    switch (state) {
    case REPLICATION_RUNNING:
        return "running";
    case REPLICATION_CONNECTING:
        return "connecting";
    case REPLICATION_STOPPED:
        return "stopped";
    case REPLICATION_UNKNOWN:
    default:
        return "unknown";
    }
}

static void
print_identity(const struct pages_picture *picture, struct buffer *body)
{
    const struct tablet_identity *identity = picture->identity;
    const struct tablet_snapshot *snapshot = &picture->view.snapshot;
    line(body, "tablet", identity->alias_text);
    buffer_appendf(body, "%-14s %s/%s\n", "shard", identity->keyspace, identity->shard);
    line(body, "type", tablet_type_name(snapshot->type));
    buffer_appendf(body, "%-14s %s:%d, gRPC %d\n", "address", identity->hostname,
                   identity->http_port, identity->grpc_port);
    buffer_appendf(body, "%-14s %s:%d\n", "mysqld", identity->mysql_hostname,
                   (int)snapshot->mysql_port);
    line(body, "version", VTAGENT_VERSION);
    time_line(body, "started", picture->start_time_ns);
    if (snapshot->term_start_ns != 0)
        time_line(body, "primary since", snapshot->term_start_ns);
}

static void
print_state(const struct pages_picture *picture, struct buffer *body)
{
    const struct tablet_view *view = &picture->view;
    char sentence[TABLET_SENTENCE];
    buffer_appendf(body, "\n%-14s %s\n", "state", tablet_sentence(&view->snapshot, sentence));
    if (!picture->is_started)
        line(body, "starting", picture->start_step);
    if (view->publish_error[0] != '\0')
        line(body, "not published", view->publish_error);
}

static void
print_replication(const struct health_view *health, struct buffer *body)
{
    const struct health_replication *replication = &health->facts.replication;
    char lag[32];
    if (!replication->is_replica)
        return;
    buffer_appendf(body, "%-14s from %s, IO %s, SQL %s", "replication", replication->source,
                   pages_replication_word(replication->io_state),
                   pages_replication_word(replication->sql_state));
    if (health->verdict.is_lag_known)
        buffer_appendf(body, ", %s behind", health_duration(health->verdict.lag_ms, lag));
    buffer_append_char(body, '\n');
    if (replication->error[0] != '\0')
        line(body, "", replication->error);
}

static void
print_problems(const struct health_judgement *judgement, struct buffer *body)
{
    for (int i = 0; i < judgement->problem_count; i++)
        line(body, judgement->problems[i].is_fatal ? "problem" : "warning",
             judgement->problems[i].text);
}

bool
pages_job_is_live(const struct job_view *view)
{
    return view->state == JOB_WAITING || view->state == JOB_RUNNING;
}

static void
list_stray(const struct job_stray *stray, struct buffer *body)
{
    char time[32];
    clock_format_rfc3339(stray->since_ns, time);
    buffer_appendf(body, "%-14s worker %d, killed and held by the kernel since %s: %s\n", "stuck",
                   stray->pid, time, stray->text);
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

static void
list_jobs(const struct job_summary *jobs, struct buffer *body)
{
    for (size_t stray = 0; stray < jobs->stray_count; stray++)
        list_stray(&jobs->strays[stray], body);
    size_t i = 0;
    for (; i < jobs->count && pages_job_is_live(&jobs->views[i]); i++)
        list_live(&jobs->views[i], body);
    if (i < jobs->count)
        buffer_append_text(body, "\nlast jobs, newest first\n");
    for (; i < jobs->count; i++)
        list_ended(&jobs->views[i], body);
}

struct page
page_status_text(const struct pages_picture *picture, struct buffer *body)
{
    print_identity(picture, body);
    print_state(picture, body);
    print_problems(&picture->health.judgement, body);
    print_replication(&picture->health, body);
    list_jobs(&picture->jobs, body);
    if (picture->view.history_count > 0)
        buffer_append_text(body, "\nlast changes, newest first\n");
    for (size_t i = 0; i < picture->view.history_count; i++) {
        char time[32];
        clock_format_rfc3339(picture->view.history[i].time_ns, time);
        buffer_appendf(body, "  %s  %s\n", time, picture->view.history[i].text);
    }
    return (struct page){200, PAGE_PLAIN, NULL};
}
