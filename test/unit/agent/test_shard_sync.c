#include <criterion/criterion.h>

#include "agent/shard_sync.h"

static const struct tablet_alias us = {.cell = "zone1", .uid = 100};
static const struct tablet_alias other = {.cell = "zone1", .uid = 101};
static const struct tablet_alias nobody = {.cell = "", .uid = 0};

Test(shard_sync, the_newer_term_wins)
{
    cr_assert_eq(shard_sync_decide(&us, 7, &nobody, 0), SHARD_SYNC_WRITE);
    cr_assert_eq(shard_sync_decide(&us, 7, &other, 6), SHARD_SYNC_WRITE);
    cr_assert_eq(shard_sync_decide(&us, 7, &us, 6), SHARD_SYNC_WRITE);
    cr_assert_eq(shard_sync_decide(&us, 7, &us, 7), SHARD_SYNC_NOTHING);
    cr_assert_eq(shard_sync_decide(&us, 7, &other, 7), SHARD_SYNC_NOTHING);
    cr_assert_eq(shard_sync_decide(&us, 7, &other, 8), SHARD_SYNC_END);
    cr_assert_eq(shard_sync_decide(&us, 7, &us, 8), SHARD_SYNC_ADOPT);
    cr_assert_eq(shard_sync_decide(&us, 7, &nobody, 8), SHARD_SYNC_END);
}
