/* /metrics. Names that begin with vttablet_ are Vitess's, or were here before; units are base
 * units; a state is one gauge of 0 or 1 for each that there could be. */
#include <string.h>

#include "agent/base/memory.h"
#include "agent/web/accept.h"
#include "agent/web/pages.h"

static void
print_labels(const struct pages_picture *picture, struct exposition *exposition)
{
    const struct tablet_identity *identity = picture->identity;
    const char *type = tablet_type_name(picture->view.snapshot.type);
    exposition_family(exposition, "vttablet_tablet_server_state", METRIC_GAUGE,
                      "1, with the state, the type and where the tablet belongs as labels.");
    exposition_sample(exposition, 1, "name", pages_state_name(picture), "type", type, "keyspace",
                      identity->keyspace, "shard", identity->shard, NULL);
    exposition_family(exposition, "vttablet_tablet_type_count", METRIC_GAUGE,
                      "1, with the type and the alias as labels.");
    exposition_sample(exposition, 1, "type", type, "alias", identity->alias_text, NULL);
    exposition_family(exposition, "vtagent_build_info", METRIC_GAUGE,
                      "1, with the versions of the agent and of its server as labels.");
    exposition_sample(exposition, 1, "version", VTAGENT_VERSION, "server_version",
                      picture->health.facts.server.version, NULL);
}

static void
print_states(const struct pages_picture *picture, struct exposition *exposition)
{
    exposition_family(exposition, "vtagent_tablet_state", METRIC_GAUGE,
                      "1 for the state that the tablet is in, see 'vtagent states'; 0 for others.");
    for (int state = 0; state < STATE_COUNT; state++)
        exposition_sample(exposition, picture->view.state == (enum tablet_state)state, "state",
                          states_name((enum tablet_state)state), NULL);
}

static void
print_types(const struct pages_picture *picture, struct exposition *exposition)
{
    static const Topodata__TabletType types[] = {
        TOPODATA__TABLET_TYPE__UNKNOWN, TOPODATA__TABLET_TYPE__PRIMARY,
        TOPODATA__TABLET_TYPE__REPLICA, TOPODATA__TABLET_TYPE__RDONLY,
        TOPODATA__TABLET_TYPE__SPARE,   TOPODATA__TABLET_TYPE__EXPERIMENTAL,
        TOPODATA__TABLET_TYPE__BACKUP,  TOPODATA__TABLET_TYPE__RESTORE,
        TOPODATA__TABLET_TYPE__DRAINED};
    exposition_family(exposition, "vtagent_tablet_type", METRIC_GAUGE,
                      "1 for the type that the tablet has, 0 for others.");
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        exposition_sample(exposition, picture->view.snapshot.type == types[i], "type",
                          tablet_type_name(types[i]), NULL);
}

static void
print_serving(const struct pages_picture *picture, struct exposition *exposition)
{
    const struct tablet_snapshot *snapshot = &picture->view.snapshot;
    exposition_gauge(exposition, "vttablet_tablet_state", pages_state_number(picture),
                     "Vitess's number: 0 mysqld is away, 1 not serving, 2 serving.");
    exposition_gauge(exposition, "vttablet_is_serving", snapshot->is_serving,
                     "1 while queries are to be sent here.");
    exposition_gauge(exposition, "vttablet_is_started", picture->is_started,
                     "1 once the start is over.");
    exposition_gauge(exposition, "vttablet_record_is_current",
                     picture->view.is_published && picture->view.publish_error[0] == '\0',
                     "1 while the tablet's record in the topology says what is so.");
    exposition_gauge(exposition, "vttablet_backup_is_running", snapshot->is_backup_running,
                     "1 while a backup is taken.");
    exposition_gauge(exposition, "vttablet_primary_term_start_seconds",
                     (double)snapshot->term_start_ns / 1e9,
                     "When the term as primary began, since 1970; 0: this is no primary.");
}

static void
print_server(const struct pages_picture *picture, struct exposition *exposition)
{
    const struct health_view *health = &picture->health;
    const struct health_replication *replication = &health->facts.replication;
    exposition_gauge(exposition, "vttablet_mysqld_answers", health->facts.server.answers,
                     "1 while mysqld answers.");
    exposition_gauge(exposition, "vttablet_mysqld_read_only", health->facts.server.is_read_only,
                     "1 while mysqld is read-only.");
    exposition_gauge(exposition, "vttablet_replication_is_running",
                     replication->io_state == REPLICATION_RUNNING &&
                         replication->sql_state == REPLICATION_RUNNING,
                     "1 while both replication threads run.");
    if (!health->verdict.is_lag_known)
        return;
    double lag = (double)health->verdict.lag_ms / 1000;
    exposition_gauge(exposition, "vttablet_replication_lag_sec", lag,
                     "vtagent_health_lag_seconds by Vitess's name.");
    exposition_gauge(exposition, "vtagent_health_lag_seconds", lag,
                     "How far behind its source the tablet is; absent when that is not known.");
}

