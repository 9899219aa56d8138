#include <criterion/criterion.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"

static char *folder;

static void
make_folder(void)
{
    folder = xstrdup("/tmp/vtagent-file-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void
drop_folder(void)
{
    cr_assert_null(file_remove_tree(folder));
    cr_assert(!file_exists(folder));
    freep(&folder);
}

Test(file, written_safely_is_read_back, .init = make_folder, .fini = drop_folder)
{
    char *path = xasprintf("%s/a", folder);
    cr_assert_null(file_write_safely(path, "one", 3, 0600));
    cr_assert_null(file_write_safely(path, "two", 3, 0600));
    struct buffer text = BUFFER_INIT;
    cr_assert_null(file_read(path, 100, &text));
    cr_assert_str_eq(buffer_text(&text), "two");
    struct strv names = {.items = NULL};
    cr_assert_null(file_list(folder, &names));
    cr_assert_eq(names.count, 1);
    strv_done(&names);
    buffer_done(&text);
    freep(&path);
}

Test(file, too_large_and_missing_are_named, .init = make_folder, .fini = drop_folder)
{
    char *path = xasprintf("%s/a", folder);
    struct buffer text = BUFFER_INIT;
    struct error *error = file_read(path, 100, &text);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    cr_assert_not_null(strstr(error->message, path));
    error_free(error);
    cr_assert_null(file_write_safely(path, "0123456789", 10, 0600));
    error = file_read(path, 9, &text);
    cr_assert(error_is(error, ERROR_RESOURCE_EXHAUSTED));
    error_free(error);
    buffer_done(&text);
    freep(&path);
}

Test(file, trees_are_made_and_removed_without_following_links, .init = make_folder,
     .fini = drop_folder)
{
    char *deep = xasprintf("%s/x/y/z", folder), *link = xasprintf("%s/x/out", folder);
    char *kept = xasprintf("%s/kept", folder), *top = xasprintf("%s/x", folder);
    cr_assert_null(file_make_directories(deep, 0700));
    cr_assert_null(file_make_directories(deep, 0700));
    cr_assert_null(file_write_safely(kept, "k", 1, 0600));
    cr_assert_eq(symlink(folder, link), 0);
    cr_assert_null(file_remove_tree(top));
    cr_assert(file_exists(kept));
    cr_assert_null(file_remove_tree(top));
    freep(&deep);
    freep(&link);
    freep(&kept);
    freep(&top);
}
