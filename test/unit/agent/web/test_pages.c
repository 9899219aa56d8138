#include <criterion/criterion.h>
#include <jansson.h>

#include "agent/base/memory.h"
#include "agent/web/pages.h"
#include "picture.h"

static struct pages_picture picture;
static struct buffer body;

static void
set_up(void)
{
    picture = *picture_of_replica();
    body = (struct buffer)BUFFER_INIT;
}

static void
tear_down(void)
{
    buffer_done(&body);
}

static int
status_of(page_function function)
{
    buffer_clear(&body);
    return function(&picture, &body).status;
}

Test(pages, probes_of_a_serving_tablet, .init = set_up, .fini = tear_down)
{
    cr_assert_eq(status_of(page_healthz), 200);
    cr_assert_str_eq(buffer_text(&body), "ok\n");
    cr_assert_eq(status_of(page_readyz), 200);
    cr_assert_eq(status_of(page_livez), 200);
    cr_assert_eq(status_of(page_startupz), 200);
    cr_assert_eq(status_of(page_debug_health), 200);
}

Test(pages, a_tablet_that_should_serve_and_does_not, .init = set_up, .fini = tear_down)
{
    picture.view.snapshot.is_serving = false;
    cr_assert_eq(status_of(page_healthz), 500);
    cr_assert_str_eq(buffer_text(&body),
                     "500 internal server error: vttablet is not serving: replicating\n");
    cr_assert_eq(status_of(page_readyz), 503);
    cr_assert_eq(status_of(page_debug_health), 500);
    cr_assert_eq(status_of(page_livez), 200);
}

Test(pages, a_tablet_that_does_not_serve_on_purpose, .init = set_up, .fini = tear_down)
{
    static const enum tablet_state states[] = {STATE_DEMOTED, STATE_BACKUP, STATE_RESTORE};
    picture.view.snapshot.is_serving = false;
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        picture.view.state = states[i];
        cr_assert_eq(status_of(page_healthz), 200);
        cr_assert_eq(status_of(page_readyz), 503);
    }
    picture.view.state = STATE_FOLLOWING;
    picture.view.snapshot.type = TOPODATA__TABLET_TYPE__SPARE;
    cr_assert_eq(status_of(page_healthz), 200);
    cr_assert_eq(status_of(page_readyz), 200);
}

Test(pages, a_starting_tablet_says_for_what_it_waits, .init = set_up, .fini = tear_down)
{
    picture.is_started = false;
    picture.start_step = "waiting for mysqld";
    cr_assert_eq(status_of(page_startupz), 503);
    cr_assert_str_eq(buffer_text(&body), "starting: waiting for mysqld\n");
    cr_assert_eq(status_of(page_readyz), 503);
    cr_assert_eq(status_of(page_status_text), 200);
    cr_assert_not_null(strstr(buffer_text(&body), "waiting for mysqld"));
}

Test(pages, an_action_that_does_not_end_is_not_alive, .init = set_up, .fini = tear_down)
{
    picture.now_ms = 1000000;
    picture.stuck_after_ms = 60000;
    picture.action = (struct action_view){.name = "SetReadOnly", .since_ms = 1};
    cr_assert_eq(status_of(page_livez), 200); /* it may take long */
    picture.action.overdue_since_ms = 1000000 - 59000;
    cr_assert_eq(status_of(page_livez), 200);
    picture.action.overdue_since_ms = 1000000 - 62000;
    cr_assert_eq(status_of(page_livez), 503);
    cr_assert_str_eq(buffer_text(&body), "stuck: 'SetReadOnly' should have ended 62 s ago\n");
    picture.action = (struct action_view){.name = NULL};
    cr_assert_eq(status_of(page_livez), 200);
}

Test(pages, a_restore_is_alive_while_it_makes_progress, .init = set_up, .fini = tear_down)
{
    struct job_view *job = &picture.jobs.views[0];
    picture.now_ms = 10000000;
    picture.is_started = false;
    picture.start_step = "restoring from a backup";
    picture.jobs.count = 1;
    *job = (struct job_view){
        .id = "restore-1", .kind = JOB_RESTORE, .state = JOB_RUNNING, .moved_ms = 9000000};
    cr_assert_eq(status_of(page_livez), 200);
    cr_assert_eq(status_of(page_startupz), 200);
    cr_assert_eq(status_of(page_readyz), 503);
    job->moved_ms = 10000000 - 31 * 60000;
    cr_assert_eq(status_of(page_livez), 503);
    cr_assert_str_eq(buffer_text(&body), "stuck: 'restore-1' has made no progress for 31 min\n");
    job->state = JOB_DONE;
    cr_assert_eq(status_of(page_livez), 200);
    cr_assert_eq(status_of(page_startupz), 503);
}

