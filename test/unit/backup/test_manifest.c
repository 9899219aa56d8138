#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "fixture.h"

static struct manifest *
parse(const char *text)
{
    struct manifest *manifest;
    struct error *error = manifest_parse(text, strlen(text), &manifest);
    if (error != NULL)
        fixture_expect(error, ERROR_OK, "");
    return manifest;
}

static void
expect_refused(const char *text, const char *part)
{
    struct manifest *manifest;
    fixture_expect(manifest_parse(text, strlen(text), &manifest), ERROR_INVALID_ARGUMENT, part);
}

static const char vitess_example[] =
    "{\"BackupName\":\"2026-11-23.055542.zone1-0000000102\",\"BackupMethod\":\"builtin\","
    "\"Position\":\"MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77\","
    "\"PurgedPosition\":\"MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-50\","
    "\"FromPosition\":\"\",\"FromBackup\":\"\",\"Incremental\":false,"
    "\"BackupTime\":\"2026-11-23T05:55:42Z\",\"FinishedTime\":\"2026-11-23T05:57:01Z\","
    "\"ServerUUID\":\"7a0c1d5e-2b1f-11f0-9f5e-0242ac110002\",\"TabletAlias\":\"zone1-0000000102\","
    "\"Hostname\":\"\",\"Keyspace\":\"commerce\",\"Shard\":\"0\","
    "\"MySQLVersion\":\"Ver 8.0.40 MySQL Community Server - GPL\",\"UpgradeSafe\":true,"
    "\"IncrementalDetails\":null,\"CompressionEngine\":\"zstd\","
    "\"FileEntries\":[{\"Base\":\"InnoDBData\",\"Name\":\"ibdata1\",\"Hash\":\"0a1b2c3d\","
    "\"ParentPath\":\"\"},{\"Base\":\"Data\",\"Name\":\"vt_commerce/t1.ibd\",\"Hash\":\"\","
    "\"ParentPath\":\"\"}],\"SkipCompress\":true,\"ExternalDecompressor\":\"x\"}";

Test(manifest, vitess_example_is_read)
{
    struct manifest *manifest = parse(vitess_example);
    cr_assert_str_eq(manifest->backup_name, "2026-11-23.055542.zone1-0000000102");
    cr_assert_str_eq(manifest->position, "MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77");
    cr_assert_str_eq(manifest->compression_engine, "zstd");
    cr_assert(manifest->is_upgrade_safe);
    cr_assert(manifest->skips_compress);
    cr_assert(!manifest->is_incremental);
    cr_assert(!manifest->has_vtagent_details);
    cr_assert_eq(manifest->entry_count, 2);
    cr_assert_str_eq(manifest->entries[1].name, "vt_commerce/t1.ibd");
    cr_assert_str_eq(manifest->entries[0].hash, "0a1b2c3d");
    cr_assert(!manifest->entries[0].has_details);
    manifest_free(manifest);
}

