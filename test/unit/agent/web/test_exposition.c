#include <criterion/criterion.h>
#include <math.h>

#include "agent/base/memory.h"
#include "agent/web/exposition.h"

static struct buffer body;

static void
tear_down(void)
{
    buffer_done(&body);
}

static void
print(bool is_open)
{
    struct exposition exposition = {.body = &body, .is_open = is_open};
    exposition_gauge(&exposition, "a_bytes", 1e15, "How large.");
    exposition_family(&exposition, "b_seconds", METRIC_COUNTER, "How long.");
    exposition_sample(&exposition, 0.25, "kind", "x", "why", "a \"b\" \\ c\nd", NULL);
    exposition_family(&exposition, "c_seconds", METRIC_HISTOGRAM, "How often.");
    exposition_part(&exposition, "_bucket", 3, "le", "1.0", NULL);
    exposition_part(&exposition, "_count", 3, NULL);
    exposition_end(&exposition);
}

Test(exposition, prometheus_text_names_counters_by_their_samples, .fini = tear_down)
{
    print(false);
    cr_assert_str_eq(buffer_text(&body),
                     "# HELP a_bytes How large.\n# TYPE a_bytes gauge\na_bytes 1e+15\n"
                     "# HELP b_seconds_total How long.\n# TYPE b_seconds_total counter\n"
                     "b_seconds_total{kind=\"x\",why=\"a \\\"b\\\" \\\\ c\\nd\"} 0.25\n"
                     "# HELP c_seconds How often.\n# TYPE c_seconds histogram\n"
                     "c_seconds_bucket{le=\"1.0\"} 3\nc_seconds_count 3\n");
}

Test(exposition, openmetrics_has_units_families_without_total_and_an_end, .fini = tear_down)
{
    print(true);
    cr_assert_str_eq(buffer_text(&body),
                     "# HELP a_bytes How large.\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n"
                     "a_bytes 1e+15\n"
                     "# HELP b_seconds How long.\n# TYPE b_seconds counter\n"
                     "# UNIT b_seconds seconds\n"
                     "b_seconds_total{kind=\"x\",why=\"a \\\"b\\\" \\\\ c\\nd\"} 0.25\n"
                     "# HELP c_seconds How often.\n# TYPE c_seconds histogram\n"
                     "# UNIT c_seconds seconds\n"
                     "c_seconds_bucket{le=\"1.0\"} 3\nc_seconds_count 3\n# EOF\n");
}

Test(exposition, numbers_are_as_short_as_they_can_be_and_exact)
{
    char text[EXPOSITION_NUMBER];
    cr_assert_str_eq(exposition_number(0.1, text), "0.1");
    cr_assert_str_eq(exposition_number(42, text), "42");
    cr_assert_str_eq(exposition_number(0.1 + 0.2, text), "0.30000000000000004");
    cr_assert_str_eq(exposition_number(NAN, text), "NaN");
    cr_assert_str_eq(exposition_number(INFINITY, text), "+Inf");
    cr_assert_str_eq(exposition_number(-INFINITY, text), "-Inf");
    cr_assert_str_eq(exposition_bound(60, text), "60.0");
    cr_assert_str_eq(exposition_bound(0.005, text), "0.005");
    cr_assert_str_eq(exposition_bound(INFINITY, text), "+Inf");
}
