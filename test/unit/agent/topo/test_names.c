#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/topo/records.h"

static void
expect_error(struct error *error, enum error_code code)
{
    cr_assert(error_is(error, code));
    error_free(error);
}

Test(names, alias_is_split_at_its_last_dash)
{
    struct tablet_alias alias;
    cr_assert_null(tablet_alias_parse("zone-1-0000000100", &alias));
    cr_assert_str_eq(alias.cell, "zone-1");
    cr_assert_eq(alias.uid, 100);
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(&alias, text);
    cr_assert_str_eq(text, "zone-1-0000000100");

    struct tablet_alias same;
    cr_assert_null(tablet_alias_parse("zone-1-100", &same));
    cr_assert(tablet_alias_equal(&alias, &same));
    cr_assert_null(tablet_alias_parse("z-4294967295", &same));
    cr_assert_eq(same.uid, 4294967295u);
}

Test(names, bad_aliases_are_refused)
{
    const char *bad[] = {
        "",       "zone1",        "zone1-",  "-100",       "zone1-1x",
        "zo e-1", "z-4294967296", "z/1-100", "zone1--1\n", "z-99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct tablet_alias alias = {.uid = 7};
        expect_error(tablet_alias_parse(bad[i], &alias), ERROR_INVALID_ARGUMENT);
        cr_assert_eq(alias.uid, 7);
    }
    char long_cell[100];
    memset(long_cell, 'a', sizeof(long_cell));
    memcpy(long_cell + 70, "-100", 5);
    struct tablet_alias alias;
    expect_error(tablet_alias_parse(long_cell, &alias), ERROR_INVALID_ARGUMENT);
}

Test(names, alias_of_a_message)
{
    struct tablet_alias zero = tablet_alias_of(NULL);
    cr_assert(tablet_alias_is_zero(&zero));
    Topodata__TabletAlias message = TOPODATA__TABLET_ALIAS__INIT;
    message.cell = (char *)(uintptr_t) "c";
    message.uid = 3;
    struct tablet_alias alias = tablet_alias_of(&message);
    cr_assert_str_eq(alias.cell, "c");
    cr_assert_eq(alias.uid, 3);
    cr_assert(!tablet_alias_is_zero(&alias));
}

Test(names, validation_allows_what_vitess_allows)
{
    cr_assert_null(name_validate("cell", "Zone_1-a"));
    expect_error(name_validate("cell", ""), ERROR_INVALID_ARGUMENT);
    expect_error(name_validate("cell", "a.b"), ERROR_INVALID_ARGUMENT);
    expect_error(name_validate("cell", "a/b"), ERROR_INVALID_ARGUMENT);
    char text[66];
    memset(text, 'a', 65);
    text[65] = '\0';
    expect_error(name_validate("cell", text), ERROR_INVALID_ARGUMENT);
    text[64] = '\0';
    cr_assert_null(name_validate("cell", text));
}

static Topodata__KeyRange *
range_of(const char *shard)
{
    char *name = NULL;
    Topodata__KeyRange *range = NULL;
    cr_assert_null(shard_name_parse(shard, &name, &range));
    free(name);
    return range;
}

Test(names, shard_names_give_key_ranges)
{
    char *name = NULL;
    Topodata__KeyRange *range = NULL;
    cr_assert_null(shard_name_parse("0", &name, &range));
    cr_assert_str_eq(name, "0");
    cr_assert_null(range);
    free(name);

    cr_assert_null(shard_name_parse("80-C0a1", &name, &range));
    cr_assert_str_eq(name, "80-c0a1");
    cr_assert_eq(range->start.len, 1);
    cr_assert_eq(range->start.data[0], 0x80);
    cr_assert_eq(range->end.len, 2);
    cr_assert_eq(range->end.data[1], 0xa1);
    free(name);
    record_freep(&range);

    cr_assert_null(shard_name_parse("-", &name, &range));
    cr_assert_not_null(range);
    cr_assert_eq(range->start.len, 0);
    cr_assert_eq(range->end.len, 0);
    free(name);
    record_freep(&range);
}

Test(names, bad_shard_names_are_refused)
{
    const char *bad[] = {"", "8-", "-8", "80-80", "90-80", "80-90-a0", "xy-", "80/90", "-zz"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char *name = NULL;
        Topodata__KeyRange *range = NULL;
        expect_error(shard_name_parse(bad[i], &name, &range), ERROR_INVALID_ARGUMENT);
        cr_assert_null(name);
        cr_assert_null(range);
    }
}

static bool
intersect(const char *a, const char *b)
{
    Topodata__KeyRange *left = range_of(a), *right = range_of(b);
    bool result = key_range_intersects(left, right);
    cr_assert_eq(key_range_intersects(right, left), result);
    record_freep(&left);
    record_freep(&right);
    return result;
}

Test(names, key_ranges_intersect)
{
    cr_assert(intersect("0", "80-"));
    cr_assert(intersect("-", "80-"));
    cr_assert(intersect("-80", "40-c0"));
    cr_assert(!intersect("-80", "80-"));
    cr_assert(!intersect("-80", "8000-"));
    cr_assert(intersect("-8001", "80-"));
    cr_assert(!intersect("40-80", "c0-"));
}

Test(names, keyspace_and_shard)
{
    char *keyspace = NULL, *shard = NULL;
    cr_assert_null(keyspace_shard_parse("commerce/-80", &keyspace, &shard));
    cr_assert_str_eq(keyspace, "commerce");
    cr_assert_str_eq(shard, "-80");
    free(keyspace);
    free(shard);
    const char *bad[] = {"commerce", "commerce/", "/0", "a/b/c", "a b/0", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        expect_error(keyspace_shard_parse(bad[i], &keyspace, &shard), ERROR_INVALID_ARGUMENT);
}

Test(names, tablet_types)
{
    Topodata__TabletType type;
    cr_assert_null(tablet_type_parse("RDONLY", &type));
    cr_assert_eq(type, TOPODATA__TABLET_TYPE__RDONLY);
    cr_assert_null(tablet_type_parse("batch", &type));
    cr_assert_str_eq(tablet_type_name(type), "rdonly");
    cr_assert_null(tablet_type_parse("Master", &type));
    cr_assert_str_eq(tablet_type_name(type), "primary");
    expect_error(tablet_type_parse("slave", &type), ERROR_INVALID_ARGUMENT);

    cr_assert(tablet_type_is_replica(TOPODATA__TABLET_TYPE__SPARE));
    cr_assert(!tablet_type_is_replica(TOPODATA__TABLET_TYPE__PRIMARY));
    cr_assert(!tablet_type_is_replica(TOPODATA__TABLET_TYPE__DRAINED));
    cr_assert(tablet_type_change_is_trivial(TOPODATA__TABLET_TYPE__REPLICA,
                                            TOPODATA__TABLET_TYPE__RDONLY));
    cr_assert(!tablet_type_change_is_trivial(TOPODATA__TABLET_TYPE__REPLICA,
                                             TOPODATA__TABLET_TYPE__PRIMARY));
    cr_assert(!tablet_type_change_is_trivial(TOPODATA__TABLET_TYPE__RESTORE,
                                             TOPODATA__TABLET_TYPE__REPLICA));
}
