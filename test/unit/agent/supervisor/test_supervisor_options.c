#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "agent/supervisor/supervisor_options.h"

static struct error *
parse(int argc, const char *const *argv, struct supervisor_options *options, struct strv *ignored)
{
    *options = (struct supervisor_options){.tablet_uid = 0};
    return supervisor_options_parse(argc, (char *const *)argv, options, ignored);
}

#define PARSE(options, ignored, ...)                                                               \
    parse((int)ARRAY_LENGTH(((const char *const[]){"mysqlctld", __VA_ARGS__})),                    \
          (const char *const[]){"mysqlctld", __VA_ARGS__, NULL}, options, ignored)

Test(supervisor_options, defaults_are_those_of_mysqlctld)
{
    CLEANUP(supervisor_options_done) struct supervisor_options options;
    CLEANUP(strv_done) struct strv ignored = {.items = NULL};
    cr_assert_null(PARSE(&options, &ignored, "--tablet-uid=100"));
    cr_assert_eq(options.tablet_uid, 100);
    cr_assert_eq(options.mysql_port, 3306);
    cr_assert_eq(options.wait_time_ms, 300000);
    cr_assert_eq(options.shutdown_wait_time_ms, 300000);
    cr_assert_eq(options.grpc_port, 0);
    cr_assert_str_eq(options.dba_user, "vt_dba");
    cr_assert_eq(ignored.count, 0);
}

Test(supervisor_options, flags_of_the_operator_are_taken)
{
    CLEANUP(supervisor_options_done) struct supervisor_options options;
    CLEANUP(strv_done) struct strv ignored = {.items = NULL};
    cr_assert_null(
        PARSE(&options, &ignored, "--logtostderr=true", "--tablet_uid=2914133912",
              "--socket_file=/vt/socket/mysqlctl.sock", "--mysql_socket=/vt/socket/mysql.sock",
              "--db_dba_user=vt_dba", "--db_charset=utf8mb4",
              "--init_db_sql_file=/vt/secrets/db-init-script/init_db.sql", "--wait_time=2h0m0s"));
    cr_assert_eq(options.tablet_uid, 2914133912);
    cr_assert_str_eq(options.socket_file, "/vt/socket/mysqlctl.sock");
    cr_assert_str_eq(options.mysql_socket, "/vt/socket/mysql.sock");
    cr_assert_eq(options.wait_time_ms, 2 * 3600 * 1000);
    cr_assert(strv_contains(&ignored, "logtostderr"));
    cr_assert(strv_contains(&ignored, "db-charset"));
}

Test(supervisor_options, flags_of_2018_are_taken)
{
    CLEANUP(supervisor_options_done) struct supervisor_options options;
    CLEANUP(strv_done) struct strv ignored = {.items = NULL};
    cr_assert_null(PARSE(&options, &ignored, "-log_dir", "/vt/tmp", "-alsologtostderr",
                         "-tablet_uid", "101", "-socket_file", "/vt/mysqlctl.sock",
                         "-db-config-dba-uname", "boss", "-db-config-dba-charset", "utf8",
                         "-init_db_sql_file", "/vt/config/init_db.sql"));
    cr_assert_eq(options.tablet_uid, 101);
    cr_assert_str_eq(options.dba_user, "boss");
    cr_assert_str_eq(options.init_db_sql_file, "/vt/config/init_db.sql");
}

Test(supervisor_options, mistakes_are_named)
{
    static const struct {
        const char *flag, *text;
    } cases[] = {{"--tablet-udi=1", "tablet-uid"},
                 {"--tablet-uid=0", "tablet-uid"},
                 {"--mysql-port=70000", "65535"},
                 {"--log-format=xml", "xml"},
                 {"--log-level=loud", "loud"},
                 {"--grpc-cert=x", "--grpc-key"},
                 {"--grpc-auth-mode=oidc", "oidc"},
                 {"--grpc-auth-mode=static", "--grpc-auth-static-password-file"},
                 {"word", "'word'"},
                 {"--tablet-uid=4294967296", "4294967295"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(supervisor_options_done) struct supervisor_options options;
        CLEANUP(strv_done) struct strv ignored = {.items = NULL};
        CLEANUP(error_freep) struct error *error = PARSE(&options, &ignored, cases[i].flag);
        cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
        cr_assert_not_null(strstr(error->message, cases[i].text));
    }
}

Test(supervisor_options, socket_names_have_a_limit)
{
    char flag[160] = "--socket-file=/";
    size_t length = strlen(flag);
    memset(flag + length, 'x', 107);
    flag[length + 107] = '\0';
    CLEANUP(supervisor_options_done) struct supervisor_options options;
    CLEANUP(strv_done) struct strv ignored = {.items = NULL};
    CLEANUP(error_freep) struct error *error = PARSE(&options, &ignored, flag);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
}

Test(supervisor_options, help_needs_no_valid_flags)
{
    CLEANUP(supervisor_options_done) struct supervisor_options options;
    CLEANUP(strv_done) struct strv ignored = {.items = NULL};
    cr_assert_null(PARSE(&options, &ignored, "--help", "--tablet-uid=0"));
    cr_assert(options.wants_help);
}
