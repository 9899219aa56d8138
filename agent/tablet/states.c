#include "agent/tablet/states.h"

#include "agent/base/memory.h"

static const struct state_row rows[] = {
    {STATE_STARTING, EVENT_RESUME_PRIMARY, STATE_PRIMARY, "the topology names us"},
    {STATE_STARTING, EVENT_FOLLOW, STATE_FOLLOWING, "takes --init-tablet-type"},
    {STATE_STARTING, EVENT_STOP, STATE_STOPPED, "SIGTERM"},

    {STATE_PRIMARY, EVENT_RESUME_PRIMARY, STATE_PRIMARY, "term learned from the topology"},
    {STATE_PRIMARY, EVENT_PROMOTE, STATE_PRIMARY, "a new term"},
    {STATE_PRIMARY, EVENT_FOLLOW, STATE_FOLLOWING, "another primary has a newer term"},
    {STATE_PRIMARY, EVENT_DRAIN, STATE_DRAINED, "ChangeType"},
    {STATE_PRIMARY, EVENT_BACK_UP, STATE_BACKUP, "Backup of a primary, if allowed"},
    {STATE_PRIMARY, EVENT_DEMOTE, STATE_DEMOTED, "DemotePrimary"},
    {STATE_PRIMARY, EVENT_UNDO_DEMOTE, STATE_PRIMARY, "UndoDemotePrimary: writable again"},
    {STATE_PRIMARY, EVENT_STOP, STATE_STOPPED, "SIGTERM"},

    {STATE_DEMOTED, EVENT_RESUME_PRIMARY, STATE_PRIMARY, "the topology still names us"},
    {STATE_DEMOTED, EVENT_PROMOTE, STATE_PRIMARY, "a new term"},
    {STATE_DEMOTED, EVENT_FOLLOW, STATE_FOLLOWING, "SetReplicationSource"},
    {STATE_DEMOTED, EVENT_DRAIN, STATE_DRAINED, "ChangeType"},
    {STATE_DEMOTED, EVENT_BACK_UP, STATE_BACKUP, "Backup of a primary, if allowed"},
    {STATE_DEMOTED, EVENT_DEMOTE, STATE_DEMOTED, "asked twice"},
    {STATE_DEMOTED, EVENT_UNDO_DEMOTE, STATE_PRIMARY, "UndoDemotePrimary"},
    {STATE_DEMOTED, EVENT_STOP, STATE_STOPPED, "SIGTERM"},

    {STATE_FOLLOWING, EVENT_RESUME_PRIMARY, STATE_PRIMARY, "the topology names us"},
    {STATE_FOLLOWING, EVENT_PROMOTE, STATE_PRIMARY, "PromoteReplica, InitPrimary"},
    {STATE_FOLLOWING, EVENT_FOLLOW, STATE_FOLLOWING, "another replica type"},
    {STATE_FOLLOWING, EVENT_DRAIN, STATE_DRAINED, "ChangeType"},
    {STATE_FOLLOWING, EVENT_BACK_UP, STATE_BACKUP, "Backup"},
    {STATE_FOLLOWING, EVENT_RESTORE, STATE_RESTORE, "RestoreFromBackup, or an empty server"},
    {STATE_FOLLOWING, EVENT_DEMOTE, STATE_FOLLOWING, "not a primary: read-only already"},
    {STATE_FOLLOWING, EVENT_UNDO_DEMOTE, STATE_FOLLOWING, "not a primary: nothing to undo"},
    {STATE_FOLLOWING, EVENT_STOP, STATE_STOPPED, "SIGTERM"},

    {STATE_DRAINED, EVENT_RESUME_PRIMARY, STATE_PRIMARY, "the topology names us"},
    {STATE_DRAINED, EVENT_PROMOTE, STATE_PRIMARY, "InitPrimary"},
    {STATE_DRAINED, EVENT_FOLLOW, STATE_FOLLOWING, "ChangeType"},
    {STATE_DRAINED, EVENT_BACK_UP, STATE_BACKUP, "Backup"},
    {STATE_DRAINED, EVENT_RESTORE, STATE_RESTORE, "RestoreFromBackup"},
    {STATE_DRAINED, EVENT_DEMOTE, STATE_DRAINED, "not a primary: read-only already"},
    {STATE_DRAINED, EVENT_UNDO_DEMOTE, STATE_DRAINED, "not a primary: nothing to undo"},
    {STATE_DRAINED, EVENT_STOP, STATE_STOPPED, "SIGTERM"},

    {STATE_BACKUP, EVENT_RESUME_PRIMARY, STATE_PRIMARY, "the topology names us"},
    {STATE_BACKUP, EVENT_PROMOTE, STATE_PRIMARY, "the backup of a primary is over"},
    {STATE_BACKUP, EVENT_FOLLOW, STATE_FOLLOWING, "the backup is over"},
    {STATE_BACKUP, EVENT_DRAIN, STATE_DRAINED, "the backup of a drained tablet is over"},
    {STATE_BACKUP, EVENT_BACK_UP, STATE_BACKUP, "set by hand before"},
    {STATE_BACKUP, EVENT_RESTORE, STATE_RESTORE, "RestoreFromBackup"},
    {STATE_BACKUP, EVENT_DEMOTE, STATE_BACKUP, "not a primary: read-only already"},
    {STATE_BACKUP, EVENT_UNDO_DEMOTE, STATE_BACKUP, "not a primary: nothing to undo"},
    {STATE_BACKUP, EVENT_STOP, STATE_STOPPED, "SIGTERM"},

    {STATE_RESTORE, EVENT_FOLLOW, STATE_FOLLOWING, "the restore is over"},
    {STATE_RESTORE, EVENT_DRAIN, STATE_DRAINED, "restored to a point in time"},
    {STATE_RESTORE, EVENT_RESTORE, STATE_RESTORE, "tried again after a failure"},
    {STATE_RESTORE, EVENT_DEMOTE, STATE_RESTORE, "not a primary: read-only already"},
    {STATE_RESTORE, EVENT_UNDO_DEMOTE, STATE_RESTORE, "not a primary: nothing to undo"},
    {STATE_RESTORE, EVENT_STOP, STATE_STOPPED, "SIGTERM"},

    {STATE_STOPPED, EVENT_STOP, STATE_STOPPED, "asked twice"},
};

