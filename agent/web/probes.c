/* Probes and the status page. The numbers are in pages_numbers.c. */
#include "agent/web/pages.h"

#include <ctype.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"

#define PLAIN "text/plain; charset=utf-8"
#define JOB_SILENT_MS (30 * 60000ll)

static struct page
good(struct buffer *body)
{
    buffer_append_text(body, "ok\n");
    return (struct page){200, PLAIN};
}

/* A state that serves on purpose; SPARE, backups and demoted primaries do not. */
static bool
should_serve(const struct pages_picture *picture)
{
    const struct tablet_view *view = &picture->view;
    if (view->state == STATE_STARTING || view->state == STATE_STOPPED)
        return true;
    if (view->state == STATE_FOLLOWING)
        return view->snapshot.type != TOPODATA__TABLET_TYPE__SPARE;
    return view->state == STATE_PRIMARY || view->state == STATE_DRAINED;
}

/* ---- Alive ---- */

static bool
is_stuck(const struct job_view *job, int64_t now_ms)
{
    return job->state == JOB_RUNNING && now_ms - job->moved_ms >= JOB_SILENT_MS;
}

struct page
page_livez(const struct pages_picture *picture, struct buffer *body)
{
    const struct action_view *action = &picture->action;
    int64_t late_ms =
        action->overdue_since_ms != 0 ? picture->now_ms - action->overdue_since_ms : 0;
    char text[32];
    if (late_ms > 0 && late_ms >= picture->stuck_after_ms) {
        buffer_appendf(body, "stuck: '%s' should have ended %s ago\n", action->name,
                       health_duration(late_ms, text));
        return (struct page){503, PLAIN};
    }
    for (size_t i = 0; i < picture->jobs.count; i++) {
        const struct job_view *job = &picture->jobs.views[i];
        if (!is_stuck(job, picture->now_ms))
            continue;
        buffer_appendf(body, "stuck: '%s' has made no progress for %s\n", job->id,
                       health_duration(picture->now_ms - job->moved_ms, text));
        return (struct page){503, PLAIN};
    }
    return good(body);
}

/* Restoring may take hours, and is watched over by /livez. */
static bool
is_restoring(const struct job_summary *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->views[i].kind == JOB_RESTORE && jobs->views[i].state == JOB_RUNNING)
            return true;
    }
    return false;
}

struct page
page_startupz(const struct pages_picture *picture, struct buffer *body)
{
    if (picture->is_started || is_restoring(&picture->jobs))
        return good(body);
    buffer_appendf(body, "starting: %s\n", picture->start_step);
    return (struct page){503, PLAIN};
}

/* ---- Ready and serving ---- */

struct page
page_healthz(const struct pages_picture *picture, struct buffer *body)
{
    if (picture->view.snapshot.is_serving || !should_serve(picture))
        return good(body);
    buffer_appendf(body, "500 internal server error: vttablet is not serving: %s\n",
                   picture->view.snapshot.reason);
    return (struct page){500, PLAIN};
}

/* SPARE does not serve on purpose, and before a shard's first primary nobody does; a pod that waits
 * for that must be ready, or it is not even reachable by its name. */
static bool
is_ready(const struct pages_picture *picture)
{
    const struct health_facts *facts = &picture->health.facts;
    if (!picture->is_started)
        return false;
    if (picture->view.snapshot.is_serving)
        return true;
    bool is_following = picture->view.state == STATE_FOLLOWING;
    bool may_idle =
        !should_serve(picture) || (picture->awaits_primary && !facts->replication.is_replica);
    return is_following && may_idle && facts->server.answers;
}

struct page
page_readyz(const struct pages_picture *picture, struct buffer *body)
{
    if (is_ready(picture))
        return good(body);
    buffer_appendf(body, "not ready: %s\n",
                   picture->is_started ? picture->view.snapshot.reason : picture->start_step);
    return (struct page){503, PLAIN};
}

struct page
page_debug_health(const struct pages_picture *picture, struct buffer *body)
{
    if (picture->view.snapshot.is_serving || !should_serve(picture)) {
        buffer_append_text(body, "ok");
        return (struct page){200, PLAIN};
    }
    buffer_appendf(body, "not ok: %s", picture->view.snapshot.reason);
    return (struct page){500, PLAIN};
}

/* ---- The status page ---- */

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

static const char *
state_word(enum replication_state state)
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
                   state_word(replication->io_state), state_word(replication->sql_state));
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

struct page
page_status(const struct pages_picture *picture, struct buffer *body)
{
    print_identity(picture, body);
    print_state(picture, body);
    print_problems(&picture->health.judgement, body);
    print_replication(&picture->health, body);
    pages_list_jobs(&picture->jobs, body);
    if (picture->view.history_count > 0)
        buffer_append_text(body, "\nlast changes, newest first\n");
    for (size_t i = 0; i < picture->view.history_count; i++) {
        char time[32];
        clock_format_rfc3339(picture->view.history[i].time_ns, time);
        buffer_appendf(body, "  %s  %s\n", time, picture->view.history[i].text);
    }
    return (struct page){200, PLAIN};
}

page_function
pages_find(const char *path)
{
    static const struct {
        const char *path;
        page_function function;
    } pages[] = {
        {"/", page_status},
        {"/debug/status", page_status},
        {"/debug/vars", page_vars},
        {"/debug/health", page_debug_health},
        {"/debug/liveness", page_livez},
        {"/healthz", page_healthz},
        {"/livez", page_livez},
        {"/readyz", page_readyz},
        {"/startupz", page_startupz},
        {"/metrics", page_metrics},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        if (str_equal(pages[i].path, path))
            return pages[i].function;
    }
    return NULL;
}
