/* The tablet's states as a table of rows {from, event, to}: the walker below is the only code that
 * changes the role. Pure; the owner (tablet.c) calls it on the loop's thread. */
#ifndef VTAGENT_TABLET_STATES_H
#define VTAGENT_TABLET_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/error.h"
#include "topodata.pb-c.h"

enum tablet_state {
    STATE_STARTING, /* no role taken yet; type UNKNOWN */
    STATE_PRIMARY,
    STATE_DEMOTED,   /* type PRIMARY, but DemotePrimary made it read-only */
    STATE_FOLLOWING, /* REPLICA, RDONLY, SPARE, EXPERIMENTAL */
    STATE_DRAINED,
    STATE_BACKUP,
    STATE_RESTORE,
    STATE_STOPPED,
    STATE_COUNT
};

enum tablet_event {
    EVENT_RESUME_PRIMARY, /* the topology says that we are the primary */
    EVENT_PROMOTE,        /* changed to PRIMARY with a new term */
    EVENT_FOLLOW,         /* changed to a type that replicates */
    EVENT_DRAIN,
    EVENT_BACK_UP,
    EVENT_RESTORE,
    EVENT_DEMOTE,      /* DemotePrimary */
    EVENT_UNDO_DEMOTE, /* UndoDemotePrimary */
    EVENT_STOP,
    EVENT_COUNT
};

struct state_row {
    enum tablet_state from;
    enum tablet_event event;
    enum tablet_state to;
    const char *comment;
};
struct state_refusal {
    enum tablet_state from;
    enum tablet_event event;
    const char *reason; /* the error's text */
};

/* What the walker changes. */
struct tablet_role {
    enum tablet_state state;
    Topodata__TabletType type;
    int64_t term_start_ns; /* 0 unless the type is PRIMARY */
};

/* Applies an event. `type` is the type to take for FOLLOW (replica kinds) and ignored elsewhere;
 * `term_start_ns` counts for RESUME_PRIMARY and PROMOTE. A refused event leaves the role alone:
 * FAILED_PRECONDITION with the reason. */
struct error *states_walk(struct tablet_role *role, enum tablet_event event,
                          Topodata__TabletType type, int64_t term_start_ns) ERROR_MUST_CHECK;
/* The same question without the change. */
struct error *states_check(const struct tablet_role *role,
                           enum tablet_event event) ERROR_MUST_CHECK;
/* The event that leads to a type. */
enum tablet_event states_event_of_type(Topodata__TabletType type);
/* Whether this state serves queries when everything is well. */
bool states_is_serving(const struct tablet_role *role);

const char *states_name(enum tablet_state state);
const char *states_event_name(enum tablet_event event);
const struct state_row *states_rows(size_t *ret_count);
const struct state_refusal *states_refusals(size_t *ret_count);
/* The table as a mermaid state diagram, for the README (`vtagent states`). */
void states_print_diagram(FILE *stream);

#endif
