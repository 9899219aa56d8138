/* Probes: one word or one sentence. */
#include "agent/web/pages.h"

#include "agent/base/memory.h"

#define JOB_SILENT_MS (30 * 60000ll)

static struct page
good(struct buffer *body)
{
    buffer_append_text(body, "ok\n");
    return (struct page){200, PAGE_PLAIN, NULL};
}

bool
pages_should_serve(const struct pages_picture *picture)
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
        return (struct page){503, PAGE_PLAIN, NULL};
    }
    for (size_t i = 0; i < picture->jobs.count; i++) {
        const struct job_view *job = &picture->jobs.views[i];
        if (!is_stuck(job, picture->now_ms))
            continue;
        buffer_appendf(body, "stuck: '%s' has made no progress for %s\n", job->id,
                       health_duration(picture->now_ms - job->moved_ms, text));
        return (struct page){503, PAGE_PLAIN, NULL};
    }
    return good(body);
}

/* Restoring may take hours, and is watched over by /livez. */
struct page
page_startupz(const struct pages_picture *picture, struct buffer *body)
{
    if (picture->is_started || pages_running_job(&picture->jobs, JOB_RESTORE) != NULL)
        return good(body);
    buffer_appendf(body, "starting: %s\n", picture->start_step);
    return (struct page){503, PAGE_PLAIN, NULL};
}

/* ---- Ready and serving ---- */

struct page
page_healthz(const struct pages_picture *picture, struct buffer *body)
{
    if (picture->view.snapshot.is_serving || !pages_should_serve(picture))
        return good(body);
    buffer_appendf(body, "500 internal server error: vttablet is not serving: %s\n",
                   picture->view.snapshot.reason);
    return (struct page){500, PAGE_PLAIN, NULL};
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
        !pages_should_serve(picture) || (picture->awaits_primary && !facts->replication.is_replica);
    return is_following && may_idle && facts->server.answers;
}

struct page
page_readyz(const struct pages_picture *picture, struct buffer *body)
{
    if (is_ready(picture))
        return good(body);
    buffer_appendf(body, "not ready: %s\n",
                   picture->is_started ? picture->view.snapshot.reason : picture->start_step);
    return (struct page){503, PAGE_PLAIN, NULL};
}

struct page
page_debug_health(const struct pages_picture *picture, struct buffer *body)
{
    if (picture->view.snapshot.is_serving || !pages_should_serve(picture)) {
        buffer_append_text(body, "ok");
        return (struct page){200, PAGE_PLAIN, NULL};
    }
    buffer_appendf(body, "not ok: %s", picture->view.snapshot.reason);
    return (struct page){500, PAGE_PLAIN, NULL};
}
