#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/health/decide.h"

#define REPLICA TOPODATA__TABLET_TYPE__REPLICA
#define PRIMARY TOPODATA__TABLET_TYPE__PRIMARY
#define NOW_MS 1000000
#define NOW_NS 1800000000000000000

static const struct health_rules rules = {
    .interval_ms = 1000, .unhealthy_ms = 7200000, .degraded_ms = 30000, .disk_timeout_ms = 30000};

static struct health_facts
good_facts(void)
{
    struct health_facts facts = {.server = {.measured_ms = NOW_MS,
                                            .answered_ms = NOW_MS,
                                            .answers = true,
                                            .is_read_only = true},
                                 .replication = {.measured_ms = NOW_MS,
                                                 .is_replica = true,
                                                 .io_state = REPLICATION_RUNNING,
                                                 .sql_state = REPLICATION_RUNNING,
                                                 .lag_seconds = 3,
                                                 .source = "db:3306",
                                                 .received_ms = NOW_MS,
                                                 .executed_ms = NOW_MS},
                                 .disk = {.measured_ms = NOW_MS,
                                          .free_bytes = 50ull << 30,
                                          .total_bytes = 100ull << 30,
                                          .written_ms = NOW_MS}};
    return facts;
}

/* ---- One thing wrong at a time ---- */

static void
nothing(struct health_facts *facts)
{
    (void)facts;
}

static void
unchecked(struct health_facts *facts)
{
    facts->server = (struct health_server){.measured_ms = 0};
}

static void
refused(struct health_facts *facts)
{
    facts->server.answers = false;
    facts->server.is_gone = true;
    snprintf(facts->server.error, sizeof(facts->server.error), "connection refused");
}

static void
silent(struct health_facts *facts)
{
    facts->server.answered_ms = NOW_MS - 2600;
}

static void
slow(struct health_facts *facts)
{
    facts->server.answered_ms = NOW_MS - 2400;
}

static void
sql_stopped(struct health_facts *facts)
{
    facts->replication.sql_state = REPLICATION_STOPPED;
    facts->replication.is_lag_unknown = true;
}

static void
diverged(struct health_facts *facts)
{
    facts->replication.io_state = REPLICATION_STOPPED;
    snprintf(facts->replication.error, sizeof(facts->replication.error),
             "1236: GTID 0-1-2, which is not in the master's binlog");
}

static void
connecting(struct health_facts *facts)
{
    facts->replication.io_state = REPLICATION_CONNECTING;
}

static void
cut_off(struct health_facts *facts)
{
    connecting(facts);
    facts->replication.received_ms = NOW_MS - 5000;
    snprintf(facts->replication.error, sizeof(facts->replication.error), "connection refused");
}

static void
cut_off_from_a_living_primary(struct health_facts *facts)
{
    cut_off(facts);
    facts->source.is_known = facts->source.is_serving = true;
    facts->source.measured_ms = NOW_MS - 1000;
}

static void
starved(struct health_facts *facts)
{
    cut_off_from_a_living_primary(facts);
    facts->replication.error[0] = '\0';
    facts->replication.io_state = REPLICATION_RUNNING;
    facts->replication.starved_since_ms = NOW_MS - 4000;
}

static void
no_source(struct health_facts *facts)
{
    facts->replication.is_replica = false;
}

static void
far_behind(struct health_facts *facts)
{
    facts->replication.lag_seconds = 7201;
}

static void
heartbeats(struct health_facts *facts)
{
    facts->heartbeat = (struct health_heartbeat){
        .measured_ms = NOW_MS, .time_ns = 1, .moved_ms = NOW_MS - 500, .lag_ms = 340};
}

static void
clock_set(struct health_facts *facts)
{
    facts->clock.stepped_ms = NOW_MS - 1000;
    facts->clock.step_size_ms = -3600000;
}

static void
clock_was_set(struct health_facts *facts)
{
    clock_set(facts);
    facts->clock.stepped_ms = NOW_MS - 3000;
}

static void
disk_full(struct health_facts *facts)
{
    facts->disk.total_bytes = 1000ull << 20;
    facts->disk.free_bytes = 29ull << 20;
}

static void
disk_nearly_full(struct health_facts *facts)
{
    facts->disk.total_bytes = 1000ull << 20;
    facts->disk.free_bytes = 59ull << 20;
}

