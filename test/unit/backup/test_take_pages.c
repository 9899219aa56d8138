#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "fixture.h"

enum { PAGES = 20, SIZE = FIXTURE_PAGE_BYTES };

static struct backup_directories source;
static struct storage *storage;
static uint8_t pages[PAGES * SIZE];

static void
open_server(void)
{
    fixture_open();
    fixture_make_server("s", &source);
    storage = storage_memory_new();
    for (uint32_t i = 0; i < PAGES; i++)
        fixture_make_mysql_page(pages + i * SIZE, i, 0x4021);
    memset(pages + 17 * SIZE, 0, SIZE); /* not used yet */
}

static void
close_server(void)
{
    storage_freep(&storage);
    backup_directories_done(&source);
    fixture_close();
}

static void
put_file(const char *file, size_t size)
{
    char *path = fixture_path(file);
    cr_assert_null(file_write_safely(path, pages, size, 0660));
    freep(&path);
}

static struct error *
take(bool allows_corrupt_pages, uint64_t most_lsn, struct manifest **ret_manifest)
{
    struct backup_take_options options = fixture_take_options();
    options.chunk_bytes = 65536;
    options.allows_corrupt_pages = allows_corrupt_pages;
    options.most_lsn = most_lsn;
    char *name;
    TRY(backup_take(storage, &source, &options, NULL, &name));
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, ret_manifest));
    cr_assert_null(storage->interface->remove(storage, NULL, "ks/-80", name));
    freep(&name);
    return NULL;
}

static void
expect_good(void)
{
    struct manifest *manifest;
    struct error *error = take(false, 0, &manifest);
    if (error != NULL)
        fixture_expect(error, ERROR_OK, "");
    manifest_free(manifest);
}

static void
expect_bad(const char *text)
{
    struct manifest *manifest;
    fixture_expect(take(false, 0, &manifest), ERROR_DATA_LOSS, text);
}

Test(take_pages, a_bad_page_fails_the_backup_and_is_named, .init = open_server,
     .fini = close_server)
{
    put_file("s/data/vt_ks/t.ibd", sizeof(pages));
    expect_good();
    for (size_t i = 0; i < PAGES; i += 3) {
        char *text = xasprintf("back up 'Data/vt_ks/t.ibd': '%s/vt_ks/t.ibd' page %zu: "
                               "wrong checksum",
                               source.data, i);
        pages[i * SIZE + 777] ^= 2;
        put_file("s/data/vt_ks/t.ibd", sizeof(pages));
        expect_bad(text);
        pages[i * SIZE + 777] ^= 2;
        freep(&text);
    }
}

Test(take_pages, a_page_that_was_written_to_another_place_is_found, .init = open_server,
     .fini = close_server)
{
    memcpy(pages + 9 * SIZE, pages + 8 * SIZE, SIZE);
    put_file("s/data/undo_001", sizeof(pages));
    expect_bad("undo_001' page 9: wrong page number");
}

Test(take_pages, a_page_0_that_says_nothing_is_bad_when_others_are_pages, .init = open_server,
     .fini = close_server)
{
    memset(pages, 0, SIZE);
    put_file("s/data/mysql.ibd", sizeof(pages));
    expect_bad("mysql.ibd' page 0: wrong checksum");
    memset(pages, 'x', SIZE);
    put_file("s/data/mysql.ibd", sizeof(pages));
    expect_bad("mysql.ibd' page 0: wrong checksum");
}

Test(take_pages, short_tails_and_other_files_are_no_damage, .init = open_server,
     .fini = close_server)
{
    put_file("s/data/vt_ks/t.ibd", sizeof(pages) - 5000);
    expect_good();
    put_file("s/data/vt_ks/t.ibd", 70000);
    expect_good();
    pages[8 * SIZE + 777] ^= 2;
    put_file("s/data/vt_ks/t.MYD", sizeof(pages));
    put_file("s/innodb/data/#ib_16384_0.dblwr", sizeof(pages));
    expect_good();
}

Test(take_pages, an_lsn_beyond_the_redo_log_is_found, .init = open_server, .fini = close_server)
{
    struct manifest *manifest;
    put_file("s/data/vt_ks/t.ibd", sizeof(pages));
    cr_assert_null(take(false, 4711, &manifest));
    manifest_freep(&manifest);
    fixture_expect(take(false, 4710, &manifest), ERROR_DATA_LOSS, "LSN beyond the redo log");
}

Test(take_pages, bad_pages_are_kept_and_marked_when_allowed, .init = open_server,
     .fini = close_server)
{
    struct manifest *manifest;
    pages[3 * SIZE + 777] ^= 2;
    pages[12 * SIZE + 777] ^= 2;
    put_file("s/data/vt_ks/t.ibd", sizeof(pages));
    cr_assert_null(take(true, 0, &manifest));
    uint64_t all = 0;
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        all += entry->corrupt_pages;
        if (strcmp(entry->name, "vt_ks/t.ibd") == 0)
            cr_assert_eq(entry->corrupt_pages, 2);
    }
    cr_assert_eq(all, 2);
    manifest_free(manifest);
}

/* ibdata1 and ibdata2 are one tablespace: page numbers go on. */
Test(take_pages, later_files_of_the_system_tablespace_are_checked, .init = open_server,
     .fini = close_server)
{
    strv_done(&source.data_file_names);
    strv_add(&source.data_file_names, "ibdata1");
    strv_add(&source.data_file_names, "ibdata2");
    put_file("s/innodb/data/ibdata1", 8 * SIZE);
    char *path = fixture_path("s/innodb/data/ibdata2");
    cr_assert_null(file_write_safely(path, pages + 8 * SIZE, 8 * SIZE, 0660));
    expect_good();
    pages[13 * SIZE + 777] ^= 2;
    cr_assert_null(file_write_safely(path, pages + 8 * SIZE, 8 * SIZE, 0660));
    expect_bad("ibdata2' page 13: wrong checksum");
    freep(&path);
}
