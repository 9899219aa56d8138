#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "backup/expire.h"
#include "fixture.h"

#define HOUR_MS (3600ll * 1000)
#define HOUR_NS (HOUR_MS * 1000000)
#define NOW_NS (1795413342ll * 1000000000)

/* One letter and its age in hours for each backup, oldest first:
 *   c complete, never checked    v verified    f failed its check    s only sizes were checked
 *   i incremental                o incomplete  u MANIFEST unreadable
 * "?" as age: no time is known; a negative age is in the future. */
static struct backup_list
make_list(const char *text)
{
    struct strv words = {.items = NULL};
    strv_split(&words, text, ' ');
    struct backup_list list = {xcalloc(words.count + 1, sizeof(*list.items)), words.count};
    for (size_t i = 0; i < words.count; i++) {
        const char *word = words.items[i];
        struct backup_summary *item = &list.items[i];
        char kind = word[0];
        item->name = xasprintf("%zu", i);
        item->time_ns = word[1] == '?' ? 0 : NOW_NS - strtoll(word + 1, NULL, 10) * HOUR_NS;
        item->state = kind == 'o'   ? BACKUP_INCOMPLETE
                      : kind == 'u' ? BACKUP_UNREADABLE
                                    : BACKUP_COMPLETE;
        item->is_incremental = kind == 'i';
        item->verdict.has_failed = kind == 'f';
        item->verdict.mode = kind == 'v' || kind == 'f' ? VERDICT_FULL
                             : kind == 's'              ? VERDICT_SIZE
                                                        : VERDICT_NONE;
    }
    strv_done(&words);
    return list;
}

/* `expected`: "+" stays, "-" goes, one for each. */
static void
expect(int64_t keep_count, int64_t keep_hours, const char *backups, const char *expected)
{
    const struct expire_rules rules = {.keep_count = keep_count,
                                       .keep_age_ms = keep_hours * HOUR_MS,
                                       .orphan_age_ms = 24 * HOUR_MS,
                                       .now_ns = NOW_NS};
    struct backup_list list = make_list(backups);
    enum expire_owner *owners = xcalloc(list.count + 1, sizeof(*owners));
    struct expire_plan plan;
    expire_plan(&list, owners, &rules, &plan);
    cr_assert_eq(plan.count, strlen(expected));
    for (size_t i = 0; i < plan.count; i++)
        cr_assert_eq(plan.steps[i].is_removed, expected[i] == '-',
                     "'%s', count %d, hours %d: number %d: %s", backups, (int)keep_count,
                     (int)keep_hours, (int)i, plan.steps[i].reason);
    expire_plan_done(&plan);
    backup_list_done(&list);
    free(owners);
}

Test(expire, nothing_and_no_rules)
{
    expect(1, 1, "", "");
    expect(0, 0, "c900 c800 f700 i600 u500", "+++++");
    expect(0, 0, "c900 o800 c700", "+-+");
}

Test(expire, count_and_age_each_keep)
{
    expect(2, 0, "c90 c80 c70 c60", "--++");
    expect(9, 0, "c90 c80 c70 c60", "++++");
    expect(0, 75, "c90 c80 c70 c60", "--++");
    expect(0, 80, "c90 c80 c70 c60", "-+++");
    expect(1, 75, "c90 c80 c70 c60", "--++");
    expect(3, 75, "c90 c80 c70 c60", "-+++");
}

Test(expire, newest_complete_one_stays_whatever_its_age)
{
    expect(0, 1, "c90 c80", "-+");
    expect(1, 1, "c90 c80 o70", "-+-");
    expect(0, 1, "f80", "+");
    expect(0, 1, "c90 u80", "++");
}

Test(expire, failed_ones_do_not_count_and_hold_the_good_ones_before_them)
{
    expect(1, 0, "c90 c80 f70", "-++");
    expect(1, 0, "c90 f80 f70", "+++");
    expect(1, 0, "c90 v85 f80 c70", "-+-+");
    expect(1, 0, "v90 c80 f70", "+++");
    expect(1, 0, "v95 v90 c80 f70", "-+++");
    expect(1, 0, "v90 s85 f80 v70", "---+");
    expect(2, 0, "c90 c80 f70 f60", "++++");
    expect(2, 0, "c90 c80 c75 f70 f60", "-++++");
    expect(0, 1, "f90 c80 c70", "--+");
    expect(0, 100, "f90 c80 c70", "+++");
    expect(0, 1, "f90 f80", "-+");
}

Test(expire, wrong_clocks_expire_nothing)
{
    expect(1, 0, "c90 c80 c-1000", "-++");
    expect(0, 1, "c90 c80 c-1000", "-++");
    expect(1, 0, "c? c80", "++");
    expect(1, 0, "c90 c?", "++");
    expect(1, 1, "c90 o? o-30", "+++");
}

Test(expire, incremental_ones_go_with_what_they_follow)
{
    expect(1, 0, "i95 c90 i85 c80 i75", "---++");
    expect(2, 0, "i95 c90 i85 c80 i75", "-++++");
    expect(1, 0, "i95 i90", "++");
    expect(1, 0, "u95 i90 c80", "+++");
    expect(0, 1, "i30 c20", "-+");
}

Test(expire, orphans_go_when_they_are_old)
{
    expect(5, 0, "o25 o24 o1", "-++");
    expect(1, 0, "c90 o80 c70 o60", "--+-");
}

static void
expect_owner(enum expire_owner owner, bool is_removed, const char *reason)
{
    const struct expire_rules rules = {.orphan_age_ms = 24 * HOUR_MS, .now_ns = NOW_NS};
    struct backup_list list = make_list("o100");
    struct expire_plan plan;
    expire_plan(&list, &owner, &rules, &plan);
    cr_assert_eq(plan.steps[0].is_removed, is_removed);
    cr_assert(plan.steps[0].is_orphan);
    cr_assert_not_null(strstr(plan.steps[0].reason, reason), "%s", plan.steps[0].reason);
    expire_plan_done(&plan);
    backup_list_done(&list);
}

Test(expire, an_orphan_that_could_be_written_stays)
{
    expect_owner(EXPIRE_OWNER_UNASKED, true, "incomplete: 4 days old");
    expect_owner(EXPIRE_OWNER_GONE, true, "its tablet is gone");
    expect_owner(EXPIRE_OWNER_IDLE, true, "does not write it");
    expect_owner(EXPIRE_OWNER_BUSY, false, "runs a backup");
    expect_owner(EXPIRE_OWNER_SILENT, false, "does not answer");
}

Test(expire, without_an_orphan_age_none_goes)
{
    const struct expire_rules rules = {.keep_count = 1, .now_ns = NOW_NS};
    enum expire_owner owner = EXPIRE_OWNER_IDLE;
    struct backup_list list = make_list("o10000");
    struct expire_plan plan;
    expire_plan(&list, &owner, &rules, &plan);
    cr_assert(!plan.steps[0].is_removed);
    expire_plan_done(&plan);
    backup_list_done(&list);
}
