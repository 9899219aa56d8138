#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/supervisor/init_sql.h"

static void
split(const char *text, struct init_sql_script *script)
{
    *script = (struct init_sql_script){.count = 0};
    cr_assert_null(init_sql_split(text, script));
}

Test(init_sql, nothing_reaches_the_binary_log)
{
    static const enum dialect_flavor flavors[] = {DIALECT_MYSQL, DIALECT_MARIADB};
    for (size_t i = 0; i < ARRAY_LENGTH(flavors); i++) {
        CLEANUP(freep) char *text = init_sql_text(flavors[i]);
        CLEANUP(init_sql_script_done) struct init_sql_script script;
        split(text, &script);
        cr_assert_str_eq(script.statements[0].text, "SET sql_log_bin = 0");
        cr_assert_null(strstr(text, "super_read_only"));
    }
}

Test(init_sql, all_accounts_of_vitess_are_made)
{
    static const char *const accounts[] = {
        "'vt_dba'@'localhost'",       "'vt_app'@'localhost'", "'vt_appdebug'@'localhost'",
        "'vt_allprivs'@'localhost'",  "'vt_repl'@'%'",        "'vt_filtered'@'localhost'",
        "'vt_monitoring'@'localhost'"};
    CLEANUP(freep) char *text = init_sql_text(DIALECT_MARIADB);
    for (size_t i = 0; i < ARRAY_LENGTH(accounts); i++) {
        CLEANUP(freep) char *statement = xasprintf("CREATE USER %s;", accounts[i]);
        cr_assert_not_null(strstr(text, statement));
    }
    cr_assert_not_null(strstr(text, "GRANT REPLICATION SLAVE ON *.* TO 'vt_repl'@'%'"));
    cr_assert_not_null(strstr(text, "DROP USER IF EXISTS ''@'localhost'"));
}

Test(init_sql, statements_know_their_lines)
{
    CLEANUP(init_sql_script_done) struct init_sql_script script;
    split("# comment; with semicolon\nSELECT 1;\n-- another;\n\nSELECT\n  2;SELECT 3", &script);
    cr_assert_eq(script.count, 3);
    cr_assert_str_eq(script.statements[0].text, "SELECT 1");
    cr_assert_eq(script.statements[0].line, 2);
    cr_assert_str_eq(script.statements[1].text, "SELECT\n  2");
    cr_assert_eq(script.statements[1].line, 5);
    cr_assert_str_eq(script.statements[2].text, "SELECT 3");
    cr_assert_eq(script.statements[2].line, 6);
}

Test(init_sql, quotes_hide_separators)
{
    CLEANUP(init_sql_script_done) struct init_sql_script script;
    split("SELECT 'a;\\'b', \"c;'\", `d;\\`; SELECT 'it''s; ok' ;", &script);
    cr_assert_eq(script.count, 2);
    cr_assert_str_eq(script.statements[0].text, "SELECT 'a;\\'b', \"c;'\", `d;\\`");
    cr_assert_str_eq(script.statements[1].text, "SELECT 'it''s; ok' ");
}

Test(init_sql, comments_are_dropped_but_executable_ones_stay)
{
    CLEANUP(init_sql_script_done) struct init_sql_script script;
    split("/* a; b */ SELECT 1 /*!80000 + 1; */;/*M! SET x=1 */;  /* end */ ;;", &script);
    cr_assert_eq(script.count, 2);
    cr_assert_str_eq(script.statements[0].text, "SELECT 1 /*!80000 + 1; */");
    cr_assert_str_eq(script.statements[1].text, "/*M! SET x=1 */");
}

Test(init_sql, delimiter_lines_are_obeyed)
{
    CLEANUP(init_sql_script_done) struct init_sql_script script;
    split("SELECT 0;\nDELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\ndelimiter ;\n"
          "SELECT 2-1;",
          &script);
    cr_assert_eq(script.count, 3);
    cr_assert_str_eq(script.statements[1].text, "CREATE PROCEDURE p() BEGIN SELECT 1; END");
    cr_assert_eq(script.statements[1].line, 3);
    cr_assert_str_eq(script.statements[2].text, "SELECT 2-1");
}

Test(init_sql, open_ends_are_refused_with_their_line)
{
    static const char *const broken[] = {"SELECT 1;\nSELECT 'x;", "SELECT 1;\n/* x;", "\n`",
                                         "\n\"\\"};
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        CLEANUP(init_sql_script_done) struct init_sql_script script = {.count = 0};
        CLEANUP(error_freep) struct error *error = init_sql_split(broken[i], &script);
        cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
        cr_assert_not_null(strstr(error->message, "line 2"));
        cr_assert_eq(script.count, 0);
    }
}

Test(init_sql, empty_scripts_have_no_statements)
{
    static const char *const empty[] = {"", "\n \n", ";", "-- only a comment", "/**/"};
    for (size_t i = 0; i < ARRAY_LENGTH(empty); i++) {
        CLEANUP(init_sql_script_done) struct init_sql_script script;
        split(empty[i], &script);
        cr_assert_eq(script.count, 0);
    }
}