Test(manifest, what_is_printed_is_read_back)
{
    struct manifest *first = parse(vitess_example);
    first->has_vtagent_details = true;
    str_replace(&first->quiesce_mode, "freeze");
    str_replace(&first->state, "clean");
    str_replace(&first->proof, "tables");
    str_replace(&first->hostname, "a \"quoted\" \\ name\n<&>");
    strv_add(&first->empty_directories, "vt_empty");
    first->unavailable_ms = 1234;
    first->entries[1].has_details = true;
    first->entries[1].plain_bytes = 5000000000u;
    first->entries[1].stored_bytes = 77;
    first->entries[1].plain_crc32 = 0xdeadbeef;
    first->entries[1].corrupt_pages = 3;
    first->entries[0].has_details = true;
    first->entries[0].plain_bytes = 65536 * 2 + 1;
    first->entries[0].stored_bytes = 10 + 50000 + 0xfffffff0ull + 1 + 9;
    first->entries[0].chunk_bytes = 65536;
    first->entries[0].head_bytes = 10;
    first->entries[0].chunk_count = 3;
    struct manifest_chunk chunks[] = {
        {50000, 0, 1}, {0xfffffff0u, 0xffffffffu, UINT64_MAX}, {1, 0x1234abcd, 0}};
    first->entries[0].chunks = xmemdup(chunks, sizeof(chunks));
    first->entries[0].has_crc64 = true;
    struct buffer text = BUFFER_INIT, again = BUFFER_INIT;
    manifest_print(first, &text);
    struct manifest *second = parse(text.data);
    cr_assert_str_eq(second->hostname, first->hostname);
    cr_assert_eq(second->unavailable_ms, 1234);
    cr_assert_str_eq(second->quiesce_mode, "freeze");
    cr_assert_str_eq(second->state, "clean");
    cr_assert_str_eq(second->proof, "tables");
    cr_assert_str_eq(second->empty_directories.items[0], "vt_empty");
    cr_assert_eq(second->entries[0].chunk_count, 3);
    cr_assert_eq(second->entries[0].chunk_bytes, 65536);
    cr_assert_eq(second->entries[0].head_bytes, 10);
    cr_assert_eq(memcmp(second->entries[0].chunks, chunks, sizeof(chunks)), 0);
    cr_assert_eq(manifest_tail_bytes(&second->entries[0]), 9);
    cr_assert_null(second->entries[1].chunks);
    cr_assert_eq(second->entries[1].corrupt_pages, 3);
    cr_assert_eq(second->entries[1].plain_bytes, 5000000000u);
    cr_assert_eq(second->entries[1].plain_crc32, 0xdeadbeef);
    manifest_print(second, &again);
    cr_assert_str_eq(text.data, again.data);
    manifest_free(first);
    manifest_free(second);
    buffer_done(&text);
    buffer_done(&again);
}

Test(manifest, go_leniency_is_ours_too)
{
    /* Unknown keys, other case, null, what follows the first value. */
    struct manifest *manifest = parse(
        "{\"unknown\":{\"a\":[1,2.5]},\"backupname\":\"n\",\"POSITION\":null,"
        "\"FileEntries\":null,\"UpgradeSafe\":null,\"PurgedPosition\":\"MySQL56/\"} trailing");
    cr_assert_str_eq(manifest->backup_name, "n");
    cr_assert_str_eq(manifest->position, "");
    cr_assert_eq(manifest->entry_count, 0);
    manifest_free(manifest);
    manifest = parse("{\"FileEntries\":[{\"base\":\"Data\",\"NAME\":\"a/b\",\"Size\":3}]}");
    cr_assert_str_eq(manifest->entries[0].name, "a/b");
    manifest_free(manifest);
    manifest = parse("{}");
    cr_assert_str_eq(manifest->mysql_version, "");
    manifest_free(manifest);
}

Test(manifest, the_manifest_of_2018_is_read)
{
    struct manifest *manifest = parse(
        "{\"FileEntries\":[{\"Base\":\"InnoDBData\",\"Name\":\"ibdata1\",\"Hash\":\"00000000\"}],"
        "\"Position\":\"MariaDB/0-1-5\",\"TransformHook\":\"\",\"SkipCompress\":false}");
    cr_assert_str_eq(manifest->position, "MariaDB/0-1-5");
    cr_assert_str_eq(manifest->compression_engine, "");
    manifest_free(manifest);
}

Test(manifest, wrong_types_and_broken_text_are_refused)
{
    expect_refused("", "not JSON");
    expect_refused("{\"BackupName\":\"x\"", "not JSON");
    expect_refused("[]", "not a JSON object");
    expect_refused("{\"BackupName\":3}", "'BackupName' is not a string");
    expect_refused("{\"Incremental\":\"true\"}", "'Incremental' is not true or false");
    expect_refused("{\"FileEntries\":{}}", "'FileEntries'");
    expect_refused("{\"FileEntries\":[3]}", "file 0: not an object");
    expect_refused("{\"Position\":\"MySQL56/nonsense\"}", "'Position'");
    expect_refused("{\"Position\":\"3e11fa47-71ca-11e1-9e33-c80aa9429562:1\"}", "'Position'");
    expect_refused("{\"BackupTime\":\"yesterday\"}", "'BackupTime'");
    expect_refused("{\"BackupName\":\"a\\u0000b\"}", "NUL");
}

