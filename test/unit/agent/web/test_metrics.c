#include <criterion/criterion.h>

#include "agent/base/memory.h"
#include "agent/web/metrics.h"

Test(metrics, calls_are_counted_by_method_code_and_time)
{
    const char *paths[] = {"/tm.TM/Ping", "/tm.TM/Backup"};
    struct metrics *metrics = metrics_new(paths, 2);
    metrics_count(metrics, "/tm.TM/Ping", 0, 200);
    metrics_count(metrics, "/tm.TM/Ping", 0, 700);
    metrics_count(metrics, "/tm.TM/Ping", 4, 90000000);
    metrics_count(metrics, "/tm.TM/Unheard", 12, 1);
    metrics_count(metrics, "/tm.TM/Ping", 999, 1);
    cr_assert_eq(metrics_total(metrics), 5);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    struct exposition exposition = {.body = &text};
    metrics_print(metrics, &exposition);
    static const char *const lines[] = {
        "vttablet_grpc_server_handled_total{grpc_service=\"tm.TM\",grpc_method=\"Ping\",grpc_code="
        "\"OK\"} 2\n",
        "grpc_method=\"Ping\",grpc_code=\"DEADLINE_EXCEEDED\"} 1\n",
        "grpc_method=\"Ping\",grpc_code=\"UNKNOWN\"} 1\n",
        "grpc_method=\"other\",grpc_code=\"UNIMPLEMENTED\"} 1\n",
        "vttablet_grpc_server_handling_seconds_bucket{grpc_service=\"tm.TM\",grpc_method=\"Ping\","
        "le=\"0.0005\"} 2\n",
        "vttablet_grpc_server_handling_seconds_bucket{grpc_service=\"tm.TM\",grpc_method=\"Ping\","
        "le=\"0.001\"} 3\n",
        "vttablet_grpc_server_handling_seconds_bucket{grpc_service=\"tm.TM\",grpc_method=\"Ping\","
        "le=\"60.0\"} 3\n",
        "vttablet_grpc_server_handling_seconds_bucket{grpc_service=\"tm.TM\",grpc_method=\"Ping\","
        "le=\"+Inf\"} 4\n",
        "vttablet_grpc_server_handling_seconds_count{grpc_service=\"tm.TM\",grpc_method=\"Ping\"} "
        "4\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        cr_assert_not_null(strstr(buffer_text(&text), lines[i]));
    cr_assert_null(strstr(buffer_text(&text), "Backup"));
    metrics_free(metrics);
}

Test(metrics, this_process_is_measured)
{
    struct process_stats stats = process_stats_read();
    cr_assert_gt(stats.resident_bytes, 100000);
    cr_assert_geq(stats.threads, 1);
    cr_assert_geq(stats.open_files, 3);
    cr_assert_geq(stats.cpu_seconds, 0);
}
