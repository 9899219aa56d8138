#include <criterion/criterion.h>

#include <stdlib.h>

#include "agent/handlers/crc64.h"
#include "agent/handlers/sql_rewrite.h"

Test(sql_rewrite, zero_in_date_directive_is_found)
{
    cr_assert(sql_allows_zero_in_date("create /*vt+ allowZeroInDate=true */ table t (i int)"));
    cr_assert(sql_allows_zero_in_date("create /*vt+ allowZeroInDate */ table t (i int)"));
    cr_assert(sql_allows_zero_in_date("/*vt+ a=1 */ x /*vt+ b allowzeroindate=1 */"));
    cr_assert(!sql_allows_zero_in_date("create /*vt+ allowZeroInDate=false */ table t (i int)"));
    cr_assert(!sql_allows_zero_in_date("create /* allowZeroInDate=true */ table t (i int)"));
    cr_assert(!sql_allows_zero_in_date("/*vt+ other */ allowZeroInDate=true"));
    cr_assert(!sql_allows_zero_in_date("/*vt+ allowZeroInDate=true"));
}

static void
check_rewrite(const char *sql, const char *expected)
{
    char *text = sql_replace_sidecar(sql, "_vt_two");
    cr_assert_str_eq(text, expected);
    free(text);
}

Test(sql_rewrite, sidecar_qualifier_is_renamed_only_where_it_is_one)
{
    check_rewrite("select * from _vt.heartbeat", "select * from `_vt_two`.heartbeat");
    check_rewrite("select * from `_vt`.`heartbeat`", "select * from `_vt_two`.`heartbeat`");
    check_rewrite("select * from _vt . heartbeat", "select * from `_vt_two` . heartbeat");
    check_rewrite("select '_vt.heartbeat', \"_vt.x\"", "select '_vt.heartbeat', \"_vt.x\"");
    check_rewrite("select 'it\\'s _vt.a' from _vt.b", "select 'it\\'s _vt.a' from `_vt_two`.b");
    check_rewrite("/* _vt.a */ select 1 -- _vt.b\n, 2 # _vt.c",
                  "/* _vt.a */ select 1 -- _vt.b\n, 2 # _vt.c");
    check_rewrite("select my_vt.a, _vt2.b, d._vt.c, _vt", "select my_vt.a, _vt2.b, d._vt.c, _vt");
    check_rewrite("select 'open", "select 'open");
    check_rewrite("", "");
    char *same = sql_replace_sidecar("select * from _vt.a", "_vt");
    cr_assert_str_eq(same, "select * from _vt.a");
    free(same);
}

/* Go's hash/crc64 with the ISO table. */
Test(crc64, is_isos)
{
    cr_assert_eq(crc64_iso("", 0), 0ull);
    cr_assert_eq(crc64_iso("a", 1), 0x3420000000000000ull);
    cr_assert_eq(crc64_iso("ab", 2), 0x36c4200000000000ull);
    cr_assert_eq(crc64_iso("abc", 3), 0x3776c42000000000ull);
    cr_assert_eq(crc64_iso("123456789", 9), 0xb90956c775a41001ull);
}