Test(manifest, names_that_leave_their_base_are_refused)
{
    static const char *const names[] = {"../x", "/etc/passwd", "a/../../x", "",    ".",
                                        "a//b", "a/",          "./a",       "a/.."};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char *text =
            xasprintf("{\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"ok\",\"Hash\":\"\"},"
                      "{\"Base\":\"Data\",\"Name\":\"%s\",\"Hash\":\"\"}]}",
                      names[i]);
        expect_refused(text, "file 1: name");
        cr_assert(!manifest_name_is_safe(names[i]));
        freep(&text);
    }
    expect_refused("{\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\\u0000b\"}]}", "NUL");
    expect_refused("{\"FileEntries\":[{\"Base\":\"Root\",\"Name\":\"a\"}]}", "unknown base 'Root'");
    expect_refused("{\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\",\"Hash\":\"12\"}]}",
                   "hash");
    expect_refused("{\"VtagentDetails\":{\"EmptyDirectories\":[\"..\"]}}", "leaves");
    cr_assert(manifest_name_is_safe("#innodb_redo/#ib_redo12"));
    cr_assert(manifest_name_is_safe("..a/b..c/@0041#p#p0.ibd"));
}

Test(manifest, too_many_files_and_too_many_bytes_are_refused)
{
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, "{\"FileEntries\":[");
    for (size_t i = 0; i <= MANIFEST_ENTRIES_MOST; i++)
        buffer_append_text(&text, i == 0 ? "0" : ",0");
    buffer_append_text(&text, "]}");
    expect_refused(text.data, "1000001 files");
    buffer_done(&text);
    struct manifest *manifest;
    fixture_expect(manifest_parse("{", (size_t)MANIFEST_LIMIT_BYTES + 1, &manifest),
                   ERROR_INVALID_ARGUMENT, "at most");
}

Test(manifest, details_that_make_no_sense_are_refused)
{
    expect_refused("{\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\",\"VtagentDetails\":"
                   "{\"PlainBytes\":-1,\"StoredBytes\":1,\"PlainCrc32\":\"00000000\"}}]}",
                   "PlainBytes");
    expect_refused("{\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\",\"VtagentDetails\":"
                   "{\"PlainBytes\":1,\"StoredBytes\":1}}]}",
                   "PlainCrc32");
    expect_refused("{\"VtagentDetails\":3}", "VtagentDetails");
}

static void
check_version(const char *from, const char *to, bool is_upgrade_safe, bool is_allowed)
{
    struct manifest *manifest = manifest_new();
    str_replace(&manifest->mysql_version, from);
    manifest->is_upgrade_safe = is_upgrade_safe;
    struct error *error = manifest_check_version(manifest, to);
    if ((error == NULL) != is_allowed)
        fprintf(stderr, "'%s' to '%s'\n", from, to);
    cr_assert_eq(error == NULL, is_allowed);
    if (error != NULL)
        fixture_expect(error, ERROR_FAILED_PRECONDITION, "");
    manifest_free(manifest);
}

Test(version, matrix_of_vitess)
{
    check_version("", "Ver 8.0.40 MySQL", false, true);
    check_version("8.0.40", "8.0.40", false, true);
    check_version("8.0.40", "Ver 8.0.40 MySQL", false, false);
    check_version("Ver 8.0.40 MySQL", "", false, true);
    check_version("Ver 8.0.40 MySQL", "mysqld  Ver 8.0.40 for Linux", false, true);
    check_version("Ver 8.0.40 MySQL", "Ver 8.0.40 Percona Server", true, false);
    check_version("Ver 8.0.40 MySQL", "Ver 10.11.6-MariaDB x", true, false);
    check_version("Ver 8.0.35 MySQL", "Ver 8.0.40 MySQL", false, true);
    check_version("Ver 8.0.40 MySQL", "Ver 8.0.35 MySQL", false, true);
    check_version("Ver 8.0.40 MySQL", "Ver 8.0.34 MySQL", true, false);
    check_version("Ver 8.0.34 MySQL", "Ver 8.0.36 MySQL", false, false);
    check_version("Ver 8.0.34 MySQL", "Ver 8.0.36 MySQL", true, true);
    check_version("Ver 5.7.44 MySQL", "Ver 8.0.40 MySQL", true, true);
    check_version("Ver 5.7.44 MySQL", "Ver 8.0.40 MySQL", false, false);
    check_version("Ver 5.7.44 MySQL", "Ver 8.4.1 MySQL", true, false);
    check_version("Ver 8.0.40 MySQL", "Ver 8.4.1 MySQL", true, true);
    check_version("Ver 8.4.1 MySQL", "Ver 8.0.40 MySQL", true, false);
    check_version("Ver 9.1.0 MySQL", "Ver 9.2.0 MySQL", true, false);
    check_version("Ver 9.7.3 MySQL", "Ver 9.7.4 MySQL", false, true);
    check_version("nonsense", "Ver 9.7.4 MySQL", true, false);
}

