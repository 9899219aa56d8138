#include <criterion/criterion.h>

#include "agent/base/memory.h"
#include "agent/job/backup_line.h"

static void
clear(struct backup_summary *backup)
{
    struct backup_list list = {.items = xcalloc(1, sizeof(*backup)), .count = 1};
    list.items[0] = *backup;
    backup_list_done(&list);
}

Test(backup_line, what_is_printed_is_read)
{
    struct backup_summary backup = {.name = xstrdup("2026-01-02.030405.zone1-0000000101"),
                                    .time_ns = 5,
                                    .duration_ms = -1,
                                    .state = BACKUP_UNREADABLE,
                                    .problem = xstrdup("it is torn"),
                                    .proof = xstrdup(""),
                                    .stored_bytes = UINT64_MAX,
                                    .is_incremental = true,
                                    .verdict = {.time_ns = 7, .problem = xstrdup("")}};
    struct backup_summary read;
    char *line = backup_line_print(&backup);
    cr_assert(backup_line_parse(line, &read));
    cr_assert_str_eq(read.name, backup.name);
    cr_assert_str_eq(read.problem, "it is torn");
    cr_assert_str_eq(read.proof, "");
    cr_assert_eq(read.state, BACKUP_UNREADABLE);
    cr_assert_eq(read.duration_ms, -1);
    cr_assert_eq(read.stored_bytes, UINT64_MAX);
    cr_assert_eq(read.verdict.time_ns, 7);
    cr_assert(read.is_incremental && !read.verdict.has_failed);
    freep(&line);
    clear(&read);
    clear(&backup);
}

Test(backup_line, half_a_line_is_none)
{
    struct backup_summary read;
    cr_assert(!backup_line_parse("", &read));
    cr_assert(!backup_line_parse("1 2 3", &read));
    cr_assert(!backup_line_parse("1 2 x 0 0 0 0 0\tname\t\t", &read));
}
