/* The lag of the last hour as an inline drawing. */
#include <inttypes.h>
#include <stdio.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

#define HEIGHT 100
#define WIDTH LAG_HISTORY_STEPS
#define TOP 6 /* room for the line's own width at the top of the scale */

struct chart {
    int64_t lag_ms[LAG_HISTORY_STEPS]; /* oldest first; -1 not known */
    int64_t worst_ms, last_ms;
    int64_t scale_ms; /* the top */
    size_t known;
};

/* A round number that the worst fits under. */
static int64_t
scale_of(int64_t worst_ms)
{
    static const int64_t tops_ms[] = {1000,    2000,    5000,     10000,   30000,
                                      60000,   120000,  300000,   600000,  1800000,
                                      3600000, 7200000, 21600000, 86400000};
    for (size_t i = 0; i < ARRAY_LENGTH(tops_ms); i++) {
        if (worst_ms <= tops_ms[i])
            return tops_ms[i];
    }
    return worst_ms;
}

static void
fill(struct chart *chart, const struct lag_history *history, int64_t now_ms)
{
    *chart = (struct chart){.last_ms = -1};
    for (size_t i = 0; i < LAG_HISTORY_STEPS; i++) {
        int64_t lag_ms = lag_history_at(history, now_ms, LAG_HISTORY_STEPS - 1 - i);
        chart->lag_ms[i] = lag_ms;
        if (lag_ms < 0)
            continue;
        chart->known++;
        chart->last_ms = lag_ms;
        if (lag_ms > chart->worst_ms)
            chart->worst_ms = lag_ms;
    }
    chart->scale_ms = scale_of(chart->worst_ms);
}

static double
height_of(const struct chart *chart, int64_t lag_ms)
{
    return HEIGHT - (double)lag_ms * (HEIGHT - TOP) / (double)chart->scale_ms;
}

/* A run of known steps, from..to exclusive, as points; one alone is drawn as wide as a step. */
static void
add_points(const struct chart *chart, size_t from, size_t to, struct buffer *html)
{
    for (size_t i = from; i < to; i++)
        buffer_appendf(html, "%zu,%.1f ", i, height_of(chart, chart->lag_ms[i]));
    buffer_appendf(html, "%zu,%.1f", to, height_of(chart, chart->lag_ms[to - 1]));
}

static void
add_run(const struct chart *chart, size_t from, size_t to, struct buffer *html)
{
    buffer_appendf(html, "<polygon class=\"area\" points=\"%zu,%d ", from, HEIGHT);
    add_points(chart, from, to, html);
    buffer_appendf(html, " %zu,%d\"/><polyline class=\"line\" points=\"", to, HEIGHT);
    add_points(chart, from, to, html);
    buffer_append_text(html, "\"/>\n");
}

static void
add_runs(const struct chart *chart, struct buffer *html)
{
    size_t from = 0;
    while (from < LAG_HISTORY_STEPS) {
        size_t to = from;
        while (to < LAG_HISTORY_STEPS && chart->lag_ms[to] >= 0)
            to++;
        if (to > from)
            add_run(chart, from, to, html);
        from = to + 1;
    }
}

static void
add_grid(struct buffer *html)
{
    for (int y = 0; y <= 2; y++)
        buffer_appendf(html, "<path class=\"grid\" d=\"M0 %d H%d\"/>", TOP + y * (HEIGHT - TOP) / 2,
                       WIDTH);
    for (int x = 1; x < 4; x++)
        buffer_appendf(html, "<path class=\"grid\" d=\"M%d %d V%d\"/>", x * WIDTH / 4, TOP, HEIGHT);
    buffer_append_char(html, '\n');
}

void
chart_add_lag(struct buffer *html, const struct lag_history *history, int64_t now_ms)
{
    CLEANUP(freep) struct chart *chart = xcalloc(1, sizeof(*chart));
    char top[32], half[32], worst[32], last[32];
    if (history != NULL)
        fill(chart, history, now_ms);
    if (chart->known == 0) {
        buffer_append_text(html, "<p class=\"quiet\">No lag is known in the last hour.</p>\n");
        return;
    }
    health_duration(chart->scale_ms, top);
    health_duration(chart->scale_ms / 2, half);
    health_duration(chart->worst_ms, worst);
    health_duration(chart->last_ms, last);
    buffer_appendf(
        html,
        "<figure class=\"chart\">\n<div class=\"scale\"><span>%s</span><span>%s</span>"
        "<span>0</span></div>\n<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
        "role=\"img\" aria-label=\"Lag of the last hour: %s at the end, %s at worst\">\n",
        top, half, WIDTH, HEIGHT, last, worst);
    add_grid(html);
    add_runs(chart, html);
    buffer_appendf(html,
                   "</svg>\n<div class=\"hours\"><span>1 h ago</span><span>30 min ago</span>"
                   "<span>now</span></div>\n<figcaption>worst of the last hour: <b>%s</b>"
                   "</figcaption></figure>\n",
                   worst);
}
