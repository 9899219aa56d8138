#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/ctl/ers_rules.h"
#include "fake.h"

#define UUID "00000000-0000-0000-0000-000000000001"
#define OTHER "00000000-0000-0000-0000-000000000002"
#define AT(n) "MySQL56/" UUID ":1-" n

#define MOST 6
static Topodata__TabletAlias aliases[MOST];
static Topodata__Tablet records[MOST];

static const Topodata__Tablet *
record(size_t index, Topodata__TabletType type)
{
    topodata__tablet_alias__init(&aliases[index]);
    topodata__tablet__init(&records[index]);
    aliases[index].cell = (char *)(uintptr_t) "zone1";
    aliases[index].uid = (uint32_t)(100 + index);
    records[index].alias = &aliases[index];
    records[index].type = type;
    return &records[index];
}

static const Topodata__Tablet *
in_cell(const Topodata__Tablet *tablet, const char *cell)
{
    tablet->alias->cell = (char *)(uintptr_t)cell;
    return tablet;
}

static struct position *
position(const char *text)
{
    struct position *result = NULL;
    must(position_parse(text, &result));
    return result;
}

static struct contender
contender(size_t index, Topodata__TabletType type, const char *combined, const char *executed)
{
    return (struct contender){.tablet = record(index, type),
                              .combined = position(combined),
                              .executed = position(executed)};
}

Test(election, most_transactions_then_most_executed_then_rule_then_pool_then_alias)
{
    struct contender all[] = {
        contender(0, TOPODATA__TABLET_TYPE__REPLICA, AT("9"), AT("9")),
        contender(1, TOPODATA__TABLET_TYPE__RDONLY, AT("10"), AT("10")),
        contender(2, TOPODATA__TABLET_TYPE__REPLICA, AT("10"), AT("8")),
        contender(3, TOPODATA__TABLET_TYPE__REPLICA, AT("10"), AT("10")),
        contender(4, TOPODATA__TABLET_TYPE__REPLICA, AT("10"), AT("10")),
        contender(5, TOPODATA__TABLET_TYPE__REPLICA, AT("10"), AT("10")),
    };
    all[4].buffer_pool_pages = 5;
    struct contender *order[MOST];
    for (size_t i = 0; i < MOST; i++)
        order[i] = &all[i];
    contenders_sort(order, MOST);
    const uint32_t expected[] = {104, 103, 105, 101, 102, 100};
    for (size_t i = 0; i < MOST; i++)
        cr_assert_eq(order[i]->tablet->alias->uid, expected[i]);
    for (size_t i = 0; i < MOST; i++)
        contender_done(&all[i]);
}

Test(election, the_one_that_has_everything_is_first_even_among_incomparable_ones)
{
    struct contender all[] = {
        contender(0, TOPODATA__TABLET_TYPE__REPLICA, "MySQL56/" UUID ":1-5", ""),
        contender(1, TOPODATA__TABLET_TYPE__REPLICA, "MySQL56/" OTHER ":1-5", ""),
        contender(2, TOPODATA__TABLET_TYPE__REPLICA, "MySQL56/" UUID ":1-5," OTHER ":1-5", ""),
        contender(3, TOPODATA__TABLET_TYPE__REPLICA, "MySQL56/" OTHER ":1-2", ""),
    };
    struct contender *order[] = {&all[0], &all[1], &all[2], &all[3]};
    contenders_sort(order, 4);
    cr_assert_eq(order[0]->tablet->alias->uid, 102);
    for (size_t i = 0; i < 4; i++)
        contender_done(&all[i]);
}

static const struct durability_policy *
policy(const char *name)
{
    const struct durability_policy *found = NULL;
    must(durability_policy_find(name, &found));
    return found;
}

