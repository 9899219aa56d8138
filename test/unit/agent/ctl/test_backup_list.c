#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/ctl/backup_private.h"

#define NOW_NS (1795413342ll * 1000000000)
#define MINUTE_NS (60ll * 1000000000)

static char *
literal(const char *text)
{
    return (char *)(uintptr_t)text;
}

static struct backup_summary
summary_of(const char *name, enum backup_state state)
{
    return (struct backup_summary){
        .name = literal(name),
        .alias = literal("zone1-0000000102"),
        .time_ns = NOW_NS - 90 * MINUTE_NS,
        .duration_ms = 65000,
        .state = state,
        .problem = literal(state == BACKUP_COMPLETE ? "" : "no MANIFEST"),
        .method = literal(state == BACKUP_COMPLETE ? "builtin" : ""),
        .engine = literal(state == BACKUP_COMPLETE ? "zstd" : ""),
        .position = literal("MySQL56/u:1-2"),
        .mysql_version = literal("Ver 9.7.4"),
        .quiesce_mode = literal("freeze"),
        .unavailable_ms = 12,
        .proof = literal("start"),
        .verdict = {.problem = literal("")},
        .stored_bytes = 1440000000,
    };
}

static char *
printed(struct backup_summary *summary, bool wants_json)
{
    char *text = NULL;
    size_t size = 0;
    const struct backup_list list = {summary, summary == NULL ? 0 : 1};
    FILE *stream = open_memstream(&text, &size);
    if (wants_json)
        backup_print_json(&list, "ks", "-80", stream);
    else
        backup_print_table(&list, NOW_NS, stream);
    fclose(stream);
    return text;
}

static void
expect_row(struct backup_summary *summary, const char *row)
{
    char *text = printed(summary, false);
    const char *line = strchr(text, '\n') + 1;
    /* Widths follow from the heading: only single blanks are compared. */
    struct strv words = {.items = NULL};
    strv_split(&words, line, ' ');
    char *squeezed = strv_join(&words, " ");
    squeezed[strcspn(squeezed, "\n")] = '\0';
    cr_assert_str_eq(squeezed, row);
    free(squeezed);
    strv_done(&words);
    free(text);
}

Test(backup_list, table_tells_how_each_was_taken_and_checked)
{
    struct backup_summary summary = summary_of("a", BACKUP_COMPLETE);
    expect_row(&summary, "a complete 1h30m 1.4 GB 1m05s builtin/zstd freeze 0.012s start -");
    summary.verdict.mode = VERDICT_FULL;
    summary.verdict.time_ns = NOW_NS - 2 * MINUTE_NS;
    expect_row(&summary, "a complete 1h30m 1.4 GB 1m05s builtin/zstd freeze 0.012s start full "
                         "(2m00s ago)");
    summary.verdict.mode = VERDICT_RESTORE;
    expect_row(&summary, "a complete 1h30m 1.4 GB 1m05s builtin/zstd freeze 0.012s restore restore "
                         "(2m00s ago)");
    summary.verdict.has_failed = true;
    summary.verdict.problem = literal("chunk 3 is damaged");
    expect_row(&summary, "a complete 1h30m 1.4 GB 1m05s builtin/zstd freeze 0.012s failed FAILED "
                         "(2m00s ago): chunk 3 is damaged");
}

Test(backup_list, table_names_incomplete_ones_as_such)
{
    struct backup_summary summary = summary_of("a", BACKUP_INCOMPLETE);
    summary.time_ns = 0;
    summary.quiesce_mode = summary.proof = literal("");
    summary.duration_ms = summary.unavailable_ms = -1;
    expect_row(&summary, "a incomplete - - - - - - - no MANIFEST");
}

static void
expect_status(struct backup_summary *summary, const char *status)
{
    char *text = printed(summary, true);
    json_t *root = json_loads(text, 0, NULL);
    cr_assert_not_null(root, "%s", text);
    const json_t *backup = json_array_get(json_object_get(root, "backups"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(backup, "status")), status);
    cr_assert_str_eq(json_string_value(json_object_get(backup, "directory")), "ks/-80");
    const json_t *alias = json_object_get(backup, "tablet_alias");
    cr_assert_eq(json_integer_value(json_object_get(alias, "uid")), 102);
    const json_t *details = json_object_get(backup, "vtagent");
    cr_assert_eq(json_integer_value(json_object_get(details, "unavailable_ms")), 12);
    json_decref(root);
    free(text);
}

Test(backup_list, json_is_vitess_own_with_the_state_filled_in)
{
    struct backup_summary summary = summary_of("a \"quoted\" name", BACKUP_COMPLETE);
    expect_status(&summary, "COMPLETE");
    summary.verdict.mode = VERDICT_SIZE;
    expect_status(&summary, "COMPLETE");
    summary.verdict.mode = VERDICT_FULL;
    expect_status(&summary, "VALID");
    summary.verdict.has_failed = true;
    expect_status(&summary, "INVALID");
    summary.state = BACKUP_UNREADABLE;
    expect_status(&summary, "INVALID");
    summary.state = BACKUP_INCOMPLETE;
    expect_status(&summary, "INCOMPLETE");
    char *none = printed(NULL, true);
    cr_assert_str_eq(none, "{\n  \"backups\": []\n}\n");
    free(none);
}
