#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/supervisor/image.h"

static char root[64];
static char *source, *staging;

static void
touch(const char *name)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", source, name);
    cr_assert_null(file_write_safely(path, "content", 7, 0640));
}

static void
set_up(void)
{
    memcpy(root, "/tmp/vtagent-image-XXXXXX", sizeof("/tmp/vtagent-image-XXXXXX"));
    cr_assert_not_null(mkdtemp(root));
    source = xasprintf("%s/data", root);
    staging = xasprintf("%s/image", root);
    CLEANUP(freep) char *database = xasprintf("%s/vt_ks", source);
    CLEANUP(freep) char *temporary = xasprintf("%s/#innodb_temp", source);
    cr_assert_null(file_make_directories(database, 0750));
    cr_assert_null(file_make_directories(temporary, 0750));
    touch("ibdata1");
    touch("ib_logfile0");
    touch("vt_ks/t.ibd");
    touch("ibtmp1");
    touch("host.pid");
    touch("#innodb_temp/temp_1.ibt");
}

static void
tear_down(void)
{
    freep(&source);
    freep(&staging);
    cr_assert_null(file_remove_tree(root));
}

static struct image_plan *
plan(struct image_root *ret_root)
{
    struct image_plan *made = NULL;
    *ret_root = (struct image_root){.source = source, .target = "data"};
    cr_assert_null(image_plan_new(ret_root, 1, staging, &made));
    return made;
}

static void
expect_changed(struct image_plan *take_plan)
{
    struct error *error = image_plan_share(take_plan);
    cr_assert(error_is(error, ERROR_ABORTED));
    error_free(error);
    image_plan_free(take_plan);
}

Test(image, a_plan_has_what_a_server_needs_with_its_modes, .init = set_up, .fini = tear_down)
{
    struct image_root images_root;
    struct image_plan *made = plan(&images_root);
    cr_assert_eq(image_plan_file_count(made), 3);
    cr_assert_eq(image_plan_bytes(made), 21);
    CLEANUP(freep) char *table = xasprintf("%s/data/vt_ks/t.ibd", staging);
    CLEANUP(freep) char *left_out = xasprintf("%s/data/ibtmp1", staging);
    struct stat status;
    cr_assert_eq(stat(table, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0640);
    cr_assert(!file_exists(left_out));
    image_plan_free(made);
}

Test(image, a_file_that_appears_or_vanishes_is_noticed, .init = set_up, .fini = tear_down)
{
    struct image_root images_root;
    struct image_plan *made = plan(&images_root);
    touch("vt_ks/new.ibd");
    expect_changed(made);
    cr_assert_null(file_remove_tree(staging));
    made = plan(&images_root);
    CLEANUP(freep) char *path = xasprintf("%s/vt_ks/new.ibd", source);
    cr_assert_null(file_remove(path));
    expect_changed(made);
}

/* A table that was rebuilt has its old name. */
Test(image, a_file_that_was_replaced_is_noticed, .init = set_up, .fini = tear_down)
{
    struct image_root images_root;
    struct image_plan *made = plan(&images_root);
    touch("vt_ks/t.ibd");
    expect_changed(made);
}

Test(image, a_staging_folder_must_be_new, .init = set_up, .fini = tear_down)
{
    struct image_root images_root = {.source = source, .target = "data"};
    struct image_plan *made = NULL;
    cr_assert_null(file_make_directories(staging, 0700));
    struct error *error = image_plan_new(&images_root, 1, staging, &made);
    cr_assert(error_is(error, ERROR_ALREADY_EXISTS));
    error_free(error);
}