Test(election, what_policies_allow)
{
    const Topodata__Tablet *a = record(0, TOPODATA__TABLET_TYPE__REPLICA);
    const Topodata__Tablet *b = record(1, TOPODATA__TABLET_TYPE__REPLICA);
    const Topodata__Tablet *c = record(2, TOPODATA__TABLET_TYPE__RDONLY);
    const Topodata__Tablet *d = in_cell(record(3, TOPODATA__TABLET_TYPE__REPLICA), "zone2");
    const Topodata__Tablet *all_items[] = {a, b, c, d}, *a_c[] = {a, c}, *a_b[] = {a, b},
                           *b_c_d[] = {b, c, d}, *c_only[] = {c};
    struct tablet_set all = {all_items, 4}, one = {a_c, 2}, two = {a_b, 2}, three = {b_c_d, 3},
                      rdonly = {c_only, 1};
    cr_assert(durability_can_establish(policy("none"), a, &one));
    cr_assert(!durability_can_establish(policy("none"), b, &one));
    cr_assert(!durability_can_establish(policy("semi_sync"), a, &one));
    cr_assert(durability_can_establish(policy("semi_sync_with_rdonly_ack"), a, &one));
    cr_assert(durability_can_establish(policy("semi_sync"), a, &two));
    cr_assert(!durability_can_establish(policy("cross_cell"), a, &two));
    cr_assert(durability_can_establish(policy("cross_cell"), a, &all));

    cr_assert(durability_is_revoked(policy("semi_sync"), &three, &all));
    cr_assert(durability_is_revoked(policy("semi_sync"), &two, &all));
    cr_assert(!durability_is_revoked(policy("semi_sync"), &one, &all));
    cr_assert(!durability_is_revoked(policy("none"), &three, &all));
    cr_assert(durability_is_revoked(policy("none"), &all, &all));
    cr_assert(!durability_is_revoked(policy("none"), &rdonly, &all));
}

Test(election, the_primary_is_who_began_last)
{
    Vttime__Time early = VTTIME__TIME__INIT, late = VTTIME__TIME__INIT;
    early.seconds = 5;
    late.seconds = 6;
    record(0, TOPODATA__TABLET_TYPE__PRIMARY);
    record(1, TOPODATA__TABLET_TYPE__PRIMARY);
    record(2, TOPODATA__TABLET_TYPE__REPLICA);
    records[0].primary_term_start_time = &early;
    records[1].primary_term_start_time = &late;
    Topodata__Tablet *items[] = {&records[0], &records[1], &records[2]};
    struct tablet_list list = {items, 3};
    bool is_tied;
    cr_assert_eq(find_current_primary(&list, &is_tied), &records[1]);
    cr_assert(!is_tied);
    records[0].primary_term_start_time = &late;
    cr_assert_null(find_current_primary(&list, &is_tied));
    cr_assert(is_tied);
    records[0].type = records[1].type = TOPODATA__TABLET_TYPE__REPLICA;
    cr_assert_null(find_current_primary(&list, &is_tied));
    cr_assert(!is_tied);
}

/* ---- Emergency rules ---- */

static struct ers_set
set_of(size_t count)
{
    return (struct ers_set){.items = xcalloc(count, sizeof(struct ers_tablet)),
                            .count = count,
                            .durability = policy("none")};
}

static struct ers_tablet *
replica(struct ers_set *set, size_t index, const char *executed, const char *relay)
{
    struct ers_tablet *tablet = &set->items[index];
    tablet->contender.tablet = record(index, TOPODATA__TABLET_TYPE__REPLICA);
    tablet->is_reached = true;
    tablet->is_replica = true;
    tablet->executed = position(executed);
    tablet->relay_log = position(relay);
    tablet->source_uuid = xstrdup(UUID);
    return tablet;
}

Test(ers_rules, gtids_and_other_positions_do_not_mix)
{
    struct ers_set set = set_of(2);
    replica(&set, 0, AT("5"), AT("6"));
    replica(&set, 1, "MariaDB/0-1-5", "MariaDB/0-1-5");
    must_be(ers_rank_positions(&set), ERROR_FAILED_PRECONDITION, "GTIDs");
    ers_set_done(&set);
    set = set_of(2);
    replica(&set, 0, AT("5"), AT("6"));
    replica(&set, 1, AT("5"), "");
    must_be(ers_rank_positions(&set), ERROR_UNAVAILABLE, "no relay log position");
    ers_set_done(&set);
}

Test(ers_rules, split_brain_is_found)
{
    struct ers_set set = set_of(2);
    struct ers_order order = {0};
    size_t source = 0;
    replica(&set, 0, "MySQL56/" UUID ":1-5", "MySQL56/" UUID ":1-5");
    replica(&set, 1, "MySQL56/" OTHER ":1-5", "MySQL56/" OTHER ":1-5");
    must(ers_rank_positions(&set));
    cr_assert(set.is_gtid_based);
    must_be(ers_find_source(&set, ERS_NONE, &source, &order), ERROR_FAILED_PRECONDITION,
            "split brain");
    ers_order_done(&order);
    ers_set_done(&set);
}

Test(ers_rules, transactions_of_the_source_itself_are_not_errant)
{
    struct ers_set set = set_of(2);
    replica(&set, 0, AT("5"), AT("9"));
    replica(&set, 1, AT("5"), AT("5"));
    must(ers_rank_positions(&set));
    ers_reject_errant(&set);
    cr_assert_null(set.items[0].contender.reason);
    cr_assert_null(set.items[1].contender.reason);
    ers_set_done(&set);
}

