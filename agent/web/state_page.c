/* /debug/state-machine: the table that changes the state, with where the tablet is in it. */
#include <stdio.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

/* The rows of `vtagent states`: what leads from one state to another, or nothing. */
static void
add_cell(const struct state_row *row, enum tablet_state now, struct buffer *html)
{
    bool stays = row->from == row->to;
    html_addf(html, "<li><span class=\"event\">", "</span>", "%s", states_event_name(row->event));
    buffer_append_text(html, stays ? " stays" : " → ");
    if (!stays)
        buffer_appendf(html, "<a class=\"%s\" href=\"#state-%s\">%s</a>",
                       row->to == now ? "state now" : "state", states_name(row->to),
                       states_name(row->to));
    html_add(html, " <i>", row->comment, "</i></li>\n");
}

/* Events that are refused with the same words stand in one line. */
static void
add_refusals(enum tablet_state state, struct buffer *html)
{
    size_t count;
    const struct state_refusal *refusals = states_refusals(&count);
    const char *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (refusals[i].from != state)
            continue;
        bool is_same = str_equal(last, refusals[i].reason);
        if (!is_same && last != NULL)
            html_add(html, " refused <i>", last, "</i></li>\n");
        buffer_append_text(html, is_same ? ", " : "<li class=\"refused\">");
        html_add(html, "<span class=\"event\">", states_event_name(refusals[i].event), "</span>");
        last = refusals[i].reason;
    }
    if (last != NULL)
        html_add(html, " refused <i>", last, "</i></li>\n");
}

static void
add_state(enum tablet_state state, enum tablet_state now, struct buffer *html)
{
    size_t row_count;
    const struct state_row *rows = states_rows(&row_count);
    buffer_appendf(html, "<section id=\"state-%s\"%s>\n<h2>%s%s</h2>\n<ul class=\"events\">\n",
                   states_name(state), state == now ? " class=\"now\"" : "", states_name(state),
                   state == now ? " <span class=\"pill\">now</span>" : "");
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].from == state)
            add_cell(&rows[i], now, html);
    }
    add_refusals(state, html);
    buffer_append_text(html, "</ul>\n</section>\n");
}

static void
add_head(const struct pages_picture *picture, struct buffer *html)
{
    buffer_appendf(html, "<header class=\"%s\">\n<div class=\"who\">\n",
                   tone_name(status_tone(picture)));
    html_add(html, "<h1>", picture->identity->alias_text, "</h1>\n");
    html_addf(html, "<p class=\"where\">", "</p>\n</div>\n", "is in state %s",
              states_name(picture->view.state));
}

struct page
page_state_machine(const struct pages_picture *picture, struct buffer *html)
{
    CLEANUP(freep)
    char *title =
        xasprintf("%s: %s", picture->identity->alias_text, states_name(picture->view.state));
    frame_begin(html, title, status_tone(picture));
    buffer_append_text(html, "<main class=\"machine\">\n");
    add_head(picture, html);
    diagram_add(html, picture->view.state);
    buffer_append_text(html, "</header>\n<div class=\"states\">\n");
    for (int state = 0; state < STATE_COUNT; state++)
        add_state((enum tablet_state)state, picture->view.state, html);
    buffer_append_text(html, "</div>\n<footer><a href=\"/debug/status\">status</a></footer>\n"
                             "</main>\n");
    frame_end(html);
    return (struct page){200, "text/html; charset=utf-8", frame_policy()};
}
