#include <criterion/criterion.h>

#include <stdlib.h>

#include "agent/handlers/message.h"
#include "tabletmanagerdata.pb-c.h"

static void
check_text(const char *text, const char *expected)
{
    char *copy = message_text(text);
    cr_assert_str_eq(copy, expected);
    free(copy);
}

Test(message, text_that_is_not_utf8_is_repaired)
{
    check_text(NULL, "");
    check_text("plain", "plain");
    check_text("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
    check_text("\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80");
    check_text("a\xff"
               "b",
               "a?b");
    check_text("\xc3", "?");
    check_text("\xe2\x82", "??");
    check_text("\xc0\xaf", "??");
    check_text("\xed\xa0\x80", "???");
    check_text("\xf4\x90\x80\x80", "????");
    check_text("\xf0\x9f\x98", "???");
}

Test(message, appended_items_stay_in_order)
{
    size_t count = 0;
    char **items = NULL;
    for (int i = 0; i < 100; i++)
        message_append(&count, &items, xasprintf("%d", i));
    cr_assert_eq(count, 100u);
    cr_assert_str_eq(items[0], "0");
    cr_assert_str_eq(items[63], "63");
    cr_assert_str_eq(items[99], "99");
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

Test(message, map_entries_have_the_layout_that_is_assumed)
{
    Tabletmanagerdata__GetGlobalStatusVarsResponse *response =
        message_new(&tabletmanagerdata__get_global_status_vars_response__descriptor);
    message_map_add(
        &tabletmanagerdata__get_global_status_vars_response__status_values_entry__descriptor,
        &response->n_status_values, &response->status_values, "key", "value");
    cr_assert_eq(sizeof(struct message_map_entry), sizeof(*response->status_values[0]));
    cr_assert_str_eq(response->status_values[0]->key, "key");
    cr_assert_str_eq(response->status_values[0]->value, "value");
    protobuf_c_message_free_unpacked(&response->base, NULL);
}

Test(message, times_go_there_and_back)
{
    Vttime__Time *time = message_time(1234567890123456789);
    cr_assert_eq(time->seconds, 1234567890);
    cr_assert_eq(time->nanoseconds, 123456789);
    cr_assert_eq(message_time_ns(time), 1234567890123456789);
    vttime__time__free_unpacked(time, NULL);
    cr_assert_eq(message_time_ns(NULL), 0);
}

Test(message, bytes_become_text)
{
    ProtobufCBinaryData bytes = {.len = 3, .data = (uint8_t *)"abcdef"};
    char *text = message_bytes_text(&bytes);
    cr_assert_str_eq(text, "abc");
    free(text);
    bytes = (ProtobufCBinaryData){0};
    text = message_bytes_text(&bytes);
    cr_assert_str_eq(text, "");
    free(text);
}

Test(message, durations_of_any_size_are_milliseconds_without_overflow)
{
    Vttime__Duration duration = VTTIME__DURATION__INIT;
    cr_assert_eq(message_duration_ms(NULL), 0);
    duration.seconds = 90;
    duration.nanos = 250000000;
    cr_assert_eq(message_duration_ms(&duration), 90250);
    duration.nanos = 0;
    duration.seconds = INT64_MAX;
    cr_assert_eq(message_duration_ms(&duration), 315576000000000);
    duration.seconds = INT64_MIN;
    cr_assert_eq(message_duration_ms(&duration), -315576000000000);
}
