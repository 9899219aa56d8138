/* /debug/vars and /metrics, with Vitess's names where it has one. */
#include <string.h>

#include "agent/base/memory.h"
#include "agent/web/pages.h"

#ifndef VTAGENT_BUILD_TIME
#define VTAGENT_BUILD_TIME 0
#endif
#define BUILD_NAME "vtagent"

static const char *
state_name(const struct pages_picture *picture)
{
    return picture->view.snapshot.is_serving ? "SERVING" : "NOT_SERVING";
}

/* Vitess's numbers: 0 not connected, 1 not serving, 2 serving. */
static int
state_number(const struct pages_picture *picture)
{
    if (picture->view.snapshot.is_serving)
        return 2;
    return picture->health.facts.server.answers ? 1 : 0;
}

static void
add_text(struct buffer *body, const char *name, const char *value)
{
    buffer_append_json_string(body, name);
    buffer_append_text(body, ": ");
    buffer_append_json_string(body, value);
    buffer_append_text(body, ",\n");
}

static void
add_number(struct buffer *body, const char *name, double value)
{
    buffer_append_json_string(body, name);
    buffer_appendf(body, ": %.17g,\n", value);
}

struct page
page_vars(const struct pages_picture *picture, struct buffer *body)
{
    const struct tablet_identity *identity = picture->identity;
    const char *type = tablet_type_name(picture->view.snapshot.type);
    buffer_append_text(body, "{\n");
    add_text(body, "BuildHost", BUILD_NAME);
    add_text(body, "BuildUser", BUILD_NAME);
    add_number(body, "BuildTimestamp", VTAGENT_BUILD_TIME);
    add_text(body, "BuildGitRev", VTAGENT_VERSION);
    add_text(body, "BuildGitBranch", "");
    add_text(body, "Version", "vtagent " VTAGENT_VERSION);
    add_text(body, "TabletAlias", identity->alias_text);
    add_text(body, "TabletKeyspace", identity->keyspace);
    add_text(body, "TabletShard", identity->shard);
    add_text(body, "TabletType", type);
    buffer_append_text(body, "\"TabletTypeCount\": {");
    buffer_append_json_string(body, type);
    buffer_append_text(body, ": 1},\n");
    add_number(body, "TabletState", state_number(picture));
    add_text(body, "TabletStateName", state_name(picture));
    add_text(body, "TabletStateReason", picture->view.snapshot.reason);
    add_number(body, "PrimaryTermStartTime",
               (double)(picture->view.snapshot.term_start_ns / 1000000000));
    add_number(body, "replicationLagSec", (double)picture->health.verdict.lag_ms / 1000);
    add_number(body, "BackupIsRunning", picture->view.snapshot.is_backup_running);
    add_number(body, "ResidentBytes", (double)picture->process.resident_bytes);
    buffer_appendf(body, "\"Uptime\": %lld\n}\n",
                   (long long)(picture->now_ns - picture->start_time_ns));
    return (struct page){200, "application/json; charset=utf-8"};
}

/* ---- Prometheus ---- */

/* A label's value: \, " and newlines escaped. */
static void
add_label(struct buffer *body, const char *text)
{
    buffer_append_char(body, '"');
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            buffer_append_text(body, "\\n");
            continue;
        }
        if (*text == '"' || *text == '\\')
            buffer_append_char(body, '\\');
        buffer_append_char(body, *text);
    }
    buffer_append_char(body, '"');
}

static void
gauge(struct buffer *body, const char *name, double value)
{
    buffer_appendf(body, "# TYPE %s gauge\n%s %.17g\n", name, name, value);
}

static void
print_labels(const struct pages_picture *picture, struct buffer *body)
{
    const struct tablet_identity *identity = picture->identity;
    const char *type = tablet_type_name(picture->view.snapshot.type);
    buffer_append_text(body, "# TYPE vttablet_tablet_server_state gauge\n"
                             "vttablet_tablet_server_state{name=");
    add_label(body, state_name(picture));
    buffer_append_text(body, ",type=");
    add_label(body, type);
    buffer_append_text(body, ",keyspace=");
    add_label(body, identity->keyspace);
    buffer_append_text(body, ",shard=");
    add_label(body, identity->shard);
    buffer_append_text(body, "} 1\n# TYPE vttablet_tablet_type_count gauge\n"
                             "vttablet_tablet_type_count{type=");
    add_label(body, type);
    buffer_append_text(body, "} 1\n# TYPE vttablet_build_information gauge\n"
                             "vttablet_build_information{version=");
    add_label(body, VTAGENT_VERSION);
    buffer_append_text(body, ",alias=");
    add_label(body, identity->alias_text);
    buffer_append_text(body, "} 1\n");
}

