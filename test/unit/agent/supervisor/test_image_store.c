#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/supervisor/image_store.h"

static char root[64];
static struct layout layout;

static void
set_up(void)
{
    memcpy(root, "/tmp/vtagent-images-XXXXXX", sizeof("/tmp/vtagent-images-XXXXXX"));
    cr_assert_not_null(mkdtemp(root));
    layout_init(&layout, root, 100, NULL, NULL, NULL);
    cr_assert_null(layout_create(&layout));
}

static void
tear_down(void)
{
    layout_done(&layout);
    cr_assert_null(file_remove_tree(root));
}

static void
make(const char *name)
{
    CLEANUP(freep)
    char *path = xasprintf("%s/" IMAGE_FOLDER_NAME "/%s/data", layout.directory, name);
    cr_assert_null(file_make_directories(path, 0700));
}

static bool
exists(const char *name)
{
    CLEANUP(freep) char *path = NULL;
    cr_assert_null(image_store_path(&layout, name, &path));
    return file_exists(path);
}

static void
refuse(const char *my_cnf_text, const char *part)
{
    struct image_places places;
    struct error *error = image_places_read(&layout, my_cnf_text, &places);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    cr_assert_not_null(strstr(error->message, part));
    error_free(error);
}

Test(image_store, places_are_those_of_the_layout, .init = set_up, .fini = tear_down)
{
    CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
    cr_assert_null(image_places_read(&layout, NULL, &places));
    cr_assert_eq(places.root_count, 3);
    cr_assert_str_eq(places.roots[0].target, "data");
    cr_assert_str_eq(places.roots[0].source, layout.data);
    cr_assert_str_eq(places.roots[2].target, "innodb/logs");
    cr_assert_str_eq(places.roots[2].source, layout.innodb_logs);
}

Test(image_store, one_folder_for_all_is_taken_once, .init = set_up, .fini = tear_down)
{
    CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
    cr_assert_null(image_places_read(
        &layout, "[mysqld]\ndatadir = /d/\ninnodb-log-group-home-dir=./\n", &places));
    cr_assert_eq(places.root_count, 1);
    cr_assert_str_eq(places.data, "/d");
    cr_assert_str_eq(places.innodb_logs, "/d");
}

Test(image_store, folders_in_each_other_are_refused, .init = set_up, .fini = tear_down)
{
    refuse("[mysqld]\ndatadir=/d\ninnodb_data_home_dir=/d/i\n", "lie in each other");
    refuse("[mysqld]\ndatadir=/d/x\ninnodb_data_home_dir=/d\n", "lie in each other");
    refuse("[mysqld]\ndatadir=/d\ninnodb_undo_directory=/u\n", "innodb_undo_directory");
}

Test(image_store, names_stay_in_the_folder, .init = set_up, .fini = tear_down)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/etc", ".hidden"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char *path = NULL;
        struct error *error = image_store_path(&layout, names[i], &path);
        cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
        error_free(error);
        error = image_store_drop(&layout, names[i]);
        cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
        error_free(error);
    }
}

Test(image_store, the_journal_names_the_image_that_stays, .init = set_up, .fini = tear_down)
{
    cr_assert_null(image_store_clean(&layout));
    make("2026-11-28.091011.zone1-0000000100");
    make("2026-11-28.091011.zone1-0000000100.unfinished");
    make("another");
    CLEANUP(freep) char *journal = xasprintf("%s/" IMAGE_JOURNAL_NAME, layout.directory);
    const char *text = "{\"kind\": \"backup\", \"image_name\": "
                       "\"2026-11-28.091011.zone1-0000000100\"}";
    cr_assert_null(file_write_safely(journal, text, strlen(text), 0600));
    cr_assert_null(image_store_clean(&layout));
    cr_assert(exists("2026-11-28.091011.zone1-0000000100"));
    cr_assert(!exists("2026-11-28.091011.zone1-0000000100.unfinished"));
    cr_assert(!exists("another"));
    cr_assert_null(file_remove(journal));
    cr_assert_null(image_store_clean(&layout));
    cr_assert(!exists("2026-11-28.091011.zone1-0000000100"));
    cr_assert_null(image_store_drop(&layout, "never-was"));
}

Test(image_store, journals_without_an_image_want_none)
{
    static const char *const texts[] = {
        "", "{", "[]", "{}", "null", "{\"image_name\": \"\"}", "{\"image_name\": 3}"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        cr_assert_null(image_store_wanted(texts[i]));
}

Test(image_store, an_empty_image_replaces_an_earlier_one, .init = set_up, .fini = tear_down)
{
    CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
    CLEANUP(freep) char *path = NULL;
    cr_assert_null(image_places_read(&layout, NULL, &places));
    make("scratch/data/old");
    cr_assert_null(image_store_make(&layout, &places, "scratch", &path));
    CLEANUP(freep) char *old = xasprintf("%s/data/old", path);
    CLEANUP(freep) char *logs = xasprintf("%s/innodb/logs", path);
    cr_assert(!file_exists(old));
    cr_assert(file_is_directory(logs));
    cr_assert_null(image_store_drop(&layout, "scratch"));
    cr_assert(!file_exists(path));
}
