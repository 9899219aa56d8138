#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "fixture.h"

static struct backup_directories server;
static struct storage *storage;
static char *name;
static struct manifest *manifest;

static void
open_backup(void)
{
    fixture_open();
    fixture_make_server("s", &server);
    storage = storage_memory_new();
    struct backup_take_options options = fixture_take_options();
    cr_assert_null(backup_take(storage, &server, &options, NULL, &name));
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, &manifest));
}

static void
close_backup(void)
{
    manifest_freep(&manifest);
    freep(&name);
    storage_freep(&storage);
    backup_directories_done(&server);
    fixture_close();
}

static struct error *
copy(void)
{
    struct restore_options options = {.concurrency = 2};
    cr_assert_null(restore_wipe(&server, NULL));
    return restore_copy(storage, manifest, &server, &options, NULL);
}

static struct buffer *
object(const char *object_name)
{
    return storage_memory_object(storage, "ks/-80", name, object_name);
}

Test(restore, wipe_empties_directories_and_keeps_what_is_not_data, .init = open_backup,
     .fini = close_backup)
{
    struct stat before, after;
    fixture_write("s/data/sub/dir/file", "x");
    fixture_write("s/bin-logs/other.txt", "x");
    cr_assert_eq(stat(server.data, &before), 0);
    cr_assert_null(restore_wipe(&server, NULL));
    cr_assert_eq(stat(server.data, &after), 0);
    cr_assert_eq(before.st_ino, after.st_ino);
    struct strv names = {.items = NULL};
    cr_assert_null(file_list(server.data, &names));
    cr_assert_eq(names.count, 0);
    cr_assert_null(file_list(server.innodb_log, &names));
    cr_assert_eq(names.count, 0);
    cr_assert_null(file_list(server.binary_log, &names));
    cr_assert_eq(names.count, 1);
    cr_assert_str_eq(names.items[0], "other.txt");
    strv_done(&names);
    char *relay = fixture_path("s/relay-logs/vt-relay.000001");
    cr_assert(!file_exists(relay));
    cr_assert(file_exists(server.mycnf));
    freep(&relay);
}

Test(restore, wipe_keeps_a_mycnf_inside_the_datadir, .init = open_backup, .fini = close_backup)
{
    fixture_write("s/data/etc/my.cnf", "[mysqld]");
    fixture_write("s/data/etc/other", "x");
    free(server.mycnf);
    server.mycnf = fixture_path("s/data/etc/my.cnf");
    cr_assert_null(restore_wipe(&server, NULL));
    char *text = fixture_read("s/data/etc/my.cnf");
    cr_assert_str_eq(text, "[mysqld]");
    cr_assert_null(fixture_read("s/data/etc/other"));
    freep(&text);
}

Test(restore, wipe_refuses_directories_that_are_no_data, .init = open_backup, .fini = close_backup)
{
    str_replace(&server.data, "/usr");
    fixture_expect(restore_wipe(&server, NULL), ERROR_FAILED_PRECONDITION, "'/usr'");
    str_replace(&server.data, "data");
    fixture_expect(restore_wipe(&server, NULL), ERROR_FAILED_PRECONDITION, "absolute");
}

Test(restore, check_finds_missing_and_short_objects, .init = open_backup, .fini = close_backup)
{
    cr_assert_null(restore_check(storage, manifest, &server, NULL));
    object("6")->length_bytes--;
    fixture_expect(restore_check(storage, manifest, &server, NULL), ERROR_DATA_LOSS,
                   "object '6' ('Data/vt_ks/big.ibd')");
    object("6")->length_bytes++;
    manifest_freep(&manifest);
    manifest = manifest_new();
    manifest_set_entry_count(manifest, 9);
    for (size_t i = 0; i < 9; i++) {
        manifest->entries[i] = (struct manifest_entry){
            .base = xstrdup("Data"), .name = xstrdup("a"), .hash = xstrdup("")};
    }
    str_replace(&manifest->keyspace, "ks");
    str_replace(&manifest->shard, "-80");
    str_replace(&manifest->backup_name, name);
    fixture_expect(restore_check(storage, manifest, &server, NULL), ERROR_DATA_LOSS,
                   "object '8' ('Data/a')");
}

Test(restore, check_wants_room_for_the_plain_bytes, .init = open_backup, .fini = close_backup)
{
    manifest->entries[2].plain_bytes = (uint64_t)1 << 60;
    fixture_expect(restore_check(storage, manifest, &server, NULL), ERROR_RESOURCE_EXHAUSTED,
                   "too small");
}

Test(restore, check_refuses_unknown_compression_unless_the_bytes_are_known, .init = open_backup,
     .fini = close_backup)
{
    str_replace(&manifest->compression_engine, "external");
    cr_assert_null(restore_check(storage, manifest, &server, NULL));
    object("0")->data[0] = 'X';
    fixture_expect(restore_check(storage, manifest, &server, NULL), ERROR_FAILED_PRECONDITION,
                   "external");
}

