#include <criterion/criterion.h>

#include "agent/actions/source_plan.h"

static struct full_status
running_replica(void)
{
    return (struct full_status){
        .is_replica = true,
        .replication = {.source_host = (char *)"db-1",
                        .source_port = 3306,
                        .last_io_error = (char *)"",
                        .io_state = REPLICATION_RUNNING,
                        .sql_state = REPLICATION_RUNNING,
                        .has_auto_position = true},
        .has_configuration = true,
        .heartbeat_interval = 4,
    };
}

static struct source_wish
same_source(void)
{
    return (struct source_wish){.host = "db-1", .port = 3306};
}

Test(source_plan, healthy_replica_of_the_same_source_is_left_alone)
{
    struct full_status now = running_replica();
    struct source_wish wish = same_source();
    struct source_plan plan = source_plan_make(&now, &wish);
    cr_assert(!plan.needs_stop);
    cr_assert(!plan.needs_change);
    cr_assert(!plan.needs_start);
    cr_assert(plan.should_run);
    wish.forces_start = true;
    plan = source_plan_make(&now, &wish);
    cr_assert(!plan.needs_stop && !plan.needs_change && !plan.needs_start);
}

Test(source_plan, other_host_or_port_is_changed_between_stop_and_start)
{
    struct full_status now = running_replica();
    struct source_wish wish = {.host = "db-2", .port = 3306};
    struct source_plan plan = source_plan_make(&now, &wish);
    cr_assert(plan.needs_stop && plan.needs_change && plan.needs_start && plan.should_run);
    wish = (struct source_wish){.host = "db-1", .port = 3307};
    cr_assert(source_plan_make(&now, &wish).needs_change);
}

Test(source_plan, stopped_replica_stays_stopped_unless_forced)
{
    struct full_status now = running_replica();
    now.replication.io_state = now.replication.sql_state = REPLICATION_STOPPED;
    struct source_wish wish = {.host = "db-2", .port = 3306};
    struct source_plan plan = source_plan_make(&now, &wish);
    cr_assert(plan.needs_change);
    cr_assert(!plan.needs_stop && !plan.needs_start && !plan.should_run);
    wish.forces_start = true;
    plan = source_plan_make(&now, &wish);
    cr_assert(plan.needs_change && plan.needs_start && plan.should_run && !plan.needs_stop);
}

Test(source_plan, server_without_replication_always_starts)
{
    struct full_status now = {.is_replica = false};
    struct source_wish wish = same_source();
    struct source_plan plan = source_plan_make(&now, &wish);
    cr_assert(plan.needs_change && plan.needs_start && plan.should_run && !plan.needs_stop);
}

Test(source_plan, half_dead_replication_is_restarted)
{
    struct full_status now = running_replica();
    now.replication.sql_state = REPLICATION_STOPPED;
    struct source_wish wish = same_source();
    struct source_plan plan = source_plan_make(&now, &wish);
    cr_assert(plan.needs_stop && plan.needs_start && !plan.needs_change);
}

Test(source_plan, connecting_thread_is_stopped_before_a_change)
{
    struct full_status now = running_replica();
    now.replication.io_state = REPLICATION_CONNECTING;
    now.replication.last_io_error = (char *)"cannot connect";
    now.replication.sql_state = REPLICATION_STOPPED;
    struct source_wish wish = {.host = "db-2", .port = 3306};
    struct source_plan plan = source_plan_make(&now, &wish);
    cr_assert(plan.needs_stop && plan.needs_change);
    cr_assert(!plan.needs_start);
}

Test(source_plan, semi_sync_that_differs_needs_a_new_connection)
{
    struct full_status now = running_replica();
    struct source_wish wish = same_source();
    wish.semi_sync = SEMI_SYNC_SET;
    struct source_plan plan = source_plan_make(&now, &wish);
    cr_assert(plan.needs_stop && plan.needs_start && !plan.needs_change);
    now.semi_sync_replica_status = true;
    cr_assert(!source_plan_make(&now, &wish).needs_stop);
    wish.semi_sync = SEMI_SYNC_UNSET;
    cr_assert(source_plan_make(&now, &wish).needs_stop);
    wish.semi_sync = SEMI_SYNC_NONE;
    cr_assert(!source_plan_make(&now, &wish).needs_stop);
}

Test(source_plan, heartbeat_is_changed_only_when_it_differs)
{
    struct full_status now = running_replica();
    struct source_wish wish = same_source();
    wish.heartbeat_interval = 4;
    cr_assert(!source_plan_make(&now, &wish).needs_change);
    wish.heartbeat_interval = 2.5;
    cr_assert(source_plan_make(&now, &wish).needs_change);
    now.has_configuration = false;
    wish.heartbeat_interval = 4;
    cr_assert(source_plan_make(&now, &wish).needs_change);
}

Test(source_plan, replication_by_file_is_turned_to_gtids)
{
    struct full_status now = running_replica();
    now.replication.has_auto_position = false;
    struct source_wish wish = same_source();
    cr_assert(source_plan_make(&now, &wish).needs_change);
    now.replication.is_using_gtid = true;
    cr_assert(!source_plan_make(&now, &wish).needs_change);
}