static void
disk_stalled(struct health_facts *facts)
{
    facts->disk.write_started_ms = NOW_MS - 30001;
}

static void
certificate_expired(struct health_facts *facts)
{
    facts->certificate.expires_ns = NOW_NS - 1;
    snprintf(facts->certificate.file, sizeof(facts->certificate.file), "/tls/server.crt");
}

static void
certificate_expires(struct health_facts *facts)
{
    certificate_expired(facts);
    facts->certificate.expires_ns = NOW_NS + 86400000000000;
}

static void
writable(struct health_facts *facts)
{
    facts->server.is_read_only = false;
}

static void
semi_sync_blocked(struct health_facts *facts)
{
    writable(facts);
    facts->server.is_semi_sync_blocked = true;
}

static void
memory_short(struct health_facts *facts)
{
    facts->memory = (struct health_memory){
        .measured_ms = NOW_MS, .used_bytes = 97ull << 20, .limit_bytes = 100ull << 20};
}

static void
etcd_away(struct health_facts *facts)
{
    facts->published.failing_since_ms = NOW_MS - 8000;
    snprintf(facts->published.error, sizeof(facts->published.error), "no answer");
}

static void
storage_hangs(struct health_facts *facts)
{
    facts->storage = (struct health_storage){.stuck_count = 2,
                                             .stuck_since_ns = NOW_NS - 90000000000,
                                             .text = "sync '/b/3' has taken 120 s so far"};
}

static const struct {
    const char *name;
    void (*spoil)(struct health_facts *facts);
    Topodata__TabletType type;
    bool is_serving;
    enum health_cause cause;
    const char *reason; /* a part of it */
} rows[] = {
    {"good replica", nothing, REPLICA, true, HEALTH_FINE, "3.0 s behind db:3306"},
    {"unchecked", unchecked, REPLICA, false, HEALTH_UNCHECKED, "not checked yet"},
    {"refused", refused, PRIMARY, false, HEALTH_SERVER,
     "mysqld does not answer: connection refused"},
    {"silent", silent, REPLICA, false, HEALTH_SERVER, "mysqld has not answered for 2.6 s"},
    {"slow", slow, REPLICA, true, HEALTH_FINE, "3.0 s behind"},
    {"SQL thread stopped", sql_stopped, REPLICA, false, HEALTH_REPLICATION,
     "not replicating, the SQL thread is stopped"},
    {"SQL thread of a primary", sql_stopped, PRIMARY, true, HEALTH_FINE, "read-only"},
    {"diverged", diverged, REPLICA, false, HEALTH_REPLICATION,
     "errant transactions: restore this server"},
    {"connecting", connecting, REPLICA, true, HEALTH_FINE, "3.0 s behind"},
    {"the primary is gone", cut_off, REPLICA, true, HEALTH_FINE,
     "the connection to the source fails: connection refused"},
    {"cut off from a living primary", cut_off_from_a_living_primary, REPLICA, false,
     HEALTH_REPLICATION, "data is up to 3.0 s old, the connection to the source fails"},
    {"nothing arrives", starved, REPLICA, false, HEALTH_REPLICATION,
     "nothing arrives from db:3306 for 5.0 s, though it has more"},
    {"no source", no_source, REPLICA, false, HEALTH_NO_SOURCE, "no replication source"},
    {"far behind", far_behind, REPLICA, false, HEALTH_LAG, "more than --unhealthy-threshold"},
    {"heartbeats", heartbeats, REPLICA, true, HEALTH_FINE, "0.3 s behind db:3306"},
    {"clock set", clock_set, PRIMARY, false, HEALTH_CLOCK, "the clock was set back by 60 min"},
    {"clock set a while ago", clock_was_set, PRIMARY, true, HEALTH_FINE, "read-only"},
    {"disk full", disk_full, REPLICA, false, HEALTH_DISK_FULL,
     "the disk of the data directory is 98 % full: 29 MB free"},
    {"disk nearly full", disk_nearly_full, REPLICA, true, HEALTH_FINE, "95 % full: 59 MB free"},
    {"disk stalled", disk_stalled, PRIMARY, false, HEALTH_DISK_STALLED, "is stalled"},
    {"certificate expired", certificate_expired, REPLICA, false, HEALTH_CERTIFICATE,
     "the certificate '/tls/server.crt' expired at 2027-01-15T07:59:59Z"},
    {"certificate expires", certificate_expires, REPLICA, true, HEALTH_FINE, "expires at"},
    {"primary", writable, PRIMARY, true, HEALTH_FINE, "writable"},
    {"read-only primary", nothing, PRIMARY, true, HEALTH_FINE, "run 'vtagent ctl SetWritable'"},
    {"semi-sync", semi_sync_blocked, PRIMARY, true, HEALTH_FINE, "acknowledgements"},
    {"memory", memory_short, REPLICA, true, HEALTH_FINE, "memory is short: 97 of 100 MB"},
    {"etcd away", etcd_away, REPLICA, true, HEALTH_FINE, "etcd does not know since 8.0 s"},
    {"storage hangs", storage_hangs, REPLICA, true, HEALTH_FINE,
     "2 job workers hang in the backup storage for 90 s: sync '/b/3'"},
    {"drained", no_source, TOPODATA__TABLET_TYPE__DRAINED, true, HEALTH_FINE, "not looked at"},
};