#define STARTING_REFUSAL "the tablet is still starting: try again when it is published"
#define STOPPED_REFUSAL "the tablet is shutting down"
#define INCOMPLETE_REFUSAL "the tablet's data is being restored: wait for the end of the restore"

static const struct state_refusal refusals[] = {
    {STATE_STARTING, EVENT_PROMOTE, STARTING_REFUSAL},
    {STATE_STARTING, EVENT_DRAIN, STARTING_REFUSAL},
    {STATE_STARTING, EVENT_BACK_UP, STARTING_REFUSAL},
    {STATE_STARTING, EVENT_RESTORE, STARTING_REFUSAL},
    {STATE_STARTING, EVENT_DEMOTE, STARTING_REFUSAL},
    {STATE_STARTING, EVENT_UNDO_DEMOTE, STARTING_REFUSAL},

    {STATE_PRIMARY, EVENT_RESTORE, "type PRIMARY cannot restore from backup: reparent first"},
    {STATE_DEMOTED, EVENT_RESTORE, "type PRIMARY cannot restore from backup: reparent first"},
    {STATE_DRAINED, EVENT_DRAIN, "tablet: already drained"},

    {STATE_RESTORE, EVENT_RESUME_PRIMARY, INCOMPLETE_REFUSAL},
    {STATE_RESTORE, EVENT_PROMOTE, INCOMPLETE_REFUSAL},
    {STATE_RESTORE, EVENT_BACK_UP, INCOMPLETE_REFUSAL},

    {STATE_STOPPED, EVENT_RESUME_PRIMARY, STOPPED_REFUSAL},
    {STATE_STOPPED, EVENT_PROMOTE, STOPPED_REFUSAL},
    {STATE_STOPPED, EVENT_FOLLOW, STOPPED_REFUSAL},
    {STATE_STOPPED, EVENT_DRAIN, STOPPED_REFUSAL},
    {STATE_STOPPED, EVENT_BACK_UP, STOPPED_REFUSAL},
    {STATE_STOPPED, EVENT_RESTORE, STOPPED_REFUSAL},
    {STATE_STOPPED, EVENT_DEMOTE, STOPPED_REFUSAL},
    {STATE_STOPPED, EVENT_UNDO_DEMOTE, STOPPED_REFUSAL},
};

static const char *const state_names[STATE_COUNT] = {
    [STATE_STARTING] = "starting",   [STATE_PRIMARY] = "primary", [STATE_DEMOTED] = "demoted",
    [STATE_FOLLOWING] = "following", [STATE_DRAINED] = "drained", [STATE_BACKUP] = "backup",
    [STATE_RESTORE] = "restore",     [STATE_STOPPED] = "stopped",
};
static const char *const event_names[EVENT_COUNT] = {
    [EVENT_RESUME_PRIMARY] = "resume_primary",
    [EVENT_PROMOTE] = "promote",
    [EVENT_FOLLOW] = "follow",
    [EVENT_DRAIN] = "drain",
    [EVENT_BACK_UP] = "back_up",
    [EVENT_RESTORE] = "restore",
    [EVENT_DEMOTE] = "demote",
    [EVENT_UNDO_DEMOTE] = "undo_demote",
    [EVENT_STOP] = "stop",
};

