/* What is wrong, one function for each cause. */
#include "agent/health/decide.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/topo/records.h"

/* A look may take as long as another interval before it counts as none. */
#define PATIENCE_INTERVALS 2
#define LEAST_PATIENCE_MS 2000
#define SURE true
#define CLOCK_DOUBT_MS 3000
#define STARVED_MS 2000
#define HEARTBEAT_ALIVE_MS 10000
#define RESERVE_PERCENT 3
#define RESERVE_MOST_BYTES (2ll << 30)
#define CERTIFICATE_SOON_NS (7 * 86400ll * 1000000000)
#define MEMORY_FULL_PERCENT 95
#define MEMORY_STALLED_PERCENT 20

struct judge {
    const struct health_input *input;
    const struct health_facts *facts;
    const struct health_rules *rules;
    struct health_lag_memory *memory;
    struct health_judgement *judgement;
};

void
health_facts_done(struct health_facts *facts)
{
    freep(&facts->position);
    freep(&facts->source.position);
}

const char *
health_cause_name(enum health_cause cause)
{
    static const char *const names[HEALTH_CAUSE_COUNT] = {
        [HEALTH_FINE] = "fine",
        [HEALTH_UNCHECKED] = "unchecked",
        [HEALTH_SERVER] = "server",
        [HEALTH_CLOCK] = "clock",
        [HEALTH_DISK_STALLED] = "disk-stalled",
        [HEALTH_DISK_FULL] = "disk-full",
        [HEALTH_CERTIFICATE] = "certificate",
        [HEALTH_NO_SOURCE] = "no-source",
        [HEALTH_REPLICATION] = "replication",
        [HEALTH_LAG] = "lag",
        [HEALTH_CATCHING_UP] = "catching-up",
        [HEALTH_READ_ONLY] = "read-only",
        [HEALTH_SEMI_SYNC] = "semi-sync",
        [HEALTH_MEMORY] = "memory",
        [HEALTH_TOPOLOGY] = "topology",
        [HEALTH_STORAGE] = "backup-storage",
    };
    return names[cause];
}

const char *
health_duration(int64_t milliseconds, char text[32])
{
    int64_t seconds = milliseconds / 1000;
    if (milliseconds < 9950)
        snprintf(text, 32, "%" PRId64 ".%d s", seconds, (int)(milliseconds % 1000 / 100));
    else if (seconds < 180)
        snprintf(text, 32, "%" PRId64 " s", seconds);
    else if (seconds < 3 * 3600)
        snprintf(text, 32, "%" PRId64 " min", seconds / 60);
    else if (seconds < 3 * 86400)
        snprintf(text, 32, "%" PRId64 " h", seconds / 3600);
    else
        snprintf(text, 32, "%" PRId64 " days", seconds / 86400);
    return text;
}

enum weight { WARNING, FATAL };

