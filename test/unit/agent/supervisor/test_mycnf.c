#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/supervisor/mycnf.h"

static struct layout layout;
static struct server_binary server;

static void
set_up(void)
{
    layout_init(&layout, "/vt", 100, NULL, NULL, NULL);
    server = (struct server_binary){.path = NULL};
}

static void
tear_down(void)
{
    layout_done(&layout);
    server_binary_done(&server);
}

static char *
render_for(const char *version_line, const char *template, const char *extra)
{
    cr_assert_null(server_binary_parse(version_line, &server));
    struct mycnf_inputs inputs = {.layout = &layout,
                                  .server = &server,
                                  .server_id = 77,
                                  .port = 17100,
                                  .template = template,
                                  .extra = extra};
    char *text = NULL;
    cr_assert_null(mycnf_render(&inputs, &text));
    return text;
}

static void
assert_value(const char *text, const char *key, const char *expected)
{
    CLEANUP(freep) char *value = mycnf_value(text, key);
    if (expected == NULL)
        cr_assert_null(value);
    else
        cr_assert_str_eq(value, expected);
}

Test(mycnf, paths_are_those_of_vitess, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep) char *text = render_for("mysqld  Ver 8.4.6 for Linux", NULL, NULL);
    assert_value(text, "server-id", "77");
    assert_value(text, "port", "17100");
    assert_value(text, "datadir", "/vt/vt_0000000100/data");
    assert_value(text, "innodb-data-home-dir", "/vt/vt_0000000100/innodb/data");
    assert_value(text, "innodb-log-group-home-dir", "/vt/vt_0000000100/innodb/logs");
    assert_value(text, "socket", "/vt/vt_0000000100/mysql.sock");
    assert_value(text, "pid-file", "/vt/vt_0000000100/mysql.pid");
    assert_value(text, "log-error", "/vt/vt_0000000100/error.log");
    assert_value(text, "slow-query-log-file", "/vt/vt_0000000100/slow-query.log");
    assert_value(text, "log-bin", "/vt/vt_0000000100/bin-logs/vt-0000000100-bin");
    assert_value(text, "relay-log", "/vt/vt_0000000100/relay-logs/vt-0000000100-relay-bin");
    assert_value(text, "tmpdir", "/vt/vt_0000000100/tmp");
}

Test(mycnf, mysql_84_speaks_of_sources, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep) char *text = render_for("mysqld  Ver 8.4.6 for Linux", NULL, NULL);
    assert_value(text, "super-read-only", "");
    assert_value(text, "gtid_mode", "ON");
    assert_value(text, "skip-replica-start", "");
    assert_value(text, "mysql_native_password", "ON");
    assert_value(text, "loose_rpl_semi_sync_source_timeout", "1000000000000000000");
    assert_value(text, "binlog_format", NULL);
    assert_value(text, "plugin-load",
                 "rpl_semi_sync_source=semisync_source.so;rpl_semi_sync_replica="
                 "semisync_replica.so");
}

Test(mycnf, mysql_9_has_no_native_passwords, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep) char *text = render_for("mysqld  Ver 9.7.4-2 for Linux", NULL, NULL);
    assert_value(text, "mysql_native_password", NULL);
    assert_value(text, "super-read-only", "");
    assert_value(text, "mysqlx", "0");
}

Test(mycnf, early_mysql_80_speaks_of_masters, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep) char *text = render_for("mysqld  Ver 8.0.25 for Linux", NULL, NULL);
    assert_value(text, "skip-slave-start", "");
    assert_value(text, "skip-replica-start", NULL);
    assert_value(text, "binlog_format", "ROW");
    assert_value(text, "loose_rpl_semi_sync_master_wait_no_slave", "1");
}

Test(mycnf, mariadb_has_its_own_names, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep)
    char *text = render_for("mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian", NULL, NULL);
    assert_value(text, "gtid_strict_mode", "ON");
    assert_value(text, "read-only", "ON");
    assert_value(text, "super-read-only", NULL);
    assert_value(text, "gtid_mode", NULL);
    assert_value(text, "binlog_format", "ROW");
    assert_value(text, "log_slave_updates", "ON");
    assert_value(text, "rpl_semi_sync_master_wait_point", "AFTER_SYNC");
    assert_value(text, "plugin-load", NULL);
    assert_value(text, "mysqlx", NULL);
}