const char *
states_name(enum tablet_state state)
{
    return state_names[state];
}

const char *
states_event_name(enum tablet_event event)
{
    return event_names[event];
}

const struct state_row *
states_rows(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(rows);
    return rows;
}

const struct state_refusal *
states_refusals(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(refusals);
    return refusals;
}

static const struct state_row *
find_row(enum tablet_state from, enum tablet_event event)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (rows[i].from == from && rows[i].event == event)
            return &rows[i];
    }
    return NULL;
}

static struct error *
refuse(enum tablet_state from, enum tablet_event event)
{
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        if (refusals[i].from == from && refusals[i].event == event)
            return error_new(ERROR_FAILED_PRECONDITION, "%s", refusals[i].reason);
    }
    return error_new(ERROR_INTERNAL, "no rule for event '%s' in state '%s'", event_names[event],
                     state_names[from]);
}

struct error *
states_check(const struct tablet_role *role, enum tablet_event event)
{
    if (find_row(role->state, event) == NULL)
        return refuse(role->state, event);
    return NULL;
}

/* The type that goes with a state; FOLLOWING keeps or takes one of several. */
static Topodata__TabletType
type_of_state(enum tablet_state state, enum tablet_event event, Topodata__TabletType wanted,
              Topodata__TabletType now)
{
    switch (state) {
    case STATE_PRIMARY:
    case STATE_DEMOTED:
        return TOPODATA__TABLET_TYPE__PRIMARY;
    case STATE_FOLLOWING:
        return event == EVENT_FOLLOW ? wanted : now;
    case STATE_DRAINED:
        return TOPODATA__TABLET_TYPE__DRAINED;
    case STATE_BACKUP:
        return TOPODATA__TABLET_TYPE__BACKUP;
    case STATE_RESTORE:
        return TOPODATA__TABLET_TYPE__RESTORE;
    case STATE_STARTING:
    case STATE_STOPPED:
    case STATE_COUNT:
        break;
    }
    return now; /* the record of a stopped tablet keeps its type */
}

static int64_t
term_after(const struct tablet_role *role, enum tablet_event event, enum tablet_state to,
           int64_t term_start_ns)
{
    if (event == EVENT_PROMOTE || event == EVENT_RESUME_PRIMARY)
        return term_start_ns;
    if (to == STATE_PRIMARY || to == STATE_DEMOTED || to == STATE_STOPPED)
        return role->term_start_ns;
    return 0;
}

struct error *
states_walk(struct tablet_role *role, enum tablet_event event, Topodata__TabletType type,
            int64_t term_start_ns)
{
    const struct state_row *row = find_row(role->state, event);
    if (row == NULL)
        return refuse(role->state, event);
    role->term_start_ns = term_after(role, event, row->to, term_start_ns);
    role->type = type_of_state(row->to, event, type, role->type);
    role->state = row->to;
    return NULL;
}

enum tablet_event
states_event_of_type(Topodata__TabletType type)
{
    if (type == TOPODATA__TABLET_TYPE__PRIMARY)
        return EVENT_PROMOTE;
    if (type == TOPODATA__TABLET_TYPE__DRAINED)
        return EVENT_DRAIN;
    if (type == TOPODATA__TABLET_TYPE__BACKUP)
        return EVENT_BACK_UP;
    if (type == TOPODATA__TABLET_TYPE__RESTORE)
        return EVENT_RESTORE;
    return EVENT_FOLLOW;
}

bool
states_is_serving(const struct tablet_role *role)
{
    if (role->state == STATE_FOLLOWING)
        return role->type != TOPODATA__TABLET_TYPE__SPARE;
    return role->state == STATE_PRIMARY || role->state == STATE_DRAINED;
}

void
states_print_diagram(FILE *stream)
{
    fprintf(stream, "stateDiagram-v2\n    [*] --> %s\n", state_names[STATE_STARTING]);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (rows[i].from == rows[i].to)
            continue; /* loops tell nothing in a picture */
        if (rows[i].event == EVENT_STOP)
            continue; /* every state has this arrow */
        fprintf(stream, "    %s --> %s: %s\n", state_names[rows[i].from], state_names[rows[i].to],
                event_names[rows[i].event]);
    }
    fprintf(stream, "    note right of %s: every state goes to 'stopped' on SIGTERM\n",
            state_names[STATE_STARTING]);
}
