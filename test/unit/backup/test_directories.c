#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "backup/backup.h"

static struct backup_directories
directories_of(const char *text)
{
    char path[] = "/tmp/vtagent-mycnf-XXXXXX";
    int descriptor = mkstemp(path);
    struct backup_directories found = {.data = NULL};
    cr_assert(descriptor >= 0);
    cr_assert_null(file_write_all(descriptor, text, strlen(text), path));
    closep(&descriptor);
    cr_assert_null(backup_directories_read(path, &found));
    cr_assert_null(file_remove(path));
    return found;
}

Test(directories, an_image_has_the_same_shape)
{
    struct backup_directories found =
        directories_of("[mysqld]\ndatadir=/d/data\ninnodb-data-home-dir=/d/innodb/data\n"
                       "innodb_log_group_home_dir=/d/innodb/logs\nlog-bin=/d/bin-logs/b\n");
    backup_directories_use_image(&found, "/i");
    cr_assert_str_eq(found.data, "/i/data");
    cr_assert_str_eq(found.innodb_data, "/i/innodb/data");
    cr_assert_str_eq(found.innodb_log, "/i/innodb/logs");
    cr_assert_str_eq(found.log_bin, "/d/bin-logs/b");
    cr_assert_str_eq(found.binary_log, "/d/bin-logs");
    backup_directories_done(&found);
}

Test(directories, folders_that_are_one_stay_one_in_an_image)
{
    struct backup_directories found =
        directories_of("[mysqld]\ndatadir=/d\nlog-bin=b\nrelay_log=/dx/r\n");
    backup_directories_use_image(&found, "/i");
    cr_assert_str_eq(found.data, "/i/data");
    cr_assert_str_eq(found.innodb_data, "/i/data");
    cr_assert_str_eq(found.innodb_log, "/i/data");
    cr_assert_str_eq(found.log_bin, "/i/data/b");
    cr_assert_str_eq(found.binary_log, "/i/data");
    cr_assert_str_eq(found.relay_log, "/dx/r");
    backup_directories_done(&found);
}

Test(directories, undo_tablespaces_elsewhere_are_refused)
{
    static const char *const good[] = {"[mysqld]\ndatadir=/d/data\n",
                                       "[mysqld]\ndatadir=/d/data\ninnodb_undo_directory=./\n",
                                       "[mysqld]\ndatadir=/d/data\ninnodb-data-home-dir=/d/i\n"
                                       "innodb-undo-directory = /d/i/\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct backup_directories found = directories_of(good[i]);
        cr_assert_null(backup_directories_check(&found));
        backup_directories_done(&found);
    }
    struct backup_directories apart =
        directories_of("[mysqld]\ndatadir=/d/data\nloose-innodb-undo-directory=/fast/undo\n");
    struct error *error = backup_directories_check(&apart);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    cr_assert_not_null(strstr(error->message, "/fast/undo"));
    error_free(error);
    backup_directories_done(&apart);
}
