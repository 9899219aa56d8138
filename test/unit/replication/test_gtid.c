#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "replication/gtid.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static struct position *
parse(const char *text)
{
    struct position *position = NULL;
    struct error *error = position_parse(text, &position);
    cr_assert_null(error);
    return position;
}

static void
assert_text(struct position *take_position, const char *expected)
{
    char *text = position_text(take_position);
    cr_assert_str_eq(text, expected);
    free(text);
    position_free(take_position);
}

static void
assert_round_trip(const char *text, const char *expected)
{
    assert_text(parse(text), expected);
}

Test(gtid, texts_are_read_and_written_canonically)
{
    assert_round_trip("", "");
    assert_round_trip("MySQL56/", "MySQL56/");
    assert_round_trip("MySQL56/ \n", "MySQL56/");
    assert_round_trip("MySQL56/" A ":1", "MySQL56/" A ":1");
    assert_round_trip("MySQL56/" A ":1-5", "MySQL56/" A ":1-5");
    assert_round_trip("MySQL56/" A ":5-5", "MySQL56/" A ":5");
    assert_round_trip("MySQL56/3E11FA47-71CA-11E1-9E33-C80AA9429562:1", "MySQL56/" A ":1");
    assert_round_trip("MySQL56/" B ":1,\n " A ":3", "MySQL56/" A ":3," B ":1");
    assert_round_trip("MySQL56/" A ":1-5:6-9", "MySQL56/" A ":1-9");
    assert_round_trip("MySQL56/" A ":7:1-5", "MySQL56/" A ":1-5:7");
    assert_round_trip("MySQL56/" A ":1-5:3-4", "MySQL56/" A ":1-5");
    assert_round_trip("MySQL56/" A ":1," A ":2," A ":4", "MySQL56/" A ":1-2:4");
    assert_round_trip("MySQL56/" A ":5-3", "MySQL56/");
    assert_round_trip("MySQL56/" A ":5-3:9", "MySQL56/" A ":9");
    assert_round_trip("MySQL56/" A ":1,,", "MySQL56/" A ":1");
    assert_round_trip("MySQL56/" A ":9223372036854775806", "MySQL56/" A ":9223372036854775806");
    assert_round_trip("MariaDB/", "MariaDB/");
    assert_round_trip("MariaDB/0-1-7", "MariaDB/0-1-7");
    assert_round_trip("MariaDB/5-1-7,0-2-18446744073709551615",
                      "MariaDB/0-2-18446744073709551615,5-1-7");
    assert_round_trip("MariaDB/1-1-9,1-2-3", "MariaDB/1-2-3");
    assert_round_trip("FilePos/bin.000002:157", "FilePos/bin.000002:157");
}

static void
assert_refused(const char *text, enum error_code code, const char *part)
{
    struct position *position = NULL;
    struct error *error = position_parse(text, &position);
    cr_assert(error_is(error, code), "%s", text);
    cr_assert_not_null(strstr(error->message, part));
    cr_assert_null(position);
    error_free(error);
}

Test(gtid, malformed_texts_are_refused)
{
    assert_refused("nonsense", ERROR_INTERNAL, "unknown GTIDSet flavor \"\"");
    assert_refused("Oracle/1", ERROR_INTERNAL, "unknown GTIDSet flavor \"Oracle\"");
    assert_refused("mysql56/" A ":1", ERROR_INTERNAL, "unknown GTIDSet flavor");
    assert_refused("MySQL56/" A, ERROR_INVALID_ARGUMENT, "no interval");
    assert_refused("MySQL56/" A ":", ERROR_INVALID_ARGUMENT, "not an interval");
    assert_refused("MySQL56/" A ":0", ERROR_INVALID_ARGUMENT, "below 1");
    assert_refused("MySQL56/" A ":x", ERROR_INVALID_ARGUMENT, "tagged");
    assert_refused("MySQL56/" A ":tag:1-3", ERROR_INVALID_ARGUMENT, "tagged");
    assert_refused("MySQL56/" A ":-3", ERROR_INVALID_ARGUMENT, "not an interval");
    assert_refused("MySQL56/" A ":3-", ERROR_INVALID_ARGUMENT, "not an interval");
    assert_refused("MySQL56/" A ":1-2-3", ERROR_INVALID_ARGUMENT, "not an interval");
    assert_refused("MySQL56/" A ":9223372036854775807", ERROR_INVALID_ARGUMENT, "interval");
    assert_refused("MySQL56/3e11fa47:1", ERROR_INVALID_ARGUMENT, "uuid");
    assert_refused("MySQL56/3e11fa4771ca11e19e33c80aa9429562xxxx:1", ERROR_INVALID_ARGUMENT,
                   "uuid");
    assert_refused("MariaDB/1-2", ERROR_INVALID_ARGUMENT, "domain-server-sequence");
    assert_refused("MariaDB/1-2-3-4", ERROR_INVALID_ARGUMENT, "domain-server-sequence");
    assert_refused("MariaDB/4294967296-2-3", ERROR_INVALID_ARGUMENT, "domain-server-sequence");
    assert_refused("MariaDB/1-2-18446744073709551616", ERROR_INVALID_ARGUMENT, "domain");
    assert_refused("FilePos/bin", ERROR_INVALID_ARGUMENT, "file:pos");
    assert_refused("FilePos/bin:x", ERROR_INVALID_ARGUMENT, "file:pos");
    assert_refused("FilePos/:4", ERROR_INVALID_ARGUMENT, "file:pos");
    assert_refused("FilePos/bin:1:2", ERROR_INVALID_ARGUMENT, "file:pos");
}

