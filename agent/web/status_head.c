/* Who this is, how it is in one sentence, and what is wrong. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

enum tone
status_tone(const struct pages_picture *picture)
{
    bool has_problem =
        picture->health.judgement.problem_count > 0 || picture->view.publish_error[0] != '\0';
    if (picture->view.snapshot.is_serving)
        return has_problem ? TONE_WARN : TONE_OK;
    if (!picture->is_started || picture->view.state == STATE_BACKUP ||
        picture->view.state == STATE_RESTORE)
        return TONE_BUSY;
    return pages_should_serve(picture) ? TONE_BAD : TONE_IDLE;
}

/* ---- The head ---- */

static void
add_clock(const struct pages_picture *picture, struct buffer *html)
{
    char time[32];
    clock_format_rfc3339(picture->now_ns, time);
    buffer_appendf(html,
                   "<p class=\"live\" id=\"live\" role=\"status\">as of <time datetime=\"%s\">"
                   "%.8s UTC</time></p>\n",
                   time, time + strlen("2026-11-23T"));
}

static void
add_tile(struct buffer *html, const char *name, const char *value, const char *detail)
{
    html_add(html, "<li><span>", name, "</span>");
    html_add(html, "<b>", value, "</b>");
    if (detail[0] != '\0')
        html_add(html, "<i>", detail, "</i>");
    buffer_append_text(html, "</li>\n");
}

static void
add_lag_tile(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_verdict *verdict = &picture->health.verdict;
    char lag[32];
    if (!picture->health.facts.replication.is_replica)
        return;
    add_tile(html, "behind",
             verdict->is_lag_known ? health_duration(verdict->lag_ms, lag) : "unknown",
             verdict->is_lag_known && verdict->is_lag_estimated ? "estimated" : "");
}

static void
add_disk_tile(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_disk *disk = &picture->health.facts.disk;
    char size[32], detail[64];
    if (disk->total_bytes == 0)
        return;
    snprintf(detail, sizeof(detail), "%d %%",
             (int)((double)disk->free_bytes * 100 / (double)disk->total_bytes));
    add_tile(html, "disk free", html_size(disk->free_bytes, size), detail);
}

static void
add_backup_tile(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_backups *backups = &picture->health.facts.backups;
    char age[32];
    if (!picture->has_storage)
        return;
    if (backups->complete_ns == 0) {
        add_tile(html, "last backup", backups->measured_ms == 0 ? "…" : "none", "");
        return;
    }
    html_duration((picture->now_ns - backups->complete_ns) / 1000000, age);
    add_tile(html, "last backup", age,
             backups->proven_ns == backups->complete_ns ? "ago, proven" : "ago");
}

static void
add_tiles(const struct pages_picture *picture, struct buffer *html)
{
    char up[32];
    const struct tablet_snapshot *snapshot = &picture->view.snapshot;
    buffer_append_text(html, "<ul class=\"tiles\">\n");
    add_tile(html, "type", tablet_type_name(snapshot->type), "");
    add_tile(html, "state", states_name(picture->view.state), "");
    add_lag_tile(picture, html);
    add_disk_tile(picture, html);
    add_backup_tile(picture, html);
    add_tile(html, "agent up",
             html_duration((picture->now_ns - picture->start_time_ns) / 1000000, up), "");
    buffer_append_text(html, "</ul>\n");
}

void
status_add_head(const struct pages_picture *picture, struct buffer *html)
{
    const struct tablet_identity *identity = picture->identity;
    enum tone tone = status_tone(picture);
    char sentence[TABLET_SENTENCE];
    buffer_appendf(html, "<header class=\"%s\">\n<div class=\"who\">\n", tone_name(tone));
    html_add(html, "<h1>", identity->alias_text, "</h1>\n");
    html_addf(html, "<p class=\"where\">", "</p>\n", "%s/%s on %s", identity->keyspace,
              identity->shard, identity->hostname);
    add_clock(picture, html);
    buffer_append_text(html, "</div>\n<p class=\"sentence\" id=\"sentence\">");
    html_icon(html, tone_name(tone));
    html_add(html, "<span>", tablet_sentence(&picture->view.snapshot, sentence), "</span></p>\n");
    add_tiles(picture, html);
    buffer_append_text(html, "</header>\n");
}

