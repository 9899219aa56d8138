#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/supervisor/layout.h"

static char root[64];
static struct layout layout;

static void
set_up(void)
{
    memcpy(root, "/tmp/vtagent-layout-XXXXXX", sizeof("/tmp/vtagent-layout-XXXXXX"));
    cr_assert_not_null(mkdtemp(root));
    layout_init(&layout, root, 100, NULL, NULL, NULL);
}

static void
tear_down(void)
{
    layout_done(&layout);
    cr_assert_null(file_remove_tree(root));
}

static void
touch(const char *folder, const char *name)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", folder, name);
    cr_assert_null(file_write_safely(path, "x", 1, 0600));
}

Test(layout, names_are_those_of_vitess)
{
    CLEANUP(layout_done) struct layout usual;
    layout_init(&usual, "/vt", 100, NULL, NULL, NULL);
    cr_assert_str_eq(usual.directory, "/vt/vt_0000000100");
    cr_assert_str_eq(usual.socket, "/vt/vt_0000000100/mysql.sock");
    cr_assert_str_eq(usual.control_socket, "/vt/vt_0000000100/mysqlctl.sock");
    cr_assert_str_eq(usual.restore_marker, "/vt/vt_0000000100/restore_in_progress");
    cr_assert_str_eq(usual.initialise_marker, "/vt/vt_0000000100/initialise_in_progress");
}

Test(layout, places_can_be_chosen)
{
    CLEANUP(layout_done) struct layout below, elsewhere;
    layout_init(&below, "/vt", 4294967295u, "mine", "/s/mysql.sock", "/s/ctl.sock");
    cr_assert_str_eq(below.data, "/vt/mine/data");
    cr_assert_str_eq(below.socket, "/s/mysql.sock");
    cr_assert_str_eq(below.control_socket, "/s/ctl.sock");
    layout_init(&elsewhere, "/vt", 1, "/other/place", "", "");
    cr_assert_str_eq(elsewhere.bin_logs, "/other/place/bin-logs");
    cr_assert_str_eq(elsewhere.socket, "/other/place/mysql.sock");
}

Test(layout, create_makes_all_folders_and_again_is_fine, .init = set_up, .fini = tear_down)
{
    cr_assert_null(layout_create(&layout));
    cr_assert_null(layout_create(&layout));
    cr_assert(file_is_directory(layout.data));
    cr_assert(file_is_directory(layout.innodb_data));
    cr_assert(file_is_directory(layout.innodb_logs));
    cr_assert(file_is_directory(layout.bin_logs));
    cr_assert(file_is_directory(layout.relay_logs));
    cr_assert(file_is_directory(layout.tmp));
}

Test(layout, other_disks_are_linked, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep) char *disk = xasprintf("%s/bin-logs", root);
    CLEANUP(freep) char *target = xasprintf("%s/vt_0000000100", disk);
    cr_assert_null(file_make_directories(disk, 0755));
    cr_assert_null(layout_create(&layout));
    char link[256];
    ssize_t length = readlink(layout.bin_logs, link, sizeof(link) - 1);
    cr_assert_gt(length, 0);
    link[length] = '\0';
    cr_assert_str_eq(link, target);
    touch(target, "old");
    cr_assert_null(layout_wipe(&layout));
    cr_assert(file_is_directory(layout.bin_logs));
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    cr_assert_null(file_list(target, &names));
    cr_assert_eq(names.count, 0);
    struct stat status;
    cr_assert_eq(lstat(layout.bin_logs, &status), 0);
    cr_assert(S_ISLNK(status.st_mode));
}

Test(layout, inspect_tells_what_is_there, .init = set_up, .fini = tear_down)
{
    enum layout_data found;
    cr_assert_null(layout_create(&layout));
    CLEANUP(freep) char *lost = xasprintf("%s/lost+found", layout.data);
    cr_assert_null(file_make_directories(lost, 0700));
    cr_assert_null(layout_inspect(&layout, &found));
    cr_assert_eq(found, LAYOUT_DATA_EMPTY);
    touch(layout.data, "letter.txt");
    cr_assert_null(layout_inspect(&layout, &found));
    cr_assert_eq(found, LAYOUT_DATA_OTHER);
    CLEANUP(freep) char *system = xasprintf("%s/mysql", layout.data);
    cr_assert_null(file_make_directories(system, 0700));
    cr_assert_null(layout_inspect(&layout, &found));
    cr_assert_eq(found, LAYOUT_DATA_SERVER);
    cr_assert_null(layout_wipe(&layout));
    cr_assert_null(layout_inspect(&layout, &found));
    cr_assert_eq(found, LAYOUT_DATA_EMPTY);
}

Test(layout, a_file_in_the_way_is_named, .init = set_up, .fini = tear_down)
{
    touch(root, "vt_0000000100");
    CLEANUP(error_freep) struct error *error = layout_create(&layout);
    cr_assert_not_null(error);
    cr_assert_not_null(strstr(error->message, "vt_0000000100"));
}

Test(layout, folders_of_another_user_are_refused, .init = set_up, .fini = tear_down)
{
    cr_assert_null(layout_create(&layout));
    if (chown(layout.data, 12345, 12345) != 0) /* only root may */
        return;
    CLEANUP(error_freep) struct error *error = layout_create(&layout);
    cr_assert(error_is(error, ERROR_PERMISSION_DENIED));
    cr_assert_not_null(strstr(error->message, "12345"));
    cr_assert_not_null(strstr(error->message, "chown"));
}
