/* The shard at a glance, as its tablets tell in the topology. */
#include <stdio.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

/* A document lives on for its lease's time after the agent is gone. */
#define OLD_DOCUMENT_NS (15 * INT64_C(1000000000))

static enum tone
row_tone(const struct shard_look_row *row, int64_t now_ns)
{
    if (!row->has_document)
        return TONE_IDLE;
    if (now_ns - row->time_ns > OLD_DOCUMENT_NS)
        return TONE_WARN;
    if (row->is_serving)
        return TONE_OK;
    return row->job[0] != '\0' ? TONE_BUSY : TONE_BAD;
}

static void
add_name(const struct shard_look_row *row, bool is_own, struct buffer *html)
{
    bool has_link = !is_own && row->address[0] != '\0';
    buffer_append_text(html, "<th scope=\"row\">");
    if (has_link)
        html_add(html, "<a href=\"//", row->address, "/debug/status\">");
    html_text(html, row->alias);
    buffer_append_text(html, has_link ? "</a>" : "");
    if (is_own)
        buffer_append_text(html, " <span class=\"pill\">this</span>");
    buffer_append_text(html, "</th>");
}

static void
add_state(const struct shard_look_row *row, int64_t now_ns, struct buffer *html)
{
    buffer_append_text(html, "<td class=\"state\">");
    html_icon(html, tone_name(row_tone(row, now_ns)));
    html_add(html, "<span>", row->state, "");
    if (row->job[0] != '\0')
        html_add(html, " <em>", row->job, "</em>");
    buffer_append_text(html, "</span></td>");
}

static void
add_row(const struct pages_picture *picture, const struct shard_look_row *row, struct buffer *html)
{
    bool is_own = str_equal(row->alias, picture->identity->alias_text);
    char lag[32];
    buffer_append_text(html, is_own ? "<tr class=\"own\">" : "<tr>");
    add_name(row, is_own, html);
    html_add(html, "<td data-name=\"type\">", row->type, "</td>");
    add_state(row, picture->now_ns, html);
    html_add(html, "<td data-name=\"behind\" class=\"number\">",
             row->lag_ms >= 0 && !str_equal(row->type, "primary")
                 ? health_duration(row->lag_ms, lag)
                 : "–",
             "</td>");
    buffer_append_text(html, "<td data-name=\"said\" class=\"number\">");
    html_ago(html, row->time_ns, picture->now_ns);
    buffer_append_text(html, "</td></tr>\n");
}

static void
add_rows(const struct pages_picture *picture, struct buffer *html)
{
    const struct shard_look *look = picture->shard;
    buffer_append_text(html, "<table>\n<thead><tr><th>tablet</th><th>type</th><th>state</th>"
                             "<th class=\"number\">behind</th><th class=\"number\">said</th></tr>"
                             "</thead>\n<tbody>\n");
    for (size_t i = 0; i < look->count; i++)
        add_row(picture, &look->rows[i], html);
    buffer_append_text(html, "</tbody>\n</table>\n");
    if (look->left_out > 0)
        buffer_appendf(html, "<p class=\"quiet\">and %zu more</p>\n", look->left_out);
}

void
status_add_shard(const struct pages_picture *picture, struct buffer *html)
{
    const struct shard_look *look = picture->shard;
    char note[80] = "from etcd", age[48];
    if (look == NULL)
        return;
    if (look->looked_ms != 0)
        snprintf(note, sizeof(note), "from etcd, %s",
                 html_since(picture->health.now_ms - look->looked_ms, age));
    status_section(html, "shard", "Shard", note);
    if (look->error[0] != '\0')
        html_add(html, "<p class=\"trouble\">not all of it can be read: ", look->error, "</p>\n");
    if (look->looked_ms == 0 && look->error[0] == '\0')
        buffer_append_text(html, "<p class=\"quiet\">being read …</p>\n");
    if (look->count > 0)
        add_rows(picture, html);
    buffer_append_text(html, "</section>\n");
}