Test(pages, without_mysqld_and_etcd_it_is_alive, .init = set_up, .fini = tear_down)
{
    picture.view.snapshot.is_serving = false;
    picture.health.facts.server.answers = false;
    picture.health.facts.published.failing_since_ms = 1;
    picture.now_ms = 10000000;
    picture.stuck_after_ms = 60000;
    cr_assert_eq(status_of(page_livez), 200);
    cr_assert_eq(status_of(page_startupz), 200);
    cr_assert_eq(status_of(page_readyz), 503);
}

Test(pages, a_shard_without_its_first_primary_is_ready, .init = set_up, .fini = tear_down)
{
    picture.view.snapshot.is_serving = false;
    picture.awaits_primary = true;
    cr_assert_eq(status_of(page_readyz), 200);
    cr_assert_eq(status_of(page_healthz), 500);
    picture.health.facts.replication.is_replica = true; /* it has one now, and does not serve */
    cr_assert_eq(status_of(page_readyz), 503);
    picture.health.facts = (struct health_facts){.server = {.answers = false}};
    cr_assert_eq(status_of(page_readyz), 503);
}

Test(pages, variables_are_json_with_the_build, .init = set_up, .fini = tear_down)
{
    snprintf(picture.view.snapshot.reason, sizeof(picture.view.snapshot.reason),
             "a \"quoted\" reason\nof two lines");
    cr_assert_eq(status_of(page_vars), 200);
    json_t *root = json_loads(buffer_text(&body), 0, NULL);
    cr_assert_not_null(root);
    cr_assert_str_eq(json_string_value(json_object_get(root, "TabletStateName")), "SERVING");
    cr_assert(json_is_string(json_object_get(root, "BuildHost")));
    cr_assert(json_is_string(json_object_get(root, "BuildUser")));
    cr_assert(json_is_integer(json_object_get(root, "BuildTimestamp")));
    cr_assert(json_is_string(json_object_get(root, "BuildGitRev")));
    cr_assert_eq(json_integer_value(json_object_get(root, "Uptime")), 2000000000);
    json_decref(root);
}

