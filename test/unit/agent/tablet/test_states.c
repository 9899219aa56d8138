#include <criterion/criterion.h>

#include "agent/base/memory.h"
#include "agent/tablet/states.h"

static int
count_rows(enum tablet_state from, enum tablet_event event)
{
    size_t count;
    const struct state_row *rows = states_rows(&count);
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += rows[i].from == from && rows[i].event == event;
    return found;
}

static int
count_refusals(enum tablet_state from, enum tablet_event event)
{
    size_t count;
    const struct state_refusal *refusals = states_refusals(&count);
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += refusals[i].from == from && refusals[i].event == event;
    return found;
}

Test(states, every_pair_is_a_row_or_refused_and_never_both)
{
    for (int state = 0; state < STATE_COUNT; state++) {
        for (int event = 0; event < EVENT_COUNT; event++) {
            int rules = count_rows((enum tablet_state)state, (enum tablet_event)event) +
                        count_refusals((enum tablet_state)state, (enum tablet_event)event);
            cr_assert_eq(rules, 1);
        }
    }
}

Test(states, every_state_and_event_has_a_name)
{
    for (int state = 0; state < STATE_COUNT; state++)
        cr_assert_not_null(states_name((enum tablet_state)state));
    for (int event = 0; event < EVENT_COUNT; event++)
        cr_assert_not_null(states_event_name((enum tablet_event)event));
}

Test(states, every_walk_keeps_type_and_term_consistent)
{
    for (int state = 0; state < STATE_COUNT; state++) {
        for (int event = 0; event < EVENT_COUNT; event++) {
            bool is_primary = state == STATE_PRIMARY || state == STATE_DEMOTED;
            struct tablet_role role = {.state = (enum tablet_state)state,
                                       .type = is_primary ? TOPODATA__TABLET_TYPE__PRIMARY
                                                          : TOPODATA__TABLET_TYPE__RDONLY,
                                       .term_start_ns = is_primary ? 7 : 0};
            struct tablet_role before = role;
            struct error *error =
                states_walk(&role, (enum tablet_event)event, TOPODATA__TABLET_TYPE__REPLICA, 9);
            if (error != NULL) {
                cr_assert_eq(error->code, ERROR_FAILED_PRECONDITION);
                cr_assert_eq(role.state, before.state);
                cr_assert_eq(role.type, before.type);
                cr_assert_eq(role.term_start_ns, before.term_start_ns);
                error_free(error);
                continue;
            }
            bool has_term = role.term_start_ns != 0;
            cr_assert_eq(has_term, role.type == TOPODATA__TABLET_TYPE__PRIMARY);
        }
    }
}

Test(states, promotion_and_demotion)
{
    struct tablet_role role = {.state = STATE_STARTING};
    cr_assert_null(states_walk(&role, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA, 0));
    cr_assert_eq(role.type, TOPODATA__TABLET_TYPE__REPLICA);
    cr_assert(states_is_serving(&role));
    cr_assert_null(states_walk(&role, EVENT_PROMOTE, TOPODATA__TABLET_TYPE__UNKNOWN, 5));
    cr_assert_eq(role.type, TOPODATA__TABLET_TYPE__PRIMARY);
    cr_assert_eq(role.term_start_ns, 5);
    cr_assert_null(states_walk(&role, EVENT_DEMOTE, TOPODATA__TABLET_TYPE__UNKNOWN, 0));
    cr_assert_eq(role.term_start_ns, 5);
    cr_assert(!states_is_serving(&role));
    cr_assert_null(states_walk(&role, EVENT_UNDO_DEMOTE, TOPODATA__TABLET_TYPE__UNKNOWN, 0));
    cr_assert(states_is_serving(&role));
    cr_assert_null(states_walk(&role, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__SPARE, 0));
    cr_assert_eq(role.term_start_ns, 0);
    cr_assert(!states_is_serving(&role));
}

Test(states, a_restoring_tablet_is_never_promoted)
{
    struct tablet_role role = {.state = STATE_FOLLOWING, .type = TOPODATA__TABLET_TYPE__REPLICA};
    cr_assert_null(states_walk(&role, EVENT_RESTORE, TOPODATA__TABLET_TYPE__UNKNOWN, 0));
    struct error *error = states_walk(&role, EVENT_PROMOTE, TOPODATA__TABLET_TYPE__UNKNOWN, 1);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    error_free(error);
}

Test(states, events_of_types)
{
    cr_assert_eq(states_event_of_type(TOPODATA__TABLET_TYPE__PRIMARY), EVENT_PROMOTE);
    cr_assert_eq(states_event_of_type(TOPODATA__TABLET_TYPE__SPARE), EVENT_FOLLOW);
    cr_assert_eq(states_event_of_type(TOPODATA__TABLET_TYPE__RDONLY), EVENT_FOLLOW);
    cr_assert_eq(states_event_of_type(TOPODATA__TABLET_TYPE__DRAINED), EVENT_DRAIN);
    cr_assert_eq(states_event_of_type(TOPODATA__TABLET_TYPE__BACKUP), EVENT_BACK_UP);
    cr_assert_eq(states_event_of_type(TOPODATA__TABLET_TYPE__RESTORE), EVENT_RESTORE);
}

Test(states, the_diagram_is_mermaid)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    states_print_diagram(stream);
    fclose(stream);
    cr_assert(str_starts_with(text, "stateDiagram-v2\n"));
    cr_assert_not_null(strstr(text, "following --> primary: promote\n"));
    free(text);
}
