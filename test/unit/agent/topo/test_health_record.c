#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "agent/topo/health_record.h"

Test(health_record, what_is_printed_is_read_again)
{
    struct health_record record = {.alias = (char *)"zone1-0000000100",
                                   .type = (char *)"replica",
                                   .is_serving = true,
                                   .state = (char *)"replica, serving, a \"quote\"\n",
                                   .cause = (char *)"fine",
                                   .position = (char *)"MySQL56/x:1-5",
                                   .lag_ms = 340,
                                   .time_ns = 1800000000000000000,
                                   .disk_free_bytes = 5,
                                   .disk_total_bytes = 10};
    struct buffer json = BUFFER_INIT;
    health_record_print(&record, &json);
    struct health_record read = {.lag_ms = -1};
    cr_assert_null(health_record_parse(json.data, json.length_bytes, &read));
    cr_assert_str_eq(read.alias, "zone1-0000000100");
    cr_assert_str_eq(read.state, "replica, serving, a \"quote\"\n");
    cr_assert_str_eq(read.position, "MySQL56/x:1-5");
    cr_assert_str_eq(read.job, "");
    cr_assert(read.is_serving);
    cr_assert_eq(read.lag_ms, 340);
    cr_assert_eq(read.time_ns, 1800000000000000000);
    cr_assert_eq(read.term_start_ns, 0);
    cr_assert_eq(read.disk_total_bytes, 10);
    health_record_done(&read);
    buffer_done(&json);
}

Test(health_record, an_unknown_lag_stays_unknown_and_no_json_is_an_error)
{
    struct health_record read = {.lag_ms = 7};
    cr_assert_null(health_record_parse("{\"lag_seconds\": null}", 21, &read));
    cr_assert_eq(read.lag_ms, -1);
    cr_assert_str_eq(read.type, "");
    health_record_done(&read);
    struct error *error = health_record_parse("[1]", 3, &read);
    cr_assert(error_is(error, ERROR_DATA_LOSS));
    error_free(error);
}

Test(health_record, it_is_never_below_tablets)
{
    struct tablet_alias alias = {.cell = "zone1", .uid = 100};
    char *path = health_record_path(&alias);
    cr_assert_str_eq(path, "vtagent/zone1-0000000100/Health");
    free(path);
}