Test(mycnf, plugins_that_are_not_there_are_not_loaded, .init = set_up, .fini = tear_down)
{
    cr_assert_null(server_binary_parse("mysqld  Ver 8.4.6 for Linux", &server));
    struct mycnf_inputs inputs = {
        .layout = &layout, .server = &server, .server_id = 1, .plugin_folder = "/nonexistent"};
    CLEANUP(freep) char *text = NULL;
    cr_assert_null(mycnf_render(&inputs, &text));
    assert_value(text, "plugin-load", NULL);
}

Test(mycnf, extra_text_wins, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep)
    char *text = render_for("mysqld  Ver 8.4.6 for Linux", NULL,
                            "socket = /vt/socket/mysql.sock\n[mysql]\nport=1\n[mysqld]\nport = 5");
    assert_value(text, "socket", "/vt/socket/mysql.sock");
    assert_value(text, "port", "5");
    cr_assert_eq(text[strlen(text) - 1], '\n');
}

Test(mycnf, values_are_read_as_servers_do)
{
    static const char text[] = "[client]\nport = 9\n[mysqld]\n# port = 8\n port=3306 \n"
                               "skip-networking\nlog_bin =\n;socket=x\n";
    assert_value(text, "port", "3306");
    assert_value(text, "skip_networking", "");
    assert_value(text, "log-bin", "");
    assert_value(text, "socket", NULL);
}

Test(mycnf, template_places_are_filled, .init = set_up, .fini = tear_down)
{
    CLEANUP(freep)
    char *text = render_for("mysqld  Ver 8.4.6 for Linux",
                            "port = {{.MysqlPort}}\nserver-id = {{ .ServerID }}\n"
                            "{{if .SecureFilePriv}}secure-file-priv = {{.SecureFilePriv}}\n{{end}}"
                            "datadir = {{.DataDir}}\nlog-bin = {{.BinLogPath}}\n",
                            NULL);
    assert_value(text, "port", "17100");
    assert_value(text, "server-id", "77");
    assert_value(text, "secure-file-priv", "/vt/vt_0000000100/tmp");
    assert_value(text, "datadir", "/vt/vt_0000000100/data");
    assert_value(text, "log-bin", "/vt/vt_0000000100/bin-logs/vt-0000000100-bin");
    assert_value(text, "max_connections", NULL);
}

Test(mycnf, broken_templates_are_refused, .init = set_up, .fini = tear_down)
{
    static const char *const broken[] = {
        "{{.Nonsense}}", "{{if .DataDir}}x", "{{end}}", "{{", "{{range .DataDir}}{{end}}", "{{}}",
        "{{x}}"};
    struct mycnf_inputs inputs = {.layout = &layout, .server = &server};
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        char *text = NULL;
        CLEANUP(error_freep)
        struct error *error = mycnf_fill_template(broken[i], &inputs, &text);
        cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
        cr_assert_null(text);
    }
}

Test(mycnf, extra_files_are_read_in_order)
{
    char first[] = "/tmp/vtagent-mycnf-XXXXXX", second[] = "/tmp/vtagent-mycnf-XXXXXX";
    close(mkstemp(first));
    close(mkstemp(second));
    cr_assert_null(file_write_safely(first, "a=1", 3, 0600));
    cr_assert_null(file_write_safely(second, "a=2\n", 4, 0600));
    CLEANUP(freep) char *paths = xasprintf("%s:%s:", first, second);
    CLEANUP(freep) char *text = NULL;
    cr_assert_null(mycnf_read_extra(paths, &text));
    cr_assert_str_eq(text, "a=1\na=2\n\n");
    unlink(first);
    CLEANUP(freep) char *none = NULL;
    CLEANUP(error_freep) struct error *error = mycnf_read_extra(paths, &none);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    unlink(second);
}

Test(mycnf, server_ids_are_random_and_not_zero)
{
    uint32_t first = mycnf_random_server_id();
    bool differs = false;
    for (int i = 0; i < 8; i++) {
        uint32_t id = mycnf_random_server_id();
        cr_assert_neq(id, 0);
        differs = differs || id != first;
    }
    cr_assert(differs);
}