Test(pages, metrics_show_state_lag_and_job, .init = set_up, .fini = tear_down)
{
    picture.health.verdict.is_lag_known = true;
    picture.health.verdict.lag_ms = 4000;
    picture.jobs.views[0] = picture_running_job();
    picture.jobs.count = 1;
    picture.jobs.ended[JOB_RESTORE][JOB_FAILED] = 3;
    picture.jobs.stray_count = 2;
    cr_assert_eq(status_of(page_metrics), 200);
    static const char *const lines[] = {
        "vttablet_tablet_server_state{name=\"SERVING\",type=\"replica\",keyspace=\"ks\","
        "shard=\"-80\"} 1\n",
        "\nvttablet_tablet_state 2\n",
        "\nvttablet_replication_lag_sec 4\n",
        "\nvtagent_health_problem{cause=\"disk-full\"} 0\n",
        "\nvtagent_health_lag_seconds 4\n",
        "\nvtagent_job_running{kind=\"backup\"} 1\nvtagent_job_running{kind=\"restore\"} 0\n",
        "\nvtagent_job_done_bytes{kind=\"backup\"} 5242880\n",
        "\nvtagent_job_size_bytes{kind=\"backup\"} 10485760\n",
        "\nvtagent_job_rate_bytes_per_second{kind=\"backup\"} 1048576\n",
        "\nvtagent_job_remaining_seconds{kind=\"backup\"} 5\n",
        "\nvtagent_jobs_total{kind=\"restore\",outcome=\"failed\"} 3\n",
        "\nvtagent_job_stuck_workers 2\n",
        "\nvtagent_jobs_total{kind=\"restore\",outcome=\"canceled\"} 0\n",
        "\nvttablet_record_is_current 1\n",
        "\nvtagent_tablet_state{state=\"following\"} 1\n",
        "\nvtagent_tablet_state{state=\"primary\"} 0\n",
        "\nvtagent_tablet_type{type=\"replica\"} 1\n",
        "\nvtagent_tablet_type{type=\"primary\"} 0\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        cr_assert_not_null(strstr(buffer_text(&body), lines[i]));
}

Test(pages, the_status_page_lists_jobs, .init = set_up, .fini = tear_down)
{
    picture.jobs.views[0] = picture_running_job();
    picture.jobs.views[1] = (struct job_view){
        .id = "restore-2",
        .kind = JOB_RESTORE,
        .state = JOB_FAILED,
        .parameters = "newest backup",
        .error = "disk full",
        .start_time_ns = 1000000000,
        .end_time_ns = 2000000000,
    };
    picture.jobs.count = 2;
    picture.jobs.strays[0] =
        (struct job_stray){.pid = 77, .since_ns = 1000000000, .text = "sync does not return"};
    picture.jobs.stray_count = 1;
    cr_assert_eq(status_of(page_status_text), 200);
    cr_assert_not_null(strstr(buffer_text(&body),
                              "job            backup-3 (concurrency 4) since 1970-01-01T00:00:01Z, "
                              "copy, 50.0%, 1.0 MB/s, 5 s left\n"));
    cr_assert_not_null(strstr(buffer_text(&body),
                              "stuck          worker 77, killed and held by the kernel since "
                              "1970-01-01T00:00:01Z: sync does not return\n"));
    cr_assert_not_null(strstr(buffer_text(&body),
                              "last jobs, newest first\n  1970-01-01T00:00:02Z  restore-2 (newest "
                              "backup) failed: disk full\n"));
}

Test(pages, the_status_page_tells_the_story, .init = set_up, .fini = tear_down)
{
    struct health_replication *probe = &picture.health.facts.replication;
    probe->is_replica = true;
    probe->io_state = REPLICATION_RUNNING;
    probe->sql_state = REPLICATION_STOPPED;
    probe->is_lag_unknown = true;
    snprintf(probe->source, sizeof(probe->source), "db0:3306");
    snprintf(probe->error, sizeof(probe->error), "duplicate key");
    picture.view.history_count = 1;
    picture.view.history[0].time_ns = 1000000000;
    snprintf(picture.view.history[0].text, sizeof(picture.view.history[0].text), "promoted");
    snprintf(picture.view.publish_error, sizeof(picture.view.publish_error), "etcd is away");
    cr_assert_eq(status_of(page_status_text), 200);
    static const char *const pieces[] = {"zone1-0000000100",
                                         "ks/-80",
                                         "state          replica, serving, replicating\n",
                                         "from db0:3306, IO running, SQL stopped\n",
                                         "duplicate key",
                                         "1970-01-01T00:00:01Z  promoted",
                                         "etcd is away"};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++)
        cr_assert_not_null(strstr(buffer_text(&body), pieces[i]));
}

Test(pages, metrics_are_in_openmetrics_for_who_asks, .init = set_up, .fini = tear_down)
{
    picture.accept = "application/openmetrics-text; version=1.0.0";
    struct page page = page_metrics(&picture, &body);
    cr_assert_str_eq(page.content_type,
                     "application/openmetrics-text; version=1.0.0; charset=utf-8");
    cr_assert(str_ends_with(buffer_text(&body), "\n# EOF\n"));
    cr_assert_not_null(strstr(buffer_text(&body), "\n# TYPE vtagent_jobs counter\n"));
    cr_assert_not_null(strstr(buffer_text(&body), "\n# UNIT process_cpu_seconds seconds\n"));
    buffer_clear(&body);
    picture.accept = NULL;
    page = page_metrics(&picture, &body);
    cr_assert_str_eq(page.content_type, "text/plain; version=0.0.4; charset=utf-8");
    cr_assert_null(strstr(buffer_text(&body), "# EOF"));
    cr_assert_not_null(strstr(buffer_text(&body), "\n# TYPE vtagent_jobs_total counter\n"));
}

Test(pages, the_status_is_html_or_plain_text, .init = set_up, .fini = tear_down)
{
    struct page page = page_status(&picture, &body);
    cr_assert_str_eq(page.content_type, "text/html; charset=utf-8");
    cr_assert_not_null(page.policy);
    buffer_clear(&body);
    picture.accept = "text/plain";
    page = page_status(&picture, &body);
    cr_assert_str_eq(page.content_type, "text/plain; charset=utf-8");
}

Test(pages, paths)
{
    cr_assert(pages_find("/healthz")->function == page_healthz);
    cr_assert(pages_find("/debug/vars")->function == page_vars);
    cr_assert(pages_find("/debug/status")->shows_shard);
    cr_assert_null(pages_find("/debug/pprof"));
}
