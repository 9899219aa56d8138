/* The states as boxes and the ways between them as arrows, from the same table that the walker
 * uses. A box that leads to 'stopped' needs no arrow: all do. */
#include <math.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

#define WIDTH 480
#define HEIGHT 330
#define BOX_WIDTH 92.0
#define BOX_HEIGHT 34.0
#define GAP 4.0 /* between an arrow and a box */

struct point {
    double x, y;
};

static const struct point places[STATE_COUNT] = {
    [STATE_STARTING] = {64, 90},    [STATE_PRIMARY] = {240, 30},  [STATE_DEMOTED] = {416, 90},
    [STATE_FOLLOWING] = {240, 150}, [STATE_DRAINED] = {64, 225},  [STATE_BACKUP] = {416, 225},
    [STATE_RESTORE] = {240, 290},   [STATE_STOPPED] = {416, 300},
};

/* Where the line from a box's middle towards a point leaves the box. */
static struct point
leave_box(struct point middle, struct point towards)
{
    double dx = towards.x - middle.x, dy = towards.y - middle.y;
    double by_width = dx != 0 ? (BOX_WIDTH / 2 + GAP) / fabs(dx) : INFINITY;
    double by_height = dy != 0 ? (BOX_HEIGHT / 2 + GAP) / fabs(dy) : INFINITY;
    double part = fmin(by_width, by_height);
    return (struct point){middle.x + dx * part, middle.y + dy * part};
}

/* Bent to the left of its way, so that there and back are two lines, and long ones pass the box in
 * the middle. */
static void
add_arrow(const struct state_row *row, bool is_hot, struct buffer *html)
{
    struct point from = places[row->from], to = places[row->to];
    double dx = to.x - from.x, dy = to.y - from.y;
    double bend = hypot(dx, dy) > 300 ? 0.26 : 0.13;
    struct point control = {(from.x + to.x) / 2 + dy * bend, (from.y + to.y) / 2 - dx * bend};
    struct point begin = leave_box(from, control), end = leave_box(to, control);
    buffer_appendf(html,
                   "<path class=\"way%s\" marker-end=\"url(#%s)\" d=\"M%.0f %.0f Q%.0f %.0f %.0f "
                   "%.0f\"/>\n",
                   is_hot ? " hot" : "", is_hot ? "tip-hot" : "tip", begin.x, begin.y, control.x,
                   control.y, end.x, end.y);
}

static void
add_arrows(enum tablet_state now, bool wants_hot, struct buffer *html)
{
    size_t count;
    const struct state_row *rows = states_rows(&count);
    bool is_drawn[STATE_COUNT][STATE_COUNT] = {{false}};
    for (size_t i = 0; i < count; i++) {
        const struct state_row *row = &rows[i];
        bool *drawn = &is_drawn[row->from][row->to];
        bool is_hot = row->from == now;
        if (row->from == row->to || row->event == EVENT_STOP || *drawn || is_hot != wants_hot)
            continue;
        *drawn = true;
        add_arrow(row, is_hot, html);
    }
}

static void
add_box(enum tablet_state state, enum tablet_state now, struct buffer *html)
{
    struct point place = places[state];
    buffer_appendf(html,
                   "<g class=\"box%s\"><rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" "
                   "rx=\"8\"/><text x=\"%.0f\" y=\"%.0f\">%s</text></g>\n",
                   state == now ? " now" : "", place.x - BOX_WIDTH / 2, place.y - BOX_HEIGHT / 2,
                   BOX_WIDTH, BOX_HEIGHT, place.x, place.y + 5, states_name(state));
}

static void
add_tip(struct buffer *html, const char *id)
{
    buffer_appendf(html,
                   "<marker id=\"%s\" class=\"%s\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
                   "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0.8 L7.6 4 "
                   "L0 7.2 z\"/></marker>",
                   id, id);
}

void
diagram_add(struct buffer *html, enum tablet_state now)
{
    buffer_appendf(html,
                   "<svg class=\"diagram\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"States "
                   "and the ways between them; now: %s\"><defs>",
                   WIDTH, HEIGHT, states_name(now));
    add_tip(html, "tip");
    add_tip(html, "tip-hot");
    buffer_append_text(html, "</defs>\n");
    add_arrows(now, false, html);
    add_arrows(now, true, html);
    for (int state = 0; state < STATE_COUNT; state++)
        add_box((enum tablet_state)state, now, html);
    buffer_append_text(html,
                       "</svg>\n<p class=\"quiet\">Every state goes to <b>stopped</b> when the "
                       "agent is asked to end.</p>\n");
}
