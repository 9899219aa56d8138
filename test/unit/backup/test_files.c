#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "backup/files.h"
#include "fixture.h"

static struct backup_directories directories;

static void
open_server(void)
{
    fixture_open();
    fixture_make_server("s", &directories);
}

static void
close_server(void)
{
    backup_directories_done(&directories);
    fixture_close();
}

/* "Base:name Base:name …" in the MANIFEST's order. */
static char *
selection(void)
{
    struct backup_files files;
    struct strv names = {.items = NULL};
    cr_assert_null(backup_files_select(&directories, &files));
    for (size_t i = 0; i < files.count; i++)
        strv_addf(&names, "%s:%s", files.items[i].base, files.items[i].name);
    for (size_t i = 0; i < files.empty_directories.count; i++)
        strv_addf(&names, "empty:%s", files.empty_directories.items[i]);
    char *text = strv_join(&names, " ");
    strv_done(&names);
    backup_files_done(&files);
    return text;
}

static void
expect_selection(const char *expected)
{
    char *text = selection();
    cr_assert_str_eq(text, expected);
    freep(&text);
}

Test(files, vitess_layout_with_redo_folder, .init = open_server, .fini = close_server)
{
    expect_selection("InnoDBData:ibdata1 InnoDBLog:#innodb_redo/#ib_redo1 Data:mysql.ibd "
                     "Data:undo_001 Data:mysql/general_log.CSV Data:mysql/general_log_1.sdi "
                     "Data:vt_ks/big.ibd Data:vt_ks/small.ibd empty:vt_empty");
}

Test(files, redo_files_in_reserve_are_left_out, .init = open_server, .fini = close_server)
{
    fixture_write("s/innodb/logs/#innodb_redo/#ib_redo2_tmp", "x");
    fixture_write("s/innodb/logs/#innodb_redo/#ib_redo3", "x");
    expect_selection("InnoDBData:ibdata1 InnoDBLog:#innodb_redo/#ib_redo1 "
                     "InnoDBLog:#innodb_redo/#ib_redo3 Data:mysql.ibd "
                     "Data:undo_001 Data:mysql/general_log.CSV Data:mysql/general_log_1.sdi "
                     "Data:vt_ks/big.ibd Data:vt_ks/small.ibd empty:vt_empty");
}

Test(files, what_is_no_regular_file_is_left_out, .init = open_server, .fini = close_server)
{
    static const char *const folders[] = {"s/data/vt_ks/.snapshot", "s/data/lost+found",
                                          "s/data/#innodb_temp", "s/innodb/data/lost+found"};
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        char *path = fixture_path(folders[i]);
        cr_assert_eq(mkdir(path, 0700), 0);
        freep(&path);
    }
    char *fifo = fixture_path("s/data/vt_ks/fifo.ibd");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    freep(&fifo);
    expect_selection("InnoDBData:ibdata1 InnoDBLog:#innodb_redo/#ib_redo1 Data:mysql.ibd "
                     "Data:undo_001 Data:mysql/general_log.CSV Data:mysql/general_log_1.sdi "
                     "Data:vt_ks/big.ibd Data:vt_ks/small.ibd empty:vt_empty");
}

Test(files, old_log_files_general_tablespaces_and_mariadb, .init = open_server,
     .fini = close_server)
{
    char *redo = fixture_path("s/innodb/logs/#innodb_redo");
    cr_assert_null(file_remove_tree(redo));
    freep(&redo);
    static const char *const more[] = {
        "s/innodb/logs/ib_logfile0", "s/data/aria_log_control", "s/data/aria_log.00000001",
        "s/data/shared.ibd",         "s/data/undo002",          "s/data/error.log",
        "s/data/other.ibu",          "s/data/vt_empty/db.opt",  "s/innodb/data/ib_buffer_pool",
        "s/data/notes/readme.txt",   "s/data/server.pid",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(more); i++)
        fixture_write(more[i], "x");
    expect_selection("InnoDBData:ib_buffer_pool InnoDBData:ibdata1 InnoDBLog:ib_logfile0 "
                     "Data:mysql.ibd Data:aria_log.00000001 Data:aria_log_control Data:other.ibu "
                     "Data:shared.ibd Data:undo002 Data:undo_001 Data:mysql/general_log.CSV "
                     "Data:mysql/general_log_1.sdi Data:vt_empty/db.opt Data:vt_ks/big.ibd "
                     "Data:vt_ks/small.ibd");
}

Test(files, one_directory_for_everything, .init = fixture_open, .fini = fixture_close)
{
    static const char *const all[] = {
        "d/ibdata1",           "d/system2",      "d/ib_logfile0",      "d/ibtmp1",
        "d/auto.cnf",          "d/bin.000001",   "d/aria_log_control", "d/ib_buffer_pool",
        "d/undo001",           "d/mysql/db.opt", "d/x_16384_0.dblwr",  "d/server-cert.pem",
        "d/multi-master.info",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        fixture_write(all[i], "x");
    char *text = xasprintf("[client]\ndatadir=/nowhere\n[mysqld]\n# datadir=/comment\n"
                           "loose-innodb_data_file_path = ibdata1:12M;system2:12M:autoextend\n"
                           "datadir = \"%s/d/\"  # ours\nlog_bin=bin\n[mysqldump]\ndatadir=/no\n",
                           fixture_folder);
    fixture_write("my.cnf", text);
    char *mycnf = fixture_path("my.cnf"), *data = fixture_path("d");
    cr_assert_null(backup_directories_read(mycnf, &directories));
    cr_assert_str_eq(directories.data, data);
    cr_assert_str_eq(directories.innodb_log, data);
    cr_assert_str_eq(directories.binary_log, data);
    expect_selection("InnoDBData:ib_buffer_pool InnoDBData:ibdata1 InnoDBData:system2 "
                     "InnoDBData:x_16384_0.dblwr InnoDBLog:ib_logfile0 Data:aria_log_control "
                     "Data:undo001 Data:mysql/db.opt");
    backup_directories_done(&directories);
    freep(&mycnf);
    freep(&data);
    freep(&text);
}

Test(files, missing_directories_and_settings_are_named, .init = open_server, .fini = close_server)
{
    struct backup_files files;
    char *logs = fixture_path("s/innodb/logs"), *mycnf = fixture_path("empty.cnf");
    cr_assert_null(file_remove_tree(logs));
    fixture_expect(backup_files_select(&directories, &files), ERROR_NOT_FOUND, logs);
    fixture_write("empty.cnf", "[mysqld]\nport = 3\n");
    struct backup_directories none;
    fixture_expect(backup_directories_read(mycnf, &none), ERROR_FAILED_PRECONDITION, "datadir");
    freep(&logs);
    freep(&mycnf);
}

Test(files, bases_have_their_directories, .init = open_server, .fini = close_server)
{
    cr_assert_str_eq(backup_directories_of_base(&directories, "Data"), directories.data);
    cr_assert_str_eq(backup_directories_of_base(&directories, "InnoDBData"),
                     directories.innodb_data);
    cr_assert_str_eq(backup_directories_of_base(&directories, "InnoDBLog"), directories.innodb_log);
    cr_assert(str_ends_with(backup_directories_of_base(&directories, "BinLog"), "/bin-logs"));
    cr_assert_null(backup_directories_of_base(&directories, "Root"));
}