Test(version, mariadb_goes_up_and_stays_in_its_series)
{
    check_version("Ver 10.11.6-MariaDB Debian 12", "Ver 10.11.19-MariaDB Debian 12", false, true);
    check_version("Ver 10.11.19-MariaDB Debian 12", "Ver 10.11.6-MariaDB Debian 12", false, true);
    check_version("Ver 10.6.1-MariaDB x", "Ver 10.11.19-MariaDB x", false, true);
    check_version("Ver 11.4.1-MariaDB x", "Ver 10.11.19-MariaDB x", true, false);
}

Test(version, same_version_needs_no_upgrade)
{
    struct manifest *manifest = manifest_new();
    cr_assert(!manifest_version_is_same(manifest, ""));
    cr_assert(!manifest_version_is_same(manifest, "Ver 8.0.40 MySQL"));
    char *text = manifest_version_text("8.0.40", "MySQL Community Server - GPL");
    cr_assert_str_eq(text, "Ver 8.0.40 MySQL Community Server - GPL");
    str_replace(&manifest->mysql_version, text);
    cr_assert(manifest_version_is_same(manifest, text));
    cr_assert(manifest_version_is_same(manifest, "mysqld  Ver 8.0.40 for Linux"));
    cr_assert(!manifest_version_is_same(manifest, "Ver 8.0.41 MySQL"));
    freep(&text);
    manifest_free(manifest);
}

static void
expect_index_refused(const char *index, const char *part)
{
    char *text = xasprintf("{\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\",\"VtagentDetails\":"
                           "{\"PlainBytes\":65537,\"StoredBytes\":100,\"PlainCrc32\":\"00000000\","
                           "%s}}]}",
                           index);
    expect_refused(text, part);
    freep(&text);
}

Test(manifest, an_index_that_contradicts_the_sizes_is_refused)
{
    static const char good[] = "\"ChunkBytes\":65536,\"HeadBytes\":0,"
                               "\"Chunks\":\"00000032000000000000003200000000\"";
    char *text = xasprintf("{\"VtagentDetails\":{},"
                           "\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\",\"VtagentDetails\":"
                           "{\"PlainBytes\":65537,\"StoredBytes\":100,\"PlainCrc32\":\"00000000\","
                           "%s}}]}",
                           good);
    manifest_free(parse(text));
    freep(&text);
    expect_index_refused("\"Chunks\":1", "is not a string");
    expect_index_refused("\"Chunks\":\"\"", "ChunkBytes");
    expect_index_refused("\"ChunkBytes\":65536,\"Chunks\":\"\"", "HeadBytes");
    expect_index_refused("\"ChunkBytes\":65535,\"HeadBytes\":0,\"Chunks\":\"\"", "impossible size");
    expect_index_refused("\"ChunkBytes\":99999999,\"HeadBytes\":0,\"Chunks\":\"\"",
                         "impossible size");
    expect_index_refused("\"ChunkBytes\":65536,\"HeadBytes\":65,\"Chunks\":\"\"", "head");
    expect_index_refused("\"ChunkBytes\":65536,\"HeadBytes\":0,\"Chunks\":\"\"", "file's size");
    expect_index_refused("\"ChunkBytes\":65536,\"HeadBytes\":0,\"Chunks\":\"0000003200000000\"",
                         "file's size");
    expect_index_refused("\"ChunkBytes\":65536,\"HeadBytes\":0,"
                         "\"Chunks\":\"000000320000000000000032000000\"",
                         "file's size");
    expect_index_refused("\"ChunkBytes\":65536,\"HeadBytes\":0,"
                         "\"Chunks\":\"0000003200000000000000320000000g\"",
                         "hexadecimal");
    expect_index_refused("\"ChunkBytes\":65536,\"HeadBytes\":1,"
                         "\"Chunks\":\"00000032000000000000003200000000\"",
                         "object's size");
    expect_index_refused("\"ChunkBytes\":65536,\"HeadBytes\":0,"
                         "\"Chunks\":\"00000001000000000000000100000000\"",
                         "object's size");
}