static void add_problem(struct judge *judge, enum health_cause cause, enum weight weight,
                        bool is_sure, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void
add_problem(struct judge *judge, enum health_cause cause, enum weight weight, bool is_sure,
            const char *format, ...)
{
    struct health_judgement *judgement = judge->judgement;
    struct health_problem *problem = &judgement->problems[judgement->problem_count++];
    problem->cause = cause;
    problem->is_fatal = weight == FATAL;
    problem->is_sure = is_sure;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
}

static int64_t
age_ms(const struct judge *judge, int64_t measured_ms)
{
    return judge->input->now_ms - measured_ms;
}

static int64_t
patience_ms(const struct judge *judge)
{
    int64_t patience = PATIENCE_INTERVALS * judge->rules->interval_ms;
    if (patience < LEAST_PATIENCE_MS)
        patience = LEAST_PATIENCE_MS;
    return patience + judge->rules->interval_ms / 2;
}

/* ---- mysqld ---- */

/* False: nothing that it told can be used. */
static bool
judge_server(struct judge *judge)
{
    const struct health_server *server = &judge->facts->server;
    char text[32];
    if (server->measured_ms == 0) {
        add_problem(judge, HEALTH_UNCHECKED, FATAL, SURE, "not checked yet");
        return false;
    }
    if (!server->answers) {
        add_problem(judge, HEALTH_SERVER, FATAL, server->is_gone, "mysqld does not answer: %.200s",
                    server->error);
        return false;
    }
    if (age_ms(judge, server->answered_ms) <= patience_ms(judge))
        return true;
    add_problem(judge, HEALTH_SERVER, FATAL, SURE, "mysqld has not answered for %s",
                health_duration(age_ms(judge, server->answered_ms), text));
    return false;
}

static void
judge_primary(struct judge *judge)
{
    struct health_judgement *judgement = judge->judgement;
    judgement->is_lag_known = true;
    judgement->has_caught_up = true;
    *judge->memory = (struct health_lag_memory){0};
    snprintf(judgement->detail, sizeof(judgement->detail), "writable");
    if (judge->facts->server.is_read_only) {
        snprintf(judgement->detail, sizeof(judgement->detail), "read-only");
        add_problem(judge, HEALTH_READ_ONLY, WARNING, SURE,
                    "the server is read-only: run 'vtagent ctl SetWritable', or let vtorc repair "
                    "it");
    }
    if (judge->facts->server.is_semi_sync_blocked)
        add_problem(judge, HEALTH_SEMI_SYNC, WARNING, SURE,
                    "writes wait for semi-sync acknowledgements that do not come");
}

/* ---- Lag ---- */

/* The primary writes heartbeats: it was told to, or they are seen to arrive. */
static bool
has_heartbeats(const struct judge *judge)
{
    const struct health_heartbeat *heartbeat = &judge->facts->heartbeat;
    if (heartbeat->measured_ms == 0 || heartbeat->time_ns == 0)
        return false;
    return judge->rules->expects_heartbeats ||
           (heartbeat->moved_ms != 0 && age_ms(judge, heartbeat->moved_ms) <= HEARTBEAT_ALIVE_MS);
}

static void
take_lag(struct judge *judge, int64_t lag_ms, int64_t measured_ms)
{
    *judge->memory = (struct health_lag_memory){true, lag_ms, measured_ms};
    judge->judgement->is_lag_known = true;
    judge->judgement->lag_ms = lag_ms;
}

/* By the server's word, which is about what has arrived; what has not is at least as old as the
 * time for which it is missing. */
static int64_t
lag_by_position(const struct judge *judge)
{
    const struct health_replication *replication = &judge->facts->replication;
    int64_t lag_ms = (int64_t)replication->lag_seconds * 1000;
    if (replication->starved_since_ms == 0)
        return lag_ms;
    int64_t missing_ms = age_ms(judge, replication->starved_since_ms);
    return missing_ms > lag_ms ? missing_ms : lag_ms;
}

static void
measure_lag(struct judge *judge)
{
    const struct health_replication *replication = &judge->facts->replication;
    struct health_lag_memory *memory = judge->memory;
    if (has_heartbeats(judge)) {
        take_lag(judge, judge->facts->heartbeat.lag_ms, judge->facts->heartbeat.measured_ms);
    } else if (!replication->is_lag_unknown) {
        take_lag(judge, lag_by_position(judge), replication->measured_ms);
    } else if (memory->is_known) {
        judge->judgement->is_lag_known = judge->judgement->is_lag_estimated = true;
        judge->judgement->lag_ms = memory->lag_ms + age_ms(judge, memory->measured_ms);
    }
}

static void
judge_lag(struct judge *judge)
{
    const struct health_replication *replication = &judge->facts->replication;
    struct health_judgement *judgement = judge->judgement;
    char lag[32];
    if (!judgement->is_lag_known)
        return;
    health_duration(judgement->lag_ms, lag);
    judgement->has_caught_up =
        !judgement->is_lag_estimated && judgement->lag_ms <= judge->rules->degraded_ms;
    bool is_degraded = judgement->lag_ms > judge->rules->degraded_ms;
    snprintf(judgement->detail, sizeof(judgement->detail), "%s%s behind %s%s",
             judgement->is_lag_estimated ? "up to " : "", lag, replication->source,
             is_degraded ? " (degraded)" : "");
    if (judgement->lag_ms > judge->rules->unhealthy_ms)
        add_problem(judge, HEALTH_LAG, FATAL, SURE,
                    "%s behind %s, which is more than --unhealthy-threshold", lag,
                    replication->source);
    else if (judge->input->is_catching_up && !judgement->has_caught_up)
        add_problem(judge, HEALTH_CATCHING_UP, FATAL, SURE,
                    "restored, catching up with %s: %s behind", replication->source, lag);
}

/* ---- Replication ---- */

/* Both servers' words for a replica that executed what its source never had. */
static bool
has_diverged(const struct health_replication *replication)
{
    return strstr(replication->error, "not in the master's binlog") != NULL ||
           strstr(replication->error, "has more GTIDs than") != NULL;
}

/* What does not run; NULL: everything does. */
static const char *
broken_part(const struct health_replication *replication)
{
    if (replication->io_state == REPLICATION_STOPPED &&
        replication->sql_state == REPLICATION_STOPPED)
        return "replication is stopped";
    if (replication->sql_state != REPLICATION_RUNNING)
        return "the SQL thread is stopped";
    if (replication->io_state == REPLICATION_CONNECTING)
        return replication->error[0] != '\0' ? "the connection to the source fails" : NULL;
    if (replication->io_state != REPLICATION_RUNNING)
        return "the IO thread is stopped";
    return NULL;
}

/* Nothing new for a while, though the source has had more: not what is on its way just now. */
static bool
is_starved(const struct judge *judge)
{
    const struct health_replication *replication = &judge->facts->replication;
    return replication->starved_since_ms != 0 &&
           age_ms(judge, replication->received_ms) >= STARVED_MS;
}

/* A beat is missing: the primary has stopped, or the way from it. */
static bool
is_silent(const struct judge *judge)
{
    int64_t beat_ms = judge->rules->heartbeat_ms + judge->rules->heartbeat_ms / 2;
    return judge->rules->expects_heartbeats &&
           age_ms(judge, judge->facts->replication.received_ms) >= beat_ms;
}

/* Whether the primary is known to live since something went wrong with the way from it. */
static bool
is_source_alive(const struct judge *judge)
{
    const struct health_source *source = &judge->facts->source;
    return source->is_known && source->is_serving &&
           source->measured_ms > judge->facts->replication.received_ms;
}

/* A replica that cannot reach a primary that is gone serves on with the data it has, until that is
 * too old: otherwise nobody would serve. One that is cut off from a living primary, or does not
 * apply, leaves that to others. */
static enum weight
weigh(const struct judge *judge)
{
    const struct health_replication *replication = &judge->facts->replication;
    bool is_way_broken = replication->sql_state == REPLICATION_RUNNING &&
                         replication->io_state != REPLICATION_STOPPED;
    if (!judge->judgement->is_lag_known)
        return FATAL;
    return is_way_broken && !is_source_alive(judge) ? WARNING : FATAL;
}

static void
judge_threads(struct judge *judge)
{
    const struct health_replication *replication = &judge->facts->replication;
    const char *part = broken_part(replication);
    char age[32];
    if (part == NULL && is_starved(judge)) {
        add_problem(judge, HEALTH_REPLICATION, weigh(judge), !SURE,
                    "nothing arrives from %s for %s, though it has more", replication->source,
                    health_duration(age_ms(judge, replication->received_ms), age));
    } else if (part != NULL) {
        const char *separator = has_diverged(replication)
                                    ? " (errant transactions: restore this server from a backup): "
                                : replication->error[0] != '\0' ? ": "
                                                                : "";
        char data[64] = "not replicating, ";
        if (judge->judgement->is_lag_known)
            snprintf(data, sizeof(data), "data is up to %s old, ",
                     health_duration(judge->judgement->lag_ms, age));
        add_problem(judge, HEALTH_REPLICATION, weigh(judge), !SURE, "%s%s%s%.120s", data, part,
                    separator, replication->error);
    } else if (!judge->judgement->is_lag_known) {
        add_problem(judge, HEALTH_REPLICATION, FATAL, !SURE, "the lag is not known");
    }
}

static void
judge_replica(struct judge *judge)
{
    const struct health_replication *replication = &judge->facts->replication;
    bool is_stale = replication->measured_ms < judge->input->type_since_ms;
    if (!replication->is_replica && is_stale) {
        add_problem(judge, HEALTH_UNCHECKED, FATAL, SURE, "not checked yet since it became %s",
                    tablet_type_name(judge->input->type));
        return;
    }
    if (!replication->is_replica) {
        add_problem(judge, HEALTH_NO_SOURCE, FATAL, !SURE,
                    "no replication source is set: the shard has no primary yet, or it is not "
                    "known to the server");
        return;
    }
    judge->judgement->is_silent = is_silent(judge);
    measure_lag(judge);
    judge_threads(judge);
    judge_lag(judge);
}

/* ---- The machine ---- */

static void
judge_clock(struct judge *judge)
{
    const struct health_clock *clock = &judge->facts->clock;
    char size[32];
    if (clock->stepped_ms == 0 || age_ms(judge, clock->stepped_ms) >= CLOCK_DOUBT_MS)
        return;
    add_problem(judge, HEALTH_CLOCK, FATAL, SURE, "the clock was set %s by %s",
                clock->step_size_ms < 0 ? "back" : "forward",
                health_duration(llabs(clock->step_size_ms), size));
}

static void
judge_writes(struct judge *judge)
{
    const struct health_disk *disk = &judge->facts->disk;
    char text[32];
    int64_t waited_ms = disk->write_started_ms != 0 ? age_ms(judge, disk->write_started_ms) : 0;
    judge->judgement->is_disk_stalled = waited_ms > judge->rules->disk_timeout_ms;
    if (judge->judgement->is_disk_stalled)
        add_problem(judge, HEALTH_DISK_STALLED, FATAL, SURE,
                    "the disk of the data directory is stalled: a write has taken %s so far",
                    health_duration(waited_ms, text));
    else if (disk->write_error[0] != '\0')
        add_problem(judge, HEALTH_DISK_STALLED, FATAL, !SURE,
                    "the disk of the data directory cannot be written: %.150s", disk->write_error);
}

static uint64_t
reserve_bytes(const struct judge *judge)
{
    if (judge->rules->disk_reserve_bytes > 0)
        return (uint64_t)judge->rules->disk_reserve_bytes;
    uint64_t part = judge->facts->disk.total_bytes / 100 * RESERVE_PERCENT;
    return part < RESERVE_MOST_BYTES ? part : RESERVE_MOST_BYTES;
}

static void
judge_space(struct judge *judge)
{
    const struct health_disk *disk = &judge->facts->disk;
    if (disk->measured_ms == 0 || disk->total_bytes == 0)
        return;
    uint64_t reserve = reserve_bytes(judge);
    int used_percent = 100 - (int)(disk->free_bytes * 100 / disk->total_bytes);
    if (disk->free_bytes < reserve)
        add_problem(judge, HEALTH_DISK_FULL, FATAL, !SURE,
                    "the disk of the data directory is %d %% full: %llu MB free, %llu MB are kept "
                    "in reserve",
                    used_percent, (unsigned long long)disk->free_bytes >> 20,
                    (unsigned long long)reserve >> 20);
    else if (disk->free_bytes < 2 * reserve)
        add_problem(judge, HEALTH_DISK_FULL, WARNING, SURE,
                    "the disk of the data directory is %d %% full: %llu MB free", used_percent,
                    (unsigned long long)disk->free_bytes >> 20);
}

static void
judge_certificate(struct judge *judge)
{
    const struct health_certificate *certificate = &judge->facts->certificate;
    if (certificate->error[0] != '\0') {
        add_problem(judge, HEALTH_CERTIFICATE, WARNING, SURE,
                    "a certificate cannot be read: %.150s", certificate->error);
        return;
    }
    if (certificate->expires_ns == 0)
        return;
    int64_t left_ns = certificate->expires_ns - judge->input->now_ns;
    char date[32];
    if (left_ns > CERTIFICATE_SOON_NS)
        return;
    clock_format_rfc3339(certificate->expires_ns, date);
    add_problem(judge, HEALTH_CERTIFICATE, left_ns <= 0 ? FATAL : WARNING, SURE,
                "the certificate '%.100s' %s at %s: replace the file", certificate->file,
                left_ns <= 0 ? "expired" : "expires", date);
}

static void
judge_memory(struct judge *judge)
{
    const struct health_memory *memory = &judge->facts->memory;
    if (memory->measured_ms == 0)
        return;
    if (memory->limit_bytes != 0 &&
        memory->used_bytes / (memory->limit_bytes / 100 + 1) >= MEMORY_FULL_PERCENT)
        add_problem(judge, HEALTH_MEMORY, WARNING, SURE,
                    "memory is short: %llu of %llu MB of the control group's limit are used",
                    (unsigned long long)memory->used_bytes >> 20,
                    (unsigned long long)memory->limit_bytes >> 20);
    else if (memory->stalled_percent >= MEMORY_STALLED_PERCENT)
        add_problem(judge, HEALTH_MEMORY, WARNING, SURE,
                    "memory is short: everything waits for it %.0f %% of the time",
                    memory->stalled_percent);
}

static void
judge_topology(struct judge *judge)
{
    const struct health_published *published = &judge->facts->published;
    char age[32];
    if (published->failing_since_ms == 0)
        return;
    add_problem(judge, HEALTH_TOPOLOGY, WARNING, SURE, "etcd does not know since %s: %.150s",
                health_duration(age_ms(judge, published->failing_since_ms), age), published->error);
}

static void
judge_storage(struct judge *judge)
{
    const struct health_storage *storage = &judge->facts->storage;
    int64_t age_s = (judge->input->now_ns - storage->stuck_since_ns) / 1000000000;
    if (storage->stuck_count != 0)
        add_problem(judge, HEALTH_STORAGE, WARNING, SURE,
                    "%zu job workers hang in the backup storage for %" PRId64 " s: %.120s",
                    storage->stuck_count, age_s, storage->text);
}

/* ---- All ---- */

static void
judge_role(struct judge *judge)
{
    Topodata__TabletType type = judge->input->type;
    if (type == TOPODATA__TABLET_TYPE__PRIMARY)
        judge_primary(judge);
    else if (tablet_type_is_replica(type))
        judge_replica(judge);
    else /* DRAINED serves what it has; BACKUP and RESTORE do not serve by their state */
        snprintf(judge->judgement->detail, sizeof(judge->judgement->detail),
                 "replication is not looked at");
}

void
health_judge(const struct health_input *input, struct health_lag_memory *memory,
             struct health_judgement *ret_judgement)
{
    *ret_judgement = (struct health_judgement){.problem_count = 0};
    struct judge judge = {input, input->facts, input->rules, memory, ret_judgement};
    judge_writes(&judge);
    judge_space(&judge);
    bool is_known = judge_server(&judge);
    judge_clock(&judge);
    judge_certificate(&judge);
    if (is_known)
        judge_role(&judge);
    judge_memory(&judge);
    judge_topology(&judge);
    judge_storage(&judge);
}