static void
print_problems(const struct health_judgement *judgement, struct exposition *exposition)
{
    bool is_there[HEALTH_CAUSE_COUNT] = {false};
    for (int i = 0; i < judgement->problem_count; i++)
        is_there[judgement->problems[i].cause] = true;
    exposition_family(
        exposition, "vtagent_health_problem", METRIC_GAUGE,
        "1 for each cause that health sees now, whether it keeps from serving or not.");
    for (int cause = HEALTH_FINE + 1; cause < HEALTH_CAUSE_COUNT; cause++)
        exposition_sample(exposition, is_there[cause], "cause",
                          health_cause_name((enum health_cause)cause), NULL);
}

/* What was measured; nothing for what was not. */
static void
print_facts(const struct health_view *health, struct exposition *exposition)
{
    const struct health_facts *facts = &health->facts;
    if (facts->server.answered_ms != 0)
        exposition_gauge(exposition, "vtagent_health_server_answer_age_seconds",
                         (double)(health->now_ms - facts->server.answered_ms) / 1000,
                         "Time since mysqld last answered.");
    if (facts->disk.total_bytes != 0) {
        exposition_gauge(exposition, "vtagent_health_disk_free_bytes",
                         (double)facts->disk.free_bytes,
                         "Free space on the data directory's disk.");
        exposition_gauge(exposition, "vtagent_health_disk_size_bytes",
                         (double)facts->disk.total_bytes, "Size of the data directory's disk.");
    }
    if (facts->disk.written_ms != 0)
        exposition_gauge(exposition, "vtagent_health_disk_write_seconds",
                         (double)facts->disk.write_duration_ms / 1000,
                         "Time that the last small durable write took.");
    if (facts->certificate.expires_ns != 0)
        exposition_gauge(exposition, "vtagent_health_certificate_expiry_seconds",
                         (double)facts->certificate.expires_ns / 1e9,
                         "When the first certificate expires, since 1970.");
    if (facts->backups.complete_ns != 0)
        exposition_gauge(exposition, "vtagent_health_backup_complete_seconds",
                         (double)facts->backups.complete_ns / 1e9,
                         "When the newest complete backup was taken, since 1970.");
    if (facts->backups.proven_ns != 0)
        exposition_gauge(exposition, "vtagent_health_backup_proven_seconds",
                         (double)facts->backups.proven_ns / 1e9,
                         "When the newest proven backup was taken, since 1970.");
}

static void
print_process(const struct pages_picture *picture, struct exposition *exposition)
{
    const struct process_stats *process = &picture->process;
    exposition_family(exposition, "process_cpu_seconds", METRIC_COUNTER,
                      "Processor time of the agent.");
    exposition_sample(exposition, process->cpu_seconds, NULL);
    exposition_gauge(exposition, "process_resident_memory_bytes", (double)process->resident_bytes,
                     "Memory of the agent.");
    exposition_gauge(exposition, "process_open_fds", (double)process->open_files,
                     "Open file descriptors of the agent.");
    exposition_gauge(exposition, "process_threads", (double)process->threads,
                     "Threads of the agent.");
    exposition_gauge(exposition, "process_start_time_seconds", (double)picture->start_time_ns / 1e9,
                     "When the agent was started, since 1970.");
}

struct page
page_metrics(const struct pages_picture *picture, struct buffer *body)
{
    struct exposition exposition = {.body = body,
                                    .is_open = accept_wants_openmetrics(picture->accept)};
    print_labels(picture, &exposition);
    print_states(picture, &exposition);
    print_types(picture, &exposition);
    print_serving(picture, &exposition);
    print_server(picture, &exposition);
    print_problems(&picture->health.judgement, &exposition);
    print_facts(&picture->health, &exposition);
    metrics_print_jobs(&picture->jobs, &exposition);
    print_process(picture, &exposition);
    if (picture->metrics != NULL)
        metrics_print(picture->metrics, &exposition);
    exposition_end(&exposition);
    return (struct page){200, exposition_content_type(&exposition), NULL};
}