Test(gtid, sizes_are_bounded)
{
    size_t length = ((size_t)16 << 20) + 1;
    char *text = xmalloc(length + 1);
    memset(text, ' ', length);
    text[length] = '\0';
    struct position *position = NULL;
    struct error *error = position_parse_set(POSITION_MYSQL56, text, &position);
    cr_assert(error_is(error, ERROR_RESOURCE_EXHAUSTED));
    error_free(error);
    char *end = stpcpy(text, A);
    while ((size_t)(end - text) < 10000000)
        end = stpcpy(end, ":9");
    error = position_parse_set(POSITION_MYSQL56, text, &position);
    cr_assert(error_is(error, ERROR_RESOURCE_EXHAUSTED));
    error_free(error);
    free(text);
}

static void
assert_contains(const char *a, const char *b, bool expected)
{
    struct position *left = parse(a), *right = parse(b);
    cr_assert_eq(position_contains(left, right), expected, "%s %s", a, b);
    position_free(left);
    position_free(right);
}

Test(gtid, contains)
{
    assert_contains("", "", true);
    assert_contains("", "MySQL56/", true);
    assert_contains("MySQL56/", "", true);
    assert_contains("", "MySQL56/" A ":1", false);
    assert_contains("MariaDB/0-1-1", "MySQL56/", true);
    assert_contains("MariaDB/0-1-1", "MySQL56/" A ":1", false);
    assert_contains("MySQL56/" A ":1-10", "MySQL56/" A ":3-5", true);
    assert_contains("MySQL56/" A ":1-10", "MySQL56/" A ":3-11", false);
    assert_contains("MySQL56/" A ":1-3:5-10", "MySQL56/" A ":3-5", false);
    assert_contains("MySQL56/" A ":1-3:5-10", "MySQL56/" A ":1:5-6:10", true);
    assert_contains("MySQL56/" A ":1-3," B ":1", "MySQL56/" B ":1", true);
    assert_contains("MySQL56/" A ":1-3", "MySQL56/" B ":1", false);
    assert_contains("MySQL56/" B ":1-3", "MySQL56/" A ":1", false);
    assert_contains("MariaDB/0-1-5", "MariaDB/0-2-5", true);
    assert_contains("MariaDB/0-1-5", "MariaDB/0-1-6", false);
    assert_contains("MariaDB/0-1-5", "MariaDB/1-1-1", false);
    assert_contains("MariaDB/0-1-5,1-1-1", "MariaDB/1-1-1", true);
    assert_contains("FilePos/b.2:5", "FilePos/b.1:9", true);
    assert_contains("FilePos/b.2:5", "FilePos/b.2:5", true);
    assert_contains("FilePos/b.2:5", "FilePos/b.2:6", false);
    assert_contains("FilePos/b.2:5", "FilePos/b.3:1", false);
}

static void
assert_equal(const char *a, const char *b, bool expected)
{
    struct position *left = parse(a), *right = parse(b);
    cr_assert_eq(position_equal(left, right), expected, "%s %s", a, b);
    position_free(left);
    position_free(right);
}

Test(gtid, equal)
{
    assert_equal("", "MySQL56/", true);
    assert_equal("MySQL56/" A ":1-2", "MySQL56/" A ":1:2", true);
    assert_equal("MySQL56/" A ":1-2", "MySQL56/" A ":1", false);
    assert_equal("MariaDB/0-1-5", "MariaDB/0-1-5", true);
    assert_equal("MariaDB/0-1-5", "MariaDB/0-2-5", false);
    assert_equal("FilePos/a:1", "FilePos/a:1", true);
    assert_equal("FilePos/a:1", "FilePos/a:2", false);
    assert_equal("MySQL56/" A ":1", "MariaDB/0-1-1", false);
}

