#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/supervisor/mycnf.h"
#include "agent/supervisor/proof.h"

static void
expect(const char *text, const char *key, const char *value)
{
    CLEANUP(freep) char *found = mycnf_value(text, key);
    cr_assert_not_null(found);
    cr_assert_str_eq(found, value);
}

static char *
config_of(const char *my_cnf_text)
{
    CLEANUP(layout_done) struct layout layout;
    layout_init(&layout, "/vt", 100, NULL, NULL, NULL);
    const struct proof_request request = {.layout = &layout, .my_cnf_text = my_cnf_text};
    return proof_config(&request, "/vt/vt_0000000100/vtagent_image/i");
}

Test(proof_config, the_tablets_own_settings_are_kept_and_its_files_are_not_touched)
{
    CLEANUP(freep)
    char *text = config_of("[mysqld]\ninnodb_page_size = 4096\nlog-bin = /b/x\nport = 3306\n"
                           "datadir = /d\ninnodb_log_group_home_dir = /l\nsocket = /d/s\n"
                           "innodb_buffer_pool_size = 100G\nlower_case_table_names = 1");
    expect(text, "innodb_page_size", "4096");
    expect(text, "lower_case_table_names", "1");
    expect(text, "datadir", "/vt/vt_0000000100/vtagent_image/i/data");
    expect(text, "innodb_data_home_dir", "/vt/vt_0000000100/vtagent_image/i/data");
    expect(text, "innodb_log_group_home_dir", "/vt/vt_0000000100/vtagent_image/i/innodb/logs");
    expect(text, "loose_innodb_undo_directory", "/vt/vt_0000000100/vtagent_image/i/data");
    expect(text, "socket", "/vt/vt_0000000100/proof.sock");
    expect(text, "innodb_buffer_pool_size", "64M");
    expect(text, "innodb_fast_shutdown", "1");
    expect(text, "skip-networking", "");
    cr_assert_not_null(strstr(strstr(text, "log-bin = /b/x"), "\nskip-log-bin\n"));
}

Test(proof_config, what_would_write_or_need_the_servers_memory_is_left_out)
{
    CLEANUP(freep)
    char *text = config_of("[mysqld]\ninit_file=/x.sql\n  large-pages\nmemlock = 1\ndatadir=/d\n");
    cr_assert_null(strstr(text, "x.sql"));
    cr_assert_null(strstr(text, "large-pages"));
    cr_assert_null(strstr(text, "memlock"));
    cr_assert_not_null(strstr(text, "datadir=/d"));
}
