/* What runs, how far it is, and how the last ones ended. */
#include <inttypes.h>
#include <stdio.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

#define NS_PER_MS 1000000

static const char *
title_of(enum job_kind kind)
{
    static const char *const titles[JOB_KIND_COUNT] = {
        [JOB_BACKUP] = "Backup", [JOB_RESTORE] = "Restore", [JOB_VERIFY] = "Verification"};
    return titles[kind];
}

static int
percent_of(const struct job_view *view)
{
    if (view->total_bytes == 0)
        return -1;
    uint64_t done = view->done_bytes < view->total_bytes ? view->done_bytes : view->total_bytes;
    return (int)((double)done * 100 / (double)view->total_bytes);
}

/* A phase whose size is not known has a bar that only moves. */
static void
add_bar(const struct job_view *view, struct buffer *html)
{
    int percent = percent_of(view);
    if (percent < 0)
        buffer_append_text(html, "<progress aria-label=\"progress\"></progress>\n");
    else
        buffer_appendf(html,
                       "<progress aria-label=\"progress\" max=\"100\" value=\"%d\">%d %%"
                       "</progress>\n",
                       percent, percent);
}

static void
add_figures(const struct job_view *view, struct buffer *html)
{
    char done[32], total[32], rate[32], left[32];
    buffer_append_text(html, "<p class=\"figures\">");
    if (view->total_bytes != 0)
        html_addf(html, "<span>", "</span>\n", "%s of %s", html_size(view->done_bytes, done),
                  html_size(view->total_bytes, total));
    if (view->rate_bytes_per_second != 0)
        html_addf(html, "<span>", "</span>\n", "%s/s",
                  html_size(view->rate_bytes_per_second, rate));
    if (view->remaining_seconds >= 0)
        html_addf(html, "<span id=\"left\">", "</span>\n", "%s left",
                  html_duration(view->remaining_seconds * 1000, left));
    buffer_append_text(html, "</p>\n");
}

static void
add_live(const struct job_view *view, int64_t now_ns, struct buffer *html)
{
    int percent = percent_of(view);
    buffer_append_text(html, "<section class=\"job\">\n<h2>");
    html_icon(html, "busy");
    html_add(html, "", title_of(view->kind), " ");
    html_add(html, "<span class=\"note\">", view->id, "</span>");
    html_add(html, "<span class=\"phase\">",
             view->phase[0] != '\0' ? view->phase : job_state_name(view->state), "");
    if (percent >= 0)
        buffer_appendf(html, " <b>%d %%</b>", percent);
    buffer_append_text(html, "</span></h2>\n");
    add_bar(view, html);
    add_figures(view, html);
    html_add(html, "<p class=\"quiet\">", view->parameters, ", begun ");
    html_ago(html, view->start_time_ns, now_ns);
    if (view->backup_name[0] != '\0')
        html_add(html, ", <span class=\"name\">", view->backup_name, "</span>");
    buffer_append_text(html, "</p>\n");
    if (view->last_line[0] != '\0')
        html_add(html, "<p class=\"line-of-job\">", view->last_line, "</p>\n");
    buffer_append_text(html, "</section>\n");
}

void
status_add_live_jobs(const struct pages_picture *picture, struct buffer *html)
{
    const struct job_summary *jobs = &picture->jobs;
    buffer_append_text(html, "<div id=\"jobs\">\n");
    for (size_t i = 0; i < jobs->count && pages_job_is_live(&jobs->views[i]); i++)
        add_live(&jobs->views[i], picture->now_ns, html);
    buffer_append_text(html, "</div>\n");
}

/* ---- Ended ---- */

/* An empty shard's tablets find nothing to restore: that is no alarm. */
static enum tone
outcome_tone(const struct job_view *view)
{
    if (view->state == JOB_DONE)
        return TONE_OK;
    bool is_alarm = view->state == JOB_FAILED && view->error_code != ERROR_NOT_FOUND;
    return is_alarm ? TONE_BAD : TONE_IDLE;
}

static void
add_ended(const struct job_view *view, int64_t now_ns, struct buffer *html)
{
    char took[32];
    buffer_append_text(html, "<tr>");
    html_add(html, "<th scope=\"row\">", view->id, "</th><td class=\"state\">");
    html_icon(html, tone_name(outcome_tone(view)));
    html_add(html, "<span>", job_state_name(view->state), "");
    html_add(html, ", ", view->parameters, "");
    if (view->error[0] != '\0')
        html_add(html, ": ", view->error, "");
    buffer_append_text(html, "</span></td>");
    html_add(html, "<td class=\"number\" data-name=\"took\">",
             health_duration((view->end_time_ns - view->start_time_ns) / NS_PER_MS, took), "</td>");
    buffer_append_text(html, "<td class=\"number\" data-name=\"ended\">");
    html_ago(html, view->end_time_ns, now_ns);
    buffer_append_text(html, "</td></tr>\n");
}

void
status_add_ended_jobs(const struct pages_picture *picture, struct buffer *html)
{
    const struct job_summary *jobs = &picture->jobs;
    size_t i = 0;
    while (i < jobs->count && pages_job_is_live(&jobs->views[i]))
        i++;
    if (i == jobs->count)
        return;
    status_section(html, "ended", "Last jobs", "");
    buffer_append_text(html, "<table>\n<thead><tr><th>job</th><th>outcome</th>"
                             "<th class=\"number\">took</th><th class=\"number\">ended</th></tr>"
                             "</thead>\n<tbody>\n");
    for (; i < jobs->count; i++)
        add_ended(&jobs->views[i], picture->now_ns, html);
    buffer_append_text(html, "</tbody>\n</table>\n</section>\n");
}
