#include <criterion/criterion.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"

Test(buffer, grows_and_stays_terminated)
{
    struct buffer buffer = BUFFER_INIT;
    cr_assert_str_eq(buffer_text(&buffer), "");
    for (int i = 0; i < 1000; i++)
        buffer_appendf(&buffer, "%d,", i);
    cr_assert_eq(strlen(buffer_text(&buffer)), buffer.length_bytes);
    buffer_clear(&buffer);
    cr_assert_str_eq(buffer_text(&buffer), "");
    char *text = buffer_take(&buffer);
    cr_assert_str_eq(text, "");
    freep(&text);
    buffer_done(&buffer);
}

Test(buffer, json_strings_are_escaped_and_utf8)
{
    struct buffer buffer = BUFFER_INIT;
    buffer_append_json_string(&buffer, "a\"b\\c\n\x01\xC3\xA9\xFF");
    cr_assert_str_eq(buffer_text(&buffer), "\"a\\\"b\\\\c\\n\\u0001\xC3\xA9\xEF\xBF\xBD\"");
    buffer_done(&buffer);
}