Test(restore, a_lying_engine_does_not_matter, .init = open_backup, .fini = close_backup)
{
    str_replace(&manifest->compression_engine, "lz4");
    cr_assert_null(copy());
    char *text = fixture_read("s/data/vt_ks/small.ibd");
    cr_assert_not_null(text);
    freep(&text);
}

Test(restore, a_wrong_bit_is_found_by_hash, .init = open_backup, .fini = close_backup)
{
    str_replace(&manifest->entries[6].hash, "00000001");
    fixture_expect(copy(), ERROR_DATA_LOSS, "restore 'Data/vt_ks/big.ibd' from object '6'");
}

Test(restore, a_wrong_bit_in_the_object_is_found, .init = open_backup, .fini = close_backup)
{
    struct buffer *stored = object("6");
    stored->data[stored->length_bytes / 3] ^= 4;
    fixture_expect(copy(), ERROR_DATA_LOSS, "object '6'");
}

Test(restore, a_hash_that_vitess_lost_is_not_missed, .init = open_backup, .fini = close_backup)
{
    for (size_t i = 0; i < manifest->entry_count; i++) {
        str_replace(&manifest->entries[i].hash, "");
        manifest->entries[i].has_details = false;
        manifest->entries[i].stored_bytes = 0;
    }
    cr_assert_null(copy());
    manifest->entries[6].has_details = true;
    manifest->entries[6].plain_bytes = 2999999;
    fixture_expect(copy(), ERROR_DATA_LOSS, "more than it should");
}

Test(restore, a_plain_checksum_is_checked_too, .init = open_backup, .fini = close_backup)
{
    manifest->entries[6].plain_crc32 ^= 1;
    fixture_expect(copy(), ERROR_DATA_LOSS, "the file's bytes");
}

Test(restore, an_upper_case_hash_is_the_same, .init = open_backup, .fini = close_backup)
{
    for (char *at = manifest->entries[0].hash; *at != '\0'; at++)
        *at = *at >= 'a' ? (char)(*at - 32) : *at;
    cr_assert_null(copy());
}

Test(restore, truncated_and_extended_objects_are_refused, .init = open_backup, .fini = close_backup)
{
    object("6")->length_bytes -= 9;
    str_replace(&manifest->entries[6].hash, "");
    manifest->entries[6].has_details = false;
    fixture_expect(copy(), ERROR_DATA_LOSS, "truncated");
    object("6")->length_bytes = 0;
    fixture_expect(copy(), ERROR_DATA_LOSS, "empty");
    buffer_append(object("0"), "garbage", 7);
    str_replace(&manifest->entries[0].hash, "");
    manifest->entries[0].has_details = false;
    fixture_expect(copy(), ERROR_DATA_LOSS, "");
}

Test(restore, a_cancel_ends_it, .init = open_backup, .fini = close_backup)
{
    struct cancel *cancel = cancel_new(INT64_MAX);
    struct restore_options options = {.concurrency = 2};
    cancel_request(cancel);
    fixture_expect(restore_copy(storage, manifest, &server, &options, cancel), ERROR_CANCELED, "");
    fixture_expect(restore_check(storage, manifest, &server, cancel), ERROR_CANCELED, "");
    cancel_unref(cancel);
}

Test(restore, names_are_checked_again, .init = open_backup, .fini = close_backup)
{
    str_replace(&manifest->entries[6].name, "../evil");
    fixture_expect(restore_check(storage, manifest, &server, NULL), ERROR_FAILED_PRECONDITION,
                   "evil");
    fixture_expect(copy(), ERROR_INVALID_ARGUMENT, "evil");
    str_replace(&manifest->entries[6].name, "a");
    str_replace(&manifest->entries[6].base, "BinLog");
    fixture_expect(restore_check(storage, manifest, &server, NULL), ERROR_FAILED_PRECONDITION,
                   "BinLog");
}

Test(restore, a_link_in_the_way_is_not_followed, .init = open_backup, .fini = close_backup)
{
    fixture_write("victim", "precious");
    char *victim = fixture_path("victim"), *link_path = fixture_path("s/data/mysql.ibd");
    struct restore_options options = {.concurrency = 1};
    cr_assert_null(restore_wipe(&server, NULL));
    cr_assert_eq(symlink(victim, link_path), 0);
    struct error *error = restore_copy(storage, manifest, &server, &options, NULL);
    cr_assert_not_null(error);
    error_free(error);
    char *text = fixture_read("victim");
    cr_assert_str_eq(text, "precious");
    freep(&text);
    freep(&victim);
    freep(&link_path);
}
