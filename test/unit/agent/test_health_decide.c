#include <criterion/criterion.h>

#include "agent/base/memory.h"
#include "agent/health.h"

#define REPLICA TOPODATA__TABLET_TYPE__REPLICA

static const struct health_rules rules = {.unhealthy_ms = 7200000, .degraded_ms = 30000};

static struct health_probe
good_probe(uint32_t lag)
{
    return (struct health_probe){.is_known = true,
                                 .server_answers = true,
                                 .is_read_only = true,
                                 .is_replica = true,
                                 .io_state = REPLICATION_RUNNING,
                                 .sql_state = REPLICATION_RUNNING,
                                 .lag_seconds = lag,
                                 .source = "db:3306"};
}

Test(health, nothing_serves_without_a_server)
{
    struct health_memory memory = {0};
    struct health_probe probe = {.is_known = true, .error = "connection refused"};
    struct health_verdict verdict =
        health_decide(&probe, TOPODATA__TABLET_TYPE__PRIMARY, false, &rules, 0, &memory);
    cr_assert(!verdict.is_serving);
    cr_assert_str_eq(verdict.reason, "mysqld does not answer: connection refused");
    probe.is_known = false;
    verdict = health_decide(&probe, REPLICA, false, &rules, 0, &memory);
    cr_assert(!verdict.is_serving);
}

Test(health, a_primary_serves_and_says_when_it_is_read_only)
{
    struct health_memory memory = {0};
    struct health_probe probe = {.is_known = true, .server_answers = true};
    struct health_verdict verdict =
        health_decide(&probe, TOPODATA__TABLET_TYPE__PRIMARY, false, &rules, 0, &memory);
    cr_assert(verdict.is_serving);
    cr_assert_str_eq(verdict.reason, "primary, writable");
    probe.is_read_only = true;
    verdict = health_decide(&probe, TOPODATA__TABLET_TYPE__PRIMARY, false, &rules, 0, &memory);
    cr_assert(verdict.is_serving);
    cr_assert_not_null(strstr(verdict.reason, "read-only"));
}

Test(health, a_replica_serves_up_to_the_threshold)
{
    struct health_memory memory = {0};
    struct health_probe probe = good_probe(3);
    struct health_verdict verdict = health_decide(&probe, REPLICA, false, &rules, 0, &memory);
    cr_assert(verdict.is_serving);
    cr_assert_str_eq(verdict.reason, "replicating from db:3306, 3 s behind");
    probe.lag_seconds = 7200;
    verdict = health_decide(&probe, REPLICA, false, &rules, 0, &memory);
    cr_assert(verdict.is_serving);
    cr_assert(!verdict.has_caught_up);
    probe.lag_seconds = 7201;
    cr_assert(!health_decide(&probe, REPLICA, false, &rules, 0, &memory).is_serving);
}

Test(health, broken_replication_ages_from_the_last_known_lag)
{
    struct health_memory memory = {0};
    struct health_probe probe = good_probe(10);
    health_decide(&probe, REPLICA, false, &rules, 1000, &memory);
    probe.sql_state = REPLICATION_STOPPED;
    probe.is_lag_unknown = true;
    snprintf(probe.replication_error, sizeof(probe.replication_error), "duplicate key");
    struct health_verdict verdict = health_decide(&probe, REPLICA, false, &rules, 61000, &memory);
    cr_assert(verdict.is_serving);
    cr_assert_eq(verdict.lag_seconds, 70);
    cr_assert_str_eq(verdict.reason,
                     "the SQL thread is stopped, data is up to 70 s old: duplicate key");
    verdict = health_decide(&probe, REPLICA, false, &rules, 7300000, &memory);
    cr_assert(!verdict.is_serving);
}