/* ---- Problems ---- */

static void
add_problem(struct buffer *html, enum tone tone, const char *word, const char *text)
{
    buffer_appendf(html, "<li class=\"%s\">", tone_name(tone));
    html_icon(html, tone_name(tone));
    html_add(html, "<div><b>", word, "</b> ");
    html_add(html, "", text, "</div></li>\n");
}

/* The sentence at the top has said it. */
static bool
is_said(const struct pages_picture *picture, const struct health_problem *problem)
{
    const struct tablet_snapshot *snapshot = &picture->view.snapshot;
    return !snapshot->is_serving && str_equal(problem->text, snapshot->reason);
}

/* While it does not serve on purpose, what is missing is no alarm. */
static enum tone
problem_tone(const struct pages_picture *picture, const struct health_problem *problem)
{
    if (!problem->is_fatal)
        return TONE_WARN;
    return pages_should_serve(picture) ? TONE_BAD : TONE_BUSY;
}

void
status_add_problems(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_judgement *judgement = &picture->health.judgement;
    bool has_publish_error = picture->view.publish_error[0] != '\0';
    if (picture->is_started && judgement->problem_count == 0 && !has_publish_error)
        return;
    buffer_append_text(html, "<ul class=\"problems\" id=\"problems\">\n");
    if (!picture->is_started)
        add_problem(html, TONE_BUSY, "starting", picture->start_step);
    for (int i = 0; i < judgement->problem_count; i++) {
        const struct health_problem *problem = &judgement->problems[i];
        if (!is_said(picture, problem))
            add_problem(html, problem_tone(picture, problem), health_cause_name(problem->cause),
                        problem->text);
    }
    if (has_publish_error)
        add_problem(html, TONE_WARN, "not published", picture->view.publish_error);
    buffer_append_text(html, "</ul>\n");
}

/* ---- Identity ---- */

static void
add_time_row(struct buffer *html, const char *name, int64_t time_ns, int64_t now_ns)
{
    html_add(html, "<dt>", name, "</dt><dd>");
    html_ago(html, time_ns, now_ns);
    buffer_append_text(html, "</dd>\n");
}

void
status_add_identity(const struct pages_picture *picture, struct buffer *html)
{
    const struct tablet_identity *identity = picture->identity;
    const struct tablet_snapshot *snapshot = &picture->view.snapshot;
    const char *version = picture->health.facts.server.version;
    CLEANUP(freep) char *http = xasprintf("%s:%d", identity->hostname, identity->http_port);
    CLEANUP(freep) char *grpc = xasprintf("%s:%d", identity->hostname, identity->grpc_port);
    CLEANUP(freep)
    char *mysql = xasprintf("%s:%d", identity->mysql_hostname, (int)snapshot->mysql_port);
    status_section(html, "identity", "Identity", "");
    buffer_append_text(html, "<dl>\n");
    status_row(html, "database", identity->database != NULL ? identity->database : "");
    status_row(html, "HTTP", http);
    status_row(html, "gRPC", grpc);
    status_row(html, "MySQL", mysql);
    status_row(html, "server", version[0] != '\0' ? version : "not known yet");
    status_row(html, "vtagent", VTAGENT_VERSION);
    add_time_row(html, "started", picture->start_time_ns, picture->now_ns);
    if (snapshot->term_start_ns != 0)
        add_time_row(html, "primary since", snapshot->term_start_ns, picture->now_ns);
    buffer_append_text(html, "</dl>\n</section>\n");
}
