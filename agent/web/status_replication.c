/* Whom it follows, how, and how far behind. */
#include <stdio.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

static void
add_thread(struct buffer *html, const char *name, enum replication_state state, bool should_run)
{
    enum tone tone = state == REPLICATION_RUNNING                 ? TONE_OK
                     : state == REPLICATION_CONNECTING            ? TONE_WARN
                     : state == REPLICATION_STOPPED && should_run ? TONE_BAD
                                                                  : TONE_IDLE;
    buffer_append_text(html, "<span class=\"mark\">");
    html_icon(html, tone_name(tone));
    buffer_appendf(html, "%s %s</span>\n", name, pages_replication_word(state));
}

static void
add_age_row(struct buffer *html, const char *name, int64_t then_ms, int64_t now_ms)
{
    char text[48];
    if (then_ms == 0)
        return;
    status_row(html, name, html_since(now_ms - then_ms, text));
}

static void
add_source(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_view *health = &picture->health;
    const struct health_replication *replication = &health->facts.replication;
    char lag[32];
    buffer_append_text(html, "<p class=\"threads\">");
    html_add(html, "<span class=\"figure\">",
             health->verdict.is_lag_known ? health_duration(health->verdict.lag_ms, lag)
                                          : "unknown",
             "</span> ");
    html_add(html, "<span class=\"source\">behind ", replication->source, "</span>\n");
    buffer_append_text(html, "<span class=\"pair\">");
    bool should_run = pages_should_serve(picture);
    bool is_known = health->facts.server.answers; /* else this is what it once said */
    add_thread(html, "IO", is_known ? replication->io_state : REPLICATION_UNKNOWN, should_run);
    add_thread(html, "SQL", is_known ? replication->sql_state : REPLICATION_UNKNOWN, should_run);
    buffer_append_text(html, "</span></p>\n");
    if (replication->error[0] != '\0')
        html_add(html, "<p class=\"trouble\">", replication->error, "</p>\n");
}

static void
add_progress(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_facts *facts = &picture->health.facts;
    int64_t now_ms = picture->health.now_ms;
    buffer_append_text(html, "<dl>\n");
    add_age_row(html, "measured", facts->replication.measured_ms, now_ms);
    if (facts->replication.is_replica) {
        add_age_row(html, "last received", facts->replication.received_ms, now_ms);
        add_age_row(html, "last executed", facts->replication.executed_ms, now_ms);
        add_age_row(html, "last heartbeat", facts->heartbeat.moved_ms, now_ms);
    }
    if (!str_is_empty(facts->position))
        html_add(html, "<dt>position</dt><dd class=\"position\">", facts->position, "</dd>\n");
    buffer_append_text(html, "</dl>\n");
}

static bool
has_history(const struct health_view *health)
{
    for (size_t age = 0; health->lag_history != NULL && age < LAG_HISTORY_STEPS; age++) {
        if (lag_history_at(health->lag_history, health->now_ms, age) >= 0)
            return true;
    }
    return false;
}

void
status_add_replication(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_view *health = &picture->health;
    bool is_replica = health->facts.replication.is_replica;
    status_section(html, "replication", "Replication", "");
    if (is_replica)
        add_source(picture, html);
    else
        html_add(html, "<p class=\"quiet\">",
                 !health->facts.server.answers          ? "mysqld does not answer."
                 : picture->view.state == STATE_PRIMARY ? "This is the primary: it follows nobody."
                                                        : "This tablet follows nobody.",
                 "</p>\n");
    if (is_replica || has_history(health))
        chart_add_lag(html, health->lag_history, health->now_ms);
    add_progress(picture, html);
    buffer_append_text(html, "</section>\n");
}
