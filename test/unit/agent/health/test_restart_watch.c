#include <criterion/criterion.h>

#include "agent/health/restart_watch.h"

Test(restart_watch, a_restarted_server_is_told_from_a_stopped_replication)
{
    struct restart_watch watch = {.was_gone = false};
    struct health_facts gone = {.server = {.answers = false}};
    struct health_facts running = {.server = {.answers = true},
                                   .replication = {.is_replica = true,
                                                   .io_state = REPLICATION_RUNNING,
                                                   .sql_state = REPLICATION_RUNNING}};
    struct health_facts stopped = running;
    stopped.replication.io_state = stopped.replication.sql_state = REPLICATION_STOPPED;
    cr_assert(!restart_watch_look(&watch, &gone));
    cr_assert(!restart_watch_look(&watch, &stopped)); /* it did not run before */
    cr_assert(!restart_watch_look(&watch, &running));
    cr_assert(!restart_watch_look(&watch, &stopped)); /* somebody stopped it */
    cr_assert(!restart_watch_look(&watch, &gone));
    cr_assert(!restart_watch_look(&watch, &stopped)); /* and it stays so */
    cr_assert(!restart_watch_look(&watch, &running));
    cr_assert(!restart_watch_look(&watch, &gone));
    cr_assert(!restart_watch_look(&watch, &gone));
    cr_assert(restart_watch_look(&watch, &stopped));
    cr_assert(!restart_watch_look(&watch, &stopped)); /* said once */
    cr_assert(!restart_watch_look(&watch, &running));
    cr_assert(!restart_watch_look(&watch, &gone));
    cr_assert(!restart_watch_look(&watch, &running)); /* it came back by itself */
}