static struct health_verdict
decide(const struct health_facts *facts, Topodata__TabletType type, bool is_catching_up,
       int64_t now_ms, struct health_lag_memory *memory, struct health_settling *settling)
{
    struct health_input input = {.facts = facts,
                                 .rules = &rules,
                                 .type = type,
                                 .is_catching_up = is_catching_up,
                                 .now_ms = now_ms,
                                 .now_ns = NOW_NS};
    struct health_judgement judgement;
    struct health_verdict verdict;
    health_judge(&input, memory, &judgement);
    health_settle(&judgement, &input, settling, &verdict);
    return verdict;
}

Test(health, each_thing_that_can_be_wrong)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct health_facts facts = good_facts();
        struct health_lag_memory memory = {0};
        struct health_settling settling = {.has_verdict = false};
        rows[i].spoil(&facts);
        struct health_verdict verdict =
            decide(&facts, rows[i].type, false, NOW_MS, &memory, &settling);
        cr_assert_eq(verdict.is_serving, rows[i].is_serving, "%s: %s", rows[i].name,
                     verdict.reason);
        cr_assert_eq(verdict.cause, rows[i].cause, "%s: %s", rows[i].name, verdict.reason);
        cr_assert_not_null(strstr(verdict.reason, rows[i].reason), "%s: %s", rows[i].name,
                           verdict.reason);
    }
}

Test(health, what_was_measured_in_another_role_is_not_known)
{
    struct health_facts facts = good_facts();
    struct health_lag_memory memory = {0};
    struct health_judgement judgement;
    struct health_input input = {
        .facts = &facts, .rules = &rules, .type = REPLICA, .now_ms = NOW_MS, .now_ns = NOW_NS};
    facts.replication = (struct health_replication){.measured_ms = NOW_MS - 10};
    input.type_since_ms = NOW_MS - 5;
    health_judge(&input, &memory, &judgement);
    cr_assert_eq(judgement.problems[0].cause, HEALTH_UNCHECKED);
    cr_assert_str_eq(judgement.problems[0].text, "not checked yet since it became replica");
    facts.replication.measured_ms = NOW_MS - 5;
    health_judge(&input, &memory, &judgement);
    cr_assert_eq(judgement.problems[0].cause, HEALTH_NO_SOURCE);
}

Test(health, every_cause_has_a_name)
{
    for (int cause = 0; cause < HEALTH_CAUSE_COUNT; cause++)
        cr_assert_not_null(health_cause_name((enum health_cause)cause));
}

Test(health, lag_that_cannot_be_measured_grows)
{
    struct health_facts facts = good_facts();
    struct health_lag_memory memory = {0};
    struct health_settling settling = {.has_verdict = false};
    decide(&facts, REPLICA, false, NOW_MS, &memory, &settling);
    cut_off(&facts);
    facts.replication.is_lag_unknown = true;
    facts.server.answered_ms = NOW_MS + 60000;
    struct health_verdict verdict =
        decide(&facts, REPLICA, false, NOW_MS + 60000, &memory, &settling);
    cr_assert(verdict.is_serving);
    cr_assert(verdict.is_broken);
    cr_assert(verdict.is_lag_estimated);
    cr_assert_eq(verdict.lag_ms, 63000);
    facts.server.answered_ms = NOW_MS + 7300000;
    verdict = decide(&facts, REPLICA, false, NOW_MS + 7300000, &memory, &settling);
    cr_assert(!verdict.is_serving);
}

