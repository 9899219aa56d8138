#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "backup/list.h"
#include "fixture.h"

static struct storage *storage;

static void
open_storage(void)
{
    storage = storage_memory_new();
}

static void
close_storage(void)
{
    storage_freep(&storage);
}

static void
put(const char *name, const char *object, const char *text)
{
    cr_assert_null(
        storage->interface->put(storage, NULL, "ks/0", name, object, text, strlen(text)));
}

/* A backup folder with this MANIFEST; NULL: none. */
static void
add(const char *name, const char *manifest)
{
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", name));
    if (manifest != NULL)
        put(name, MANIFEST_NAME, manifest);
}

#define FILES "\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\",\"Hash\":\"\"}]"

static struct backup_list
read_list(size_t limit)
{
    struct backup_list list = {.items = NULL};
    cr_assert_null(backup_list_read(storage, "ks", "0", limit, NULL, &list));
    return list;
}

Test(list, shows_what_is_there, .init = open_storage, .fini = close_storage)
{
    add("2026-11-23.055542.zone1-0000000102",
        "{\"Position\":\"MySQL56/\",\"BackupTime\":\"2026-11-23T05:55:42Z\","
        "\"FinishedTime\":\"2026-11-23T05:56:42Z\",\"CompressionEngine\":\"zstd\"," FILES "}");
    add("2026-11-24.000000.zone1-0000000103", NULL);
    add("manual", "{");
    struct backup_list list = read_list(0);
    cr_assert_eq(list.count, 3);
    const struct backup_summary *whole = &list.items[0];
    cr_assert_eq(whole->state, BACKUP_COMPLETE);
    cr_assert_str_eq(whole->alias, "zone1-0000000102");
    cr_assert_str_eq(whole->method, "builtin");
    cr_assert_str_eq(whole->engine, "zstd");
    cr_assert_str_eq(whole->position, "MySQL56/");
    cr_assert_str_eq(whole->quiesce_mode, "");
    cr_assert_str_eq(whole->proof, "");
    cr_assert_eq(whole->unavailable_ms, -1);
    cr_assert_eq(whole->time_ns, 1795413342000000000);
    cr_assert_eq(whole->duration_ms, 60000);
    cr_assert_eq(whole->file_count, 1);
    cr_assert(!whole->is_incremental);
    cr_assert_eq(whole->verdict.mode, VERDICT_NONE);
    cr_assert_eq(list.items[1].state, BACKUP_INCOMPLETE);
    cr_assert_str_eq(list.items[1].problem, "no MANIFEST");
    cr_assert_str_eq(list.items[1].alias, "zone1-0000000103");
    cr_assert_eq(list.items[1].time_ns, 1795478400000000000);
    cr_assert_eq(list.items[2].state, BACKUP_UNREADABLE);
    cr_assert_not_null(strstr(list.items[2].problem, "not JSON"));
    cr_assert_str_eq(list.items[2].alias, "");
    cr_assert_eq(list.items[2].time_ns, 0);
    backup_list_done(&list);
    cr_assert_null(backup_list_read(storage, "ks", "1", 0, NULL, &list));
    cr_assert_eq(list.count, 0);
    backup_list_done(&list);
}

Test(list, shows_how_a_backup_of_ours_was_taken_and_checked, .init = open_storage,
     .fini = close_storage)
{
    add("1", "{\"FromPosition\":\"MySQL56/\",\"VtagentDetails\":{\"QuiesceMode\":\"freeze\","
             "\"State\":\"clean\",\"Proof\":\"tables\",\"UnavailableMs\":12}," FILES "}");
    put("1", VERDICT_NAME_PREFIX "1",
        "{\"Time\":\"2026-11-24T00:00:00Z\",\"Mode\":\"full\",\"Result\":\"failed\","
        "\"Problem\":\"chunk 3\"}");
    struct backup_list list = read_list(0);
    const struct backup_summary *backup = &list.items[0];
    cr_assert_str_eq(backup->quiesce_mode, "freeze");
    cr_assert_str_eq(backup->proof, "tables");
    cr_assert_eq(backup->unavailable_ms, 12);
    cr_assert_eq(backup->duration_ms, -1);
    cr_assert(backup->is_incremental);
    cr_assert(backup->verdict.has_failed);
    cr_assert_eq(backup->verdict.mode, VERDICT_FULL);
    cr_assert_str_eq(backup->verdict.problem, "chunk 3");
    backup_list_done(&list);
}

Test(list, limit_keeps_the_newest, .init = open_storage, .fini = close_storage)
{
    add("1", NULL);
    add("2", NULL);
    add("3", NULL);
    struct backup_list list = read_list(2);
    cr_assert_eq(list.count, 2);
    cr_assert_str_eq(list.items[0].name, "2");
    cr_assert_str_eq(list.items[1].name, "3");
    backup_list_done(&list);
}

Test(list, counts_sizes, .init = open_storage, .fini = close_storage)
{
    add("1", "{" FILES "}");
    put("1", "0", "12345");
    struct backup_list list = read_list(0);
    cr_assert_eq(list.items[0].stored_bytes, 5);
    cr_assert_eq(list.items[0].plain_bytes, 0);
    backup_list_done(&list);
}

Test(list, newest_with_a_manifest_is_found_whatever_it_says, .init = open_storage,
     .fini = close_storage)
{
    char *name = NULL;
    fixture_expect(backup_find_newest(storage, "ks", "0", NULL, &name), ERROR_NOT_FOUND,
                   "no complete backup of 'ks/0'");
    add("1", "{" FILES "}");
    add("2", "{");
    add("3", NULL);
    cr_assert_null(backup_find_newest(storage, "ks", "0", NULL, &name));
    cr_assert_str_eq(name, "2");
    freep(&name);
}