static void
print_state(const struct pages_picture *picture, struct buffer *body)
{
    const struct health_view *health = &picture->health;
    gauge(body, "vttablet_tablet_state", state_number(picture));
    gauge(body, "vttablet_is_serving", picture->view.snapshot.is_serving);
    gauge(body, "vttablet_is_started", picture->is_started);
    gauge(body, "vttablet_mysqld_answers", health->facts.server.answers);
    gauge(body, "vttablet_mysqld_read_only", health->facts.server.is_read_only);
    gauge(body, "vttablet_replication_is_running",
          health->facts.replication.io_state == REPLICATION_RUNNING &&
              health->facts.replication.sql_state == REPLICATION_RUNNING);
    if (health->verdict.is_lag_known)
        gauge(body, "vttablet_replication_lag_sec", (double)health->verdict.lag_ms / 1000);
    gauge(body, "vttablet_primary_term_start_seconds",
          (double)picture->view.snapshot.term_start_ns / 1e9);
    gauge(body, "vttablet_record_is_current",
          picture->view.is_published && picture->view.publish_error[0] == '\0');
    gauge(body, "vttablet_backup_is_running", picture->view.snapshot.is_backup_running);
}

static void
print_process(const struct pages_picture *picture, struct buffer *body)
{
    buffer_appendf(body,
                   "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.17g\n",
                   picture->process.cpu_seconds);
    gauge(body, "process_resident_memory_bytes", (double)picture->process.resident_bytes);
    gauge(body, "process_open_fds", (double)picture->process.open_files);
    gauge(body, "process_threads", (double)picture->process.threads);
    gauge(body, "process_start_time_seconds", (double)picture->start_time_ns / 1e9);
}

static void
print_problems(const struct health_judgement *judgement, struct buffer *body)
{
    bool is_there[HEALTH_CAUSE_COUNT] = {false};
    for (int i = 0; i < judgement->problem_count; i++)
        is_there[judgement->problems[i].cause] = true;
    buffer_append_text(body, "# TYPE vtagent_health_problem gauge\n");
    for (int cause = HEALTH_FINE + 1; cause < HEALTH_CAUSE_COUNT; cause++)
        buffer_appendf(body, "vtagent_health_problem{cause=\"%s\"} %d\n",
                       health_cause_name((enum health_cause)cause), is_there[cause]);
}

/* What was measured; nothing for what was not. */
static void
print_facts(const struct health_view *health, struct buffer *body)
{
    const struct health_facts *facts = &health->facts;
    if (health->verdict.is_lag_known)
        gauge(body, "vtagent_health_lag_seconds", (double)health->verdict.lag_ms / 1000);
    if (facts->server.answered_ms != 0)
        gauge(body, "vtagent_health_server_answer_age_seconds",
              (double)(health->now_ms - facts->server.answered_ms) / 1000);
    if (facts->disk.total_bytes != 0)
        gauge(body, "vtagent_health_disk_free_bytes", (double)facts->disk.free_bytes);
    if (facts->disk.written_ms != 0)
        gauge(body, "vtagent_health_disk_write_seconds",
              (double)facts->disk.write_duration_ms / 1000);
    if (facts->certificate.expires_ns != 0)
        gauge(body, "vtagent_health_certificate_expiry_seconds",
              (double)facts->certificate.expires_ns / 1e9);
    if (facts->backups.complete_ns != 0)
        gauge(body, "vtagent_health_backup_complete_seconds",
              (double)facts->backups.complete_ns / 1e9);
    if (facts->backups.proven_ns != 0)
        gauge(body, "vtagent_health_backup_proven_seconds", (double)facts->backups.proven_ns / 1e9);
}

struct page
page_metrics(const struct pages_picture *picture, struct buffer *body)
{
    print_labels(picture, body);
    print_state(picture, body);
    print_problems(&picture->health.judgement, body);
    print_facts(&picture->health, body);
    pages_count_jobs(&picture->jobs, body);
    print_process(picture, body);
    if (picture->metrics != NULL)
        metrics_print(picture->metrics, body);
    return (struct page){200, "text/plain; version=0.0.4; charset=utf-8"};
}
