/* /debug/status in HTML: the order of its parts. */
#include <stdio.h>

#include "agent/web/html.h"
#include "agent/web/status.h"

void
status_section(struct buffer *html, const char *id, const char *title, const char *note)
{
    buffer_appendf(html, "<section id=\"%s\">\n<h2>%s", id, title);
    if (note[0] != '\0')
        html_add(html, " <span class=\"note\">", note, "</span>");
    buffer_append_text(html, "</h2>\n");
}

void
status_row(struct buffer *html, const char *name, const char *value)
{
    html_add(html, "<dt>", name, "</dt>");
    html_add(html, "<dd>", value, "</dd>\n");
}

static void
add_links(struct buffer *html)
{
    static const char *const links[][2] = {
        {"/debug/status?format=text", "plain text"},
        {"/debug/state-machine", "state machine"},
        {"/metrics", "metrics"},
        {"/debug/vars", "variables"},
        {"/readyz", "readiness"},
    };
    buffer_append_text(html, "<footer>");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        buffer_appendf(html, "<a href=\"%s\">%s</a>\n", links[i][0], links[i][1]);
    buffer_append_text(html, "</footer>\n");
}

static void
begin(const struct pages_picture *picture, struct buffer *html)
{
    char sentence[TABLET_SENTENCE], title[TABLET_SENTENCE + TABLET_ALIAS_TEXT_MAX + 8];
    snprintf(title, sizeof(title), "%s: %s", picture->identity->alias_text,
             tablet_sentence(&picture->view.snapshot, sentence));
    frame_begin(html, title, status_tone(picture));
}

struct page
page_status_html(const struct pages_picture *picture, struct buffer *html)
{
    begin(picture, html);
    buffer_append_text(html, "<main>\n");
    status_add_head(picture, html);
    status_add_problems(picture, html);
    status_add_live_jobs(picture, html);
    buffer_append_text(html, "<div class=\"columns\">\n<div class=\"column\">\n");
    status_add_shard(picture, html);
    status_add_replication(picture, html);
    status_add_backups(picture, html);
    status_add_ended_jobs(picture, html);
    buffer_append_text(html, "</div>\n<div class=\"column\">\n");
    status_add_changes(picture, html);
    status_add_facts(picture, html);
    status_add_identity(picture, html);
    buffer_append_text(html, "</div>\n</div>\n");
    add_links(html);
    buffer_append_text(html, "</main>\n");
    frame_end(html);
    return (struct page){200, "text/html; charset=utf-8", frame_policy()};
}
