/* The shard's backups, as a probe of health last read them from the storage. */
#include <stdio.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

static void
add_mark(struct buffer *html, enum tone tone, const char *word, const char *detail)
{
    buffer_append_text(html, "<span class=\"mark\">");
    html_icon(html, tone_name(tone));
    html_add(html, "", word, "");
    if (detail[0] != '\0')
        html_add(html, " <i>", detail, "</i>");
    buffer_append_text(html, "</span>\n");
}

static void
add_verdict(const struct health_backup *backup, int64_t now_ns, struct buffer *html)
{
    char age[48], detail[80];
    if (backup->verified[0] == '\0')
        return;
    snprintf(detail, sizeof(detail), "%s, %s", backup->verified,
             html_since((now_ns - backup->verified_ns) / 1000000, age));
    add_mark(html, backup->has_failed ? TONE_BAD : TONE_OK,
             backup->has_failed ? "check failed" : "verified", detail);
}

static void
add_marks(const struct health_backup *backup, int64_t now_ns, struct buffer *html)
{
    if (!backup->is_complete) {
        add_mark(html, TONE_WARN, "incomplete", "");
        return;
    }
    if (backup->proof[0] != '\0')
        add_mark(html, TONE_OK, "proven", backup->proof);
    add_verdict(backup, now_ns, html);
    if (backup->proof[0] == '\0' && backup->verified[0] == '\0')
        add_mark(html, TONE_IDLE, "complete, never checked", "");
}

static void
add_row(const struct health_backup *backup, int64_t now_ns, struct buffer *html)
{
    char size[32], took[32];
    buffer_append_text(html, "<tr><th scope=\"row\">");
    html_ago(html, backup->time_ns, now_ns);
    html_add(html, "<span class=\"name\">", backup->name, "</span></th>");
    buffer_append_text(html, "<td class=\"marks\">");
    add_marks(backup, now_ns, html);
    if (backup->problem[0] != '\0')
        html_add(html, "<span class=\"why\">", backup->problem, "</span>");
    buffer_append_text(html, "</td>");
    html_add(html, "<td class=\"number\" data-name=\"size\">",
             backup->is_complete ? html_size(backup->stored_bytes, size) : "–", "</td>");
    html_add(html, "<td class=\"number\" data-name=\"took\">",
             backup->duration_ms >= 0 ? health_duration(backup->duration_ms, took) : "–",
             "</td></tr>\n");
}

static void
add_rows(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_backups *backups = &picture->health.facts.backups;
    buffer_append_text(html, "<table>\n<thead><tr><th>taken</th><th>checks</th>"
                             "<th class=\"number\">size</th><th class=\"number\">took</th></tr>"
                             "</thead>\n<tbody>\n");
    for (size_t i = 0; i < backups->count; i++)
        add_row(&backups->list[i], picture->now_ns, html);
    buffer_append_text(html, "</tbody>\n</table>\n");
}

void
status_add_backups(const struct pages_picture *picture, struct buffer *html)
{
    const struct health_backups *backups = &picture->health.facts.backups;
    char note[64] = "", age[48];
    if (!picture->has_storage)
        return;
    if (backups->listed_ms != 0)
        snprintf(note, sizeof(note), "read %s",
                 html_since(picture->health.now_ms - backups->listed_ms, age));
    status_section(html, "backups", "Backups", note);
    if (backups->error[0] != '\0')
        html_add(html, "<p class=\"trouble\">", backups->error, "</p>\n");
    if (backups->count > 0)
        add_rows(picture, html);
    else
        html_add(html, "<p class=\"quiet\">",
                 backups->listed_ms != 0     ? "There is none."
                 : backups->error[0] != '\0' ? "The list has not been read yet."
                                             : "The storage has not answered yet.",
                 "</p>\n");
    buffer_append_text(html, "</section>\n");
}