enum operation { UNION, SUBTRACT };
static void
assert_result(enum operation operation, const char *a, const char *b, const char *expected)
{
    struct position *left = parse(a), *right = parse(b);
    assert_text(operation == UNION ? position_union(left, right) : position_subtract(left, right),
                expected);
    position_free(left);
    position_free(right);
}

Test(gtid, union_of_two)
{
    assert_result(UNION, "", "", "");
    assert_result(UNION, "", "MySQL56/" A ":1", "MySQL56/" A ":1");
    assert_result(UNION, "MySQL56/" A ":1", "", "MySQL56/" A ":1");
    assert_result(UNION, "MySQL56/" A ":1", "MySQL56/" A ":2", "MySQL56/" A ":1-2");
    assert_result(UNION, "MySQL56/" A ":1-3:9", "MySQL56/" B ":1," A ":2-8",
                  "MySQL56/" A ":1-9," B ":1");
    assert_result(UNION, "MariaDB/0-1-5,1-1-1", "MariaDB/0-2-6,2-1-1", "MariaDB/0-2-6,1-1-1,2-1-1");
    assert_result(UNION, "FilePos/a:1", "FilePos/a:2", "FilePos/a:2");
    assert_result(UNION, "MySQL56/", "MariaDB/0-1-1", "MariaDB/0-1-1");
}

Test(gtid, subtract)
{
    assert_result(SUBTRACT, "", "MySQL56/" A ":1", "");
    assert_result(SUBTRACT, "MySQL56/" A ":1", "", "MySQL56/" A ":1");
    assert_result(SUBTRACT, "MySQL56/" A ":1-10", "MySQL56/" A ":3-5", "MySQL56/" A ":1-2:6-10");
    assert_result(SUBTRACT, "MySQL56/" A ":1-10", "MySQL56/" A ":1-10", "MySQL56/");
    assert_result(SUBTRACT, "MySQL56/" A ":1-5:8-9", "MySQL56/" A ":2:4-8", "MySQL56/" A ":1:3:9");
    assert_result(SUBTRACT, "MySQL56/" A ":1," B ":1-2", "MySQL56/" B ":1",
                  "MySQL56/" A ":1," B ":2");
    assert_result(SUBTRACT, "MariaDB/0-1-5,1-1-9,2-1-1", "MariaDB/0-2-5,1-1-3",
                  "MariaDB/1-1-9,2-1-1");
}

Test(gtid, one_uuid_can_be_left_out)
{
    struct position *position = parse("MySQL56/" A ":1-5," B ":7");
    assert_text(position_without_uuid(position, "3E11FA47-71ca-11e1-9e33-c80aa9429562"),
                "MySQL56/" B ":7");
    assert_text(position_without_uuid(position, ""), "MySQL56/" A ":1-5," B ":7");
    assert_text(position_without_uuid(position, NULL), "MySQL56/" A ":1-5," B ":7");
    assert_text(position_without_uuid(NULL, A), "");
    position_free(position);
}

Test(gtid, values_tell_about_themselves)
{
    struct position *mysql = parse("MySQL56/" A ":1-5:9," B ":7");
    struct position *empty = parse("MariaDB/");
    struct position *copy = position_copy(mysql);
    cr_assert_eq(position_transaction_count(mysql), 7);
    cr_assert_eq(position_transaction_count(NULL), 0);
    cr_assert_eq(position_flavor_of(mysql), POSITION_MYSQL56);
    cr_assert_eq(position_flavor_of(NULL), POSITION_NONE);
    cr_assert(position_is_empty(empty) && position_is_empty(NULL) && !position_is_empty(mysql));
    cr_assert(position_equal(copy, mysql));
    char *set = position_set_text(mysql);
    cr_assert_str_eq(set, A ":1-5:9," B ":7");
    free(set);
    position_free(mysql);
    position_freep(&empty);
    cr_assert_null(empty);
    position_free(copy);
}

Test(gtid, uuids)
{
    cr_assert(uuid_is_valid(A));
    cr_assert(uuid_is_valid("3E11FA47-71CA-11E1-9E33-C80AA9429562"));
    cr_assert(!uuid_is_valid("3e11fa47-71ca-11e1-9e33-c80aa942956"));
    cr_assert(!uuid_is_valid("3e11fa47-71ca-11e1-9e33-c80aa94295622"));
    cr_assert(!uuid_is_valid("3e11fa47x71ca-11e1-9e33-c80aa9429562"));
    cr_assert(!uuid_is_valid("3g11fa47-71ca-11e1-9e33-c80aa9429562"));
    cr_assert(!uuid_is_valid(""));
    cr_assert(!uuid_is_valid(NULL));
}
