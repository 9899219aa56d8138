#include <criterion/criterion.h>

#include "agent/base/memory.h"

Test(memory, split_drops_blanks_and_empty_pieces)
{
    struct strv words = {.items = NULL};
    strv_split(&words, " a, b ,,c", ',');
    cr_assert_eq(words.count, 3);
    cr_assert_str_eq(words.items[1], "b");
    cr_assert_null(words.items[3]);
    char *joined = strv_join(&words, "-");
    cr_assert_str_eq(joined, "a-b-c");
    freep(&joined);
    strv_done(&words);
    cr_assert_eq(words.count, 0);
}

Test(memory, sort_and_contains)
{
    struct strv words = {.items = NULL};
    strv_addf(&words, "z%d", 1);
    strv_add(&words, "a");
    strv_sort(&words);
    cr_assert_str_eq(words.items[0], "a");
    cr_assert(strv_contains(&words, "z1"));
    cr_assert(!strv_contains(&words, "z"));
    strv_done(&words);
}

Test(memory, text_helpers)
{
    cr_assert(str_equal(NULL, NULL) && !str_equal("a", NULL) && str_equal("a", "a"));
    cr_assert(str_is_empty("") && str_is_empty(NULL) && !str_is_empty("x"));
    cr_assert(str_starts_with("abc", "ab") && !str_starts_with("a", "ab"));
    cr_assert(str_ends_with("abc", "bc") && !str_ends_with("c", "bc"));
}

Test(memory, a_text_that_does_not_fit_is_cut)
{
    char small[4];
    STR_FILL(small, "abcdef");
    cr_assert_str_eq(small, "abc");
    STR_FILL(small, "ab");
    cr_assert_str_eq(small, "ab");
    STR_FILL(small, NULL);
    cr_assert_str_eq(small, "");
}