Test(health, lag_that_was_never_known_is_not_zero)
{
    struct health_facts facts = good_facts();
    struct health_lag_memory memory = {0};
    struct health_settling settling = {.has_verdict = false};
    facts.replication.is_lag_unknown = true;
    struct health_verdict verdict = decide(&facts, REPLICA, false, NOW_MS, &memory, &settling);
    cr_assert(!verdict.is_serving);
    cr_assert(!verdict.is_lag_known);
    cr_assert_not_null(strstr(verdict.reason, "the lag is not known"));
}

Test(health, what_has_not_arrived_is_at_least_as_old_as_it_is_missing)
{
    struct health_facts facts = good_facts();
    struct health_lag_memory memory = {0};
    struct health_settling settling = {.has_verdict = false};
    facts.replication.lag_seconds = 0;
    facts.replication.starved_since_ms = NOW_MS - 1500;
    cr_assert_eq(decide(&facts, REPLICA, false, NOW_MS, &memory, &settling).lag_ms, 1500);
}

Test(health, a_missing_beat_raises_doubt_and_what_did_not_arrive_decides)
{
    static const struct health_rules beating = {.interval_ms = 1000,
                                                .unhealthy_ms = 7200000,
                                                .degraded_ms = 30000,
                                                .expects_heartbeats = true,
                                                .heartbeat_ms = 1000};
    struct health_facts facts = good_facts();
    struct health_lag_memory memory = {0};
    struct health_judgement judgement;
    struct health_input input = {
        .facts = &facts, .rules = &beating, .type = REPLICA, .now_ms = NOW_MS, .now_ns = NOW_NS};
    facts.source =
        (struct health_source){.is_known = true, .is_serving = true, .measured_ms = NOW_MS - 10};
    facts.replication.received_ms = NOW_MS - 1400;
    health_judge(&input, &memory, &judgement);
    cr_assert(!judgement.is_silent);
    facts.replication.received_ms = NOW_MS - 2000;
    health_judge(&input, &memory, &judgement);
    cr_assert(judgement.is_silent);
    cr_assert_eq(judgement.problem_count, 0); /* it may have stopped beating */
    facts.replication.starved_since_ms = NOW_MS - 1;
    health_judge(&input, &memory, &judgement);
    cr_assert_eq(judgement.problems[0].cause, HEALTH_REPLICATION);
    cr_assert(judgement.problems[0].is_fatal);
    facts.replication.received_ms = NOW_MS - 100; /* on its way just now */
    health_judge(&input, &memory, &judgement);
    cr_assert_eq(judgement.problem_count, 0);
}

Test(health, a_hanging_disk_is_told_before_the_server_that_hangs_with_it)
{
    struct health_facts facts = good_facts();
    struct health_lag_memory memory = {0};
    struct health_settling settling = {.has_verdict = false};
    silent(&facts);
    disk_stalled(&facts);
    cr_assert_eq(decide(&facts, REPLICA, false, NOW_MS, &memory, &settling).cause,
                 HEALTH_DISK_STALLED);
}

Test(health, a_restored_replica_waits_for_the_degraded_threshold)
{
    struct health_facts facts = good_facts();
    struct health_lag_memory memory = {0};
    struct health_settling settling = {.has_verdict = false};
    facts.replication.lag_seconds = 31;
    struct health_verdict verdict = decide(&facts, REPLICA, true, NOW_MS, &memory, &settling);
    cr_assert(!verdict.is_serving);
    cr_assert_str_eq(verdict.reason, "restored, catching up with db:3306: 31 s behind");
    facts.replication.lag_seconds = 30;
    settling = (struct health_settling){.has_verdict = false};
    cr_assert(decide(&facts, REPLICA, true, NOW_MS, &memory, &settling).is_serving);
}

Test(health, durations)
{
    static const struct {
        int64_t milliseconds;
        const char *text;
    } durations[] = {{340, "0.3 s"},    {9949, "9.9 s"},   {9950, "9 s"},         {179000, "179 s"},
                     {180000, "3 min"}, {10800000, "3 h"}, {259200000, "3 days"}, {0, "0.0 s"}};
    char text[32];
    for (size_t i = 0; i < ARRAY_LENGTH(durations); i++)
        cr_assert_str_eq(health_duration(durations[i].milliseconds, text), durations[i].text);
}