Test(health, broken_from_the_beginning_never_serves)
{
    struct health_memory memory = {0};
    struct health_probe probe = good_probe(0);
    probe.io_state = REPLICATION_STOPPED;
    probe.sql_state = REPLICATION_STOPPED;
    struct health_verdict verdict = health_decide(&probe, REPLICA, false, &rules, 0, &memory);
    cr_assert(!verdict.is_serving);
    cr_assert_str_eq(verdict.reason, "not replicating, replication is stopped");
    probe.is_replica = false;
    verdict = health_decide(&probe, REPLICA, false, &rules, 0, &memory);
    cr_assert(!verdict.is_serving);
    cr_assert_not_null(strstr(verdict.reason, "no replication source"));
}

Test(health, a_diverged_replica_is_told_what_to_do)
{
    struct health_memory memory = {0};
    struct health_probe probe = good_probe(1);
    probe.io_state = REPLICATION_STOPPED;
    snprintf(probe.replication_error, sizeof(probe.replication_error),
             "1236: GTID 0-1-2, which is not in the master's binlog");
    struct health_verdict verdict = health_decide(&probe, REPLICA, false, &rules, 0, &memory);
    cr_assert(verdict.is_broken);
    cr_assert_not_null(strstr(verdict.reason, "errant transactions: restore"));
    cr_assert_not_null(strstr(verdict.reason, "GTID 0-1-2"));
}

Test(health, connecting_without_an_error_is_healthy)
{
    struct health_memory memory = {0};
    struct health_probe probe = good_probe(1);
    probe.io_state = REPLICATION_CONNECTING;
    cr_assert(health_decide(&probe, REPLICA, false, &rules, 0, &memory).is_serving);
    memory = (struct health_memory){0};
    snprintf(probe.replication_error, sizeof(probe.replication_error), "access denied");
    struct health_verdict verdict = health_decide(&probe, REPLICA, false, &rules, 0, &memory);
    cr_assert(!verdict.is_serving);
    cr_assert_not_null(strstr(verdict.reason, "the connection to the source fails"));
}

Test(health, a_restored_replica_waits_for_the_degraded_threshold)
{
    struct health_memory memory = {0};
    struct health_probe probe = good_probe(31);
    struct health_verdict verdict = health_decide(&probe, REPLICA, true, &rules, 0, &memory);
    cr_assert(!verdict.is_serving);
    cr_assert_str_eq(verdict.reason, "restored, catching up with db:3306: 31 s behind");
    probe.lag_seconds = 30;
    verdict = health_decide(&probe, REPLICA, true, &rules, 0, &memory);
    cr_assert(verdict.is_serving);
    cr_assert(verdict.has_caught_up);
}

Test(health, drained_serves_what_it_has)
{
    struct health_memory memory = {0};
    struct health_probe probe = {.is_known = true, .server_answers = true};
    cr_assert(health_decide(&probe, TOPODATA__TABLET_TYPE__DRAINED, false, &rules, 0, &memory)
                  .is_serving);
}

Test(health, a_restarted_server_is_told_from_a_stopped_replication)
{
    struct health_restart restart = {0};
    struct health_probe running = good_probe(0), gone = {.is_known = true};
    struct health_probe stopped = good_probe(0);
    stopped.io_state = stopped.sql_state = REPLICATION_STOPPED;
    cr_assert(!health_has_restarted(&gone, &restart));
    cr_assert(!health_has_restarted(&stopped, &restart)); /* it did not run before */
    cr_assert(!health_has_restarted(&running, &restart));
    cr_assert(!health_has_restarted(&stopped, &restart)); /* somebody stopped it */
    cr_assert(!health_has_restarted(&gone, &restart));
    cr_assert(!health_has_restarted(&stopped, &restart)); /* and it stays so */
    cr_assert(!health_has_restarted(&running, &restart));
    cr_assert(!health_has_restarted(&gone, &restart));
    cr_assert(!health_has_restarted(&gone, &restart));
    cr_assert(health_has_restarted(&stopped, &restart));
    cr_assert(!health_has_restarted(&stopped, &restart)); /* said once */
    cr_assert(!health_has_restarted(&running, &restart));
    cr_assert(!health_has_restarted(&gone, &restart));
    cr_assert(!health_has_restarted(&running, &restart)); /* it came back by itself */
}
