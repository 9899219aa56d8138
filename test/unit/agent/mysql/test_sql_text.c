#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "agent/mysql/db.h"

static void
assert_quoted(const char *text, size_t length, const char *expected)
{
    char *quoted = db_quote(text, length);
    cr_assert_str_eq(quoted, expected);
    free(quoted);
}

Test(sql_text, quote_escapes_what_ends_or_changes_a_literal)
{
    assert_quoted("", 0, "''");
    assert_quoted("abc", 3, "'abc'");
    assert_quoted("it's", 4, "'it\\'s'");
    assert_quoted("a\\b", 3, "'a\\\\b'");
    assert_quoted("a\"b", 3, "'a\\\"b'");
    assert_quoted("a\0b", 3, "'a\\0b'");
    assert_quoted("a\nb\rc", 5, "'a\\nb\\rc'");
    assert_quoted("\032", 1, "'\\Z'");
    assert_quoted("caf\xc3\xa9", 5, "'caf\xc3\xa9'");
}

Test(sql_text, quote_name_doubles_backquotes)
{
    char *plain = db_quote_name("_vt");
    char *odd = db_quote_name("a`b");
    cr_assert_str_eq(plain, "`_vt`");
    cr_assert_str_eq(odd, "`a``b`");
    free(plain);
    free(odd);
}

static const struct {
    const char *sql;
    size_t count;
} scripts[] = {
    {"", 0},
    {";", 0},
    {" ; ;\n;", 0},
    {"select 1", 1},
    {"select 1;", 1},
    {"select 1; select 2", 2},
    {"select 1;\n\n", 1},
    {"select 1; -- the end", 1},
    {"select 1; --", 1},
    {"select 1 --; select 2", 2},
    {"select 1 --1; select 2", 2},
    {"select 1 -- ; select 2\n; select 3", 2},
    {"# only; a; comment", 0},
    {"# first\nselect 1", 1},
    {"/* a; b */", 0},
    {"/* a; b */ select 1 /* ; */", 1},
    {"/* never closed; ", 0},
    {"/*vt+ allowZeroInDate=true */ select 1", 1},
    {"/*! select 1 */", 1},
    {"/*!40101 SET NAMES utf8 */; select 2", 2},
    {"/*! select 1; select 2 */", 2},
    {"/*M! select 1 */", 1},
    {"/*!50000 select ';' */;", 1},
    {"/*! */ ;", 0},
    {"select 2*/* ; */3; select 4", 2},
    {"select ';'", 1},
    {"select 'it''s; here'", 1},
    {"select 'it\\'s; here'; select 2", 2},
    {"select \"a;b\"; select 2", 2},
    {"select `a;b`; select 2", 2},
    {"select `a\\`; select 2", 2},
    {"select `a``;b`", 1},
    {"select 'never closed; select 2", 1},
    {"select '\\", 1},
    {"insert into t values ('-- not a comment; really'); commit", 2},
};

Test(sql_text, statements_are_counted_past_quotes_and_comments)
{
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        cr_assert_eq(db_count_statements(scripts[i].sql), scripts[i].count, "%s", scripts[i].sql);
}
