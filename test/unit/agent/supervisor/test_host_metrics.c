#include <criterion/criterion.h>

#include "agent/supervisor/host_metrics.h"

Test(host_metrics, figures_are_in_their_ranges)
{
    double ratio = -1, load = -1;
    cr_assert_null(host_metrics_used_ratio("/tmp", &ratio));
    cr_assert_geq(ratio, 0.0);
    cr_assert_leq(ratio, 1.0);
    cr_assert_null(host_metrics_load(&load));
    cr_assert_geq(load, 0.0);
}

Test(host_metrics, a_missing_folder_is_an_error)
{
    double ratio = -1;
    struct error *error = host_metrics_used_ratio("/nonexistent/x", &ratio);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    error_free(error);
    cr_assert_float_eq(ratio, -1.0, 0.0001);
}