Test(ers_rules, one_that_missed_a_reparent_may_hold_what_only_its_old_source_wrote)
{
    struct ers_set set = set_of(3);
    /* 102 still followed the old primary (UUID) while the others had moved on to OTHER. */
    replica(&set, 0, "MySQL56/" UUID ":1-5," OTHER ":1-3", "MySQL56/" UUID ":1-5," OTHER ":1-3")
        ->journal_length = 3;
    replica(&set, 1, "MySQL56/" UUID ":1-5," OTHER ":1-2", "MySQL56/" UUID ":1-5," OTHER ":1-2")
        ->journal_length = 3;
    replica(&set, 2, AT("6"), AT("6"))->journal_length = 2;
    str_replace(&set.items[0].source_uuid, OTHER);
    str_replace(&set.items[1].source_uuid, OTHER);
    must(ers_rank_positions(&set));
    ers_reject_errant(&set);
    cr_assert_null(set.items[0].contender.reason);
    cr_assert_null(set.items[1].contender.reason);
    cr_assert_not_null(set.items[2].contender.reason);
    cr_assert_not_null(strstr(set.items[2].contender.reason, ":6"));
    ers_set_done(&set);
}

Test(ers_rules, tablets_out_of_service_and_backups)
{
    struct ers_set set = set_of(3);
    struct ers_order order = {0};
    size_t source = 9, chosen = 9;
    replica(&set, 0, AT("9"), AT("9"));
    records[0].type = TOPODATA__TABLET_TYPE__DRAINED;
    replica(&set, 1, AT("8"), AT("8"))->has_backup_running = true;
    replica(&set, 2, AT("7"), AT("7"));
    must(ers_rank_positions(&set));
    must(ers_find_source(&set, ERS_NONE, &source, &order));
    cr_assert_eq(source, 1);
    must(ers_keep_promotable(&set, NULL, ERS_NONE, &order));
    cr_assert_eq(order.count, 1);
    must(ers_choose(&set, &order, source, ERS_NONE, &chosen));
    cr_assert_eq(chosen, 2);
    ers_order_done(&order);
    ers_set_done(&set);
}

Test(ers_rules, a_backup_is_no_obstacle_when_there_is_nobody_else)
{
    struct ers_set set = set_of(1);
    struct ers_order order = {0};
    size_t source = 9, chosen = 9;
    replica(&set, 0, AT("8"), AT("8"))->has_backup_running = true;
    must(ers_rank_positions(&set));
    must(ers_find_source(&set, ERS_NONE, &source, &order));
    must(ers_keep_promotable(&set, NULL, ERS_NONE, &order));
    must(ers_choose(&set, &order, source, ERS_NONE, &chosen));
    cr_assert_eq(chosen, 0);
    ers_order_done(&order);
    ers_set_done(&set);
}

Test(ers_rules, other_cells_can_be_excluded)
{
    struct ers_set set = set_of(2);
    struct ers_order order = {0};
    size_t source = 9;
    replica(&set, 0, AT("8"), AT("8"));
    in_cell(&records[0], "zone2");
    replica(&set, 1, AT("7"), AT("7"));
    must(ers_rank_positions(&set));
    must(ers_find_source(&set, 0, &source, &order));
    must_be(ers_keep_promotable(&set, "zone1", 0, &order), ERROR_ABORTED, "zone1");
    ers_order_done(&order);
    ers_set_done(&set);
}

Test(ers_rules, answers_are_counted)
{
    struct ers_set set = set_of(3);
    for (size_t i = 0; i < 3; i++)
        replica(&set, i, AT("8"), AT("8"));
    must(ers_check_reached(&set, 0));
    set.items[0].is_reached = false;
    must(ers_check_reached(&set, 0));
    must_be(ers_check_reached(&set, ERS_NONE), ERROR_UNAVAILABLE, "zone1-0000000100");
    set.items[1].is_reached = false;
    must_be(ers_check_reached(&set, 0), ERROR_UNAVAILABLE, "zone1-0000000101");
    set.items[0].is_ignored = true;
    must_be(ers_check_reached(&set, 0), ERROR_UNAVAILABLE, "zone1-0000000101");
    set.durability = policy("semi_sync");
    set.items[0].is_ignored = false;
    must_be(ers_check_reached(&set, ERS_NONE), ERROR_UNAVAILABLE, NULL);
    set.items[1].is_reached = true;
    must(ers_check_reached(&set, ERS_NONE)); /* nobody is left to acknowledge */
    ers_set_done(&set);
}
