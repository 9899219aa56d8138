#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/health.h"

#define SAY(verdict, ...) snprintf((verdict)->reason, sizeof((verdict)->reason), __VA_ARGS__)

static bool
is_replicating(const struct health_probe *probe)
{
    bool io_is_healthy =
        probe->io_state == REPLICATION_RUNNING ||
        (probe->io_state == REPLICATION_CONNECTING && probe->replication_error[0] == '\0');
    return io_is_healthy && probe->sql_state == REPLICATION_RUNNING && !probe->is_lag_unknown;
}

static void
judge_primary(const struct health_probe *probe, struct health_verdict *verdict)
{
    verdict->is_serving = true;
    verdict->has_caught_up = true;
    verdict->is_lag_known = true;
    if (probe->is_read_only)
        SAY(verdict, "primary, but the server is read-only: run 'vtagent ctl SetWritable', or let "
                     "vtorc repair it");
    else
        SAY(verdict, "primary, writable");
}

static const char *
broken_part(const struct health_probe *probe)
{
    if (probe->io_state == REPLICATION_STOPPED && probe->sql_state == REPLICATION_STOPPED)
        return "replication is stopped";
    if (probe->sql_state != REPLICATION_RUNNING)
        return "the SQL thread is stopped";
    if (probe->io_state == REPLICATION_CONNECTING)
        return "the connection to the source fails";
    return "the IO thread is stopped";
}

/* Both servers' words for a replica that executed what its source never had. */
static bool
has_diverged(const struct health_probe *probe)
{
    return strstr(probe->replication_error, "not in the master's binlog") != NULL ||
           strstr(probe->replication_error, "has more GTIDs than") != NULL;
}

/* Broken replication serves on with the data it has until that is too old, as with Vitess. */
static void
judge_broken(const struct health_probe *probe, const struct health_rules *rules, int64_t now_ms,
             const struct health_memory *memory, struct health_verdict *verdict)
{
    const char *separator = has_diverged(probe)
                                ? " (errant transactions: restore this server from a "
                                  "backup): "
                            : probe->replication_error[0] != '\0' ? ": "
                                                                  : "";
    verdict->is_broken = true;
    if (!memory->has_lag) {
        SAY(verdict, "not replicating, %s%s%.120s", broken_part(probe), separator,
            probe->replication_error);
        return;
    }
    int64_t lag = (int64_t)memory->lag_seconds + (now_ms - memory->when_ms) / 1000;
    verdict->is_lag_known = true;
    verdict->lag_seconds = (uint32_t)lag;
    verdict->is_serving = lag * 1000 <= rules->unhealthy_ms;
    SAY(verdict, "%s, data is up to %" PRId64 " s old%s%.120s", broken_part(probe), lag, separator,
        probe->replication_error);
}

static void
judge_replica(const struct health_probe *probe, bool is_catching_up,
              const struct health_rules *rules, int64_t now_ms, struct health_memory *memory,
              struct health_verdict *verdict)
{
    if (!probe->is_replica) {
        SAY(verdict, "no replication source is set: the shard has no primary yet, or it is not "
                     "known to the server");
        return;
    }
    if (!is_replicating(probe)) {
        judge_broken(probe, rules, now_ms, memory, verdict);
        return;
    }
    *memory = (struct health_memory){true, probe->lag_seconds, now_ms};
    int64_t lag_ms = (int64_t)probe->lag_seconds * 1000;
    verdict->is_lag_known = true;
    verdict->lag_seconds = probe->lag_seconds;
    verdict->has_caught_up = lag_ms <= rules->degraded_ms;
    verdict->is_serving = lag_ms <= rules->unhealthy_ms;
    if (is_catching_up && !verdict->has_caught_up) {
        verdict->is_serving = false;
        SAY(verdict, "restored, catching up with %s: %u s behind", probe->source,
            (unsigned)probe->lag_seconds);
    } else {
        SAY(verdict, "replicating from %s, %u s behind%s", probe->source,
            (unsigned)probe->lag_seconds,
            !verdict->is_serving          ? ", which is more than --unhealthy-threshold"
            : lag_ms > rules->degraded_ms ? " (degraded)"
                                          : "");
    }
}

struct health_verdict
health_decide(const struct health_probe *probe, Topodata__TabletType type, bool is_catching_up,
              const struct health_rules *rules, int64_t now_ms, struct health_memory *memory)
{
    struct health_verdict verdict = {0};
    if (!probe->is_known) {
        SAY(&verdict, "not checked yet");
    } else if (!probe->server_answers) {
        SAY(&verdict, "mysqld does not answer: %.200s", probe->error);
    } else if (type == TOPODATA__TABLET_TYPE__PRIMARY) {
        *memory = (struct health_memory){0};
        judge_primary(probe, &verdict);
    } else if (tablet_type_is_replica(type)) {
        judge_replica(probe, is_catching_up, rules, now_ms, memory, &verdict);
    } else { /* DRAINED serves what it has; BACKUP and RESTORE do not serve by their state */
        verdict.is_serving = true;
        SAY(&verdict, "type %s: replication is not looked at", tablet_type_name(type));
    }
    return verdict;
}

bool
health_has_restarted(const struct health_probe *probe, struct health_restart *restart)
{
    if (!probe->server_answers) {
        restart->was_gone = true;
        return false;
    }
    bool is_stopped = probe->is_replica && probe->io_state == REPLICATION_STOPPED &&
                      probe->sql_state == REPLICATION_STOPPED;
    bool has_restarted = restart->was_gone && restart->was_replicating && is_stopped;
    restart->was_gone = false;
    restart->was_replicating = probe->is_replica && probe->io_state != REPLICATION_STOPPED &&
                               probe->sql_state == REPLICATION_RUNNING;
    return has_restarted;
}
