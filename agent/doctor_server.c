#include "agent/doctor_server.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/mysql/db.h"

#define SERVER_MS 20000
#define MOST_ROWS 1000

struct server_subject {
    const struct config *config;
    int64_t newest_backup_ns;
    struct db *db; /* as vt_dba; NULL: not connected */
};

/* Without these the agent cannot do its work. */
static const char *const dba_rights[] = {"SUPER",  "RELOAD", "PROCESS", "REPLICATION SLAVE",
                                         "CREATE", "SELECT", "INSERT"};

static void
check_server(void *data, struct cancel *cancel, struct check_result *result)
{
    struct server_subject *subject = data;
    struct error *error = db_open(&subject->config->dba_params, cancel, &subject->db);
    if (error == NULL)
        check_ok(result, "'%s' can connect, version %s", subject->config->dba_params.user,
                 db_server_version(subject->db));
    else
        check_fail(result, error_wrap(error, "connect as '%s'", subject->config->dba_params.user),
                   "see --db-socket, --db-dba-user and --db-credentials-file; is mysqld up");
}

/* Global rights of an account "'name'@…"; where: a condition on it. */
static struct error *
read_rights(struct db *db, struct cancel *cancel, const char *where, struct strv *ret_rights)
{
    CLEANUP(freep)
    char *sql =
        xasprintf("SELECT privilege_type FROM information_schema.user_privileges WHERE %s", where);
    CLEANUP(db_result_freep) struct db_result *rows = NULL;
    TRY(db_query(db, cancel, MOST_ROWS, sql, &rows));
    for (size_t i = 0; i < rows->row_count; i++)
        strv_add(ret_rights, db_result_cell(rows, i, 0)->data);
    return NULL;
}

static void
check_dba(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct server_subject *subject = data;
    CLEANUP(strv_done) struct strv rights = {.items = NULL}, missing = {.items = NULL};
    struct error *error =
        read_rights(subject->db, cancel,
                    "grantee = CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', "
                    "QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))",
                    &rights);
    if (error != NULL) {
        check_fail(result, error, "");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(dba_rights); i++) {
        if (!strv_contains(&rights, dba_rights[i]))
            strv_add(&missing, dba_rights[i]);
    }
    CLEANUP(freep) char *names = strv_join(&missing, ", ");
    if (missing.count == 0)
        check_ok(result, "'%s' has the rights it needs", subject->config->dba_params.user);
    else
        check_fail(result,
                   error_new(ERROR_PERMISSION_DENIED, "'%s' lacks %s",
                             subject->config->dba_params.user, names),
                   "GRANT ALL ON *.* to it, WITH GRANT OPTION");
}

static void
check_app(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct server_subject *subject = data;
    const char *user = subject->config->app_params.user;
    CLEANUP(db_params_done) struct db_params params = {.socket = NULL};
    CLEANUP(db_closep) struct db *db = NULL;
    db_params_copy(&params, &subject->config->app_params);
    freep(&params.database); /* an empty server has none yet */
    struct error *error = db_open(&params, cancel, &db);
    if (error == NULL)
        check_ok(result, "'%s' can connect", user);
    else
        check_fail(result, error_wrap(error, "connect as '%s'", user),
                   "create the account, or set --db-app-user and --db-credentials-file");
}

static void
check_replication(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct server_subject *subject = data;
    const char *user = subject->config->repl_params.user;
    CLEANUP(strv_done) struct strv rights = {.items = NULL};
    CLEANUP(freep) char *name = db_quote(user, strlen(user));
    CLEANUP(freep)
    char *where = xasprintf("grantee LIKE CONCAT(QUOTE(%s), '@%%') "
                            "AND privilege_type = 'REPLICATION SLAVE'",
                            name);
    struct error *error = read_rights(subject->db, cancel, where, &rights);
    if (error != NULL)
        check_fail(result, error, "");
    else if (rights.count > 0)
        check_ok(result, "'%s' may replicate", user);
    else
        check_fail(
            result,
            error_new(ERROR_PERMISSION_DENIED, "'%s' may not replicate, or does not exist", user),
            "create it and GRANT REPLICATION SLAVE ON *.* to it");
}

/* ---- Binary logs ---- */

static struct error *
read_number(struct db *db, struct cancel *cancel, const char *sql, int64_t *ret_number)
{
    CLEANUP(freep) char *text = NULL;
    TRY(db_query_text(db, cancel, sql, &text));
    *ret_number = text == NULL ? 0 : strtoll(text, NULL, 10);
    return NULL;
}

static void
check_binary_log(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct server_subject *subject = data;
    int64_t is_on = 0;
    struct error *error = read_number(subject->db, cancel, "SELECT @@global.log_bin", &is_on);
    if (error != NULL)
        check_fail(result, error, "");
    else if (is_on != 0)
        check_ok(result, "it is written");
    else
        check_fail(result, error_new(ERROR_FAILED_PRECONDITION, "the binary log is off"),
                   "set log_bin in my.cnf: without it the server knows no position");
}

/* A server that is restored from the backup needs all that came after it. */
static void
judge_retention(int64_t kept_s, int64_t age_s, struct check_result *result)
{
    double kept_h = (double)kept_s / 3600, age_h = (double)age_s / 3600;
    if (kept_s == 0)
        check_ok(result, "binary logs are kept until somebody purges them");
    else if (age_s == 0)
        check_skip(result, "kept for %.1f h; there is no backup to compare with", kept_h);
    else if (age_s >= kept_s)
        check_fail(result,
                   error_new(ERROR_FAILED_PRECONDITION,
                             "binary logs are kept for %.1f h, the newest backup is %.1f h old: a "
                             "server restored from it may not find what came after",
                             kept_h, age_h),
                   "take a backup now, and raise binlog_expire_logs_seconds");
    else if (age_s >= kept_s / 2)
        check_warn(result, "take backups more often, or raise binlog_expire_logs_seconds",
                   "binary logs are kept for %.1f h, the newest backup is %.1f h old", kept_h,
                   age_h);
    else
        check_ok(result, "binary logs are kept for %.1f h, the newest backup is %.1f h old", kept_h,
                 age_h);
}

static void
check_retention(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct server_subject *subject = data;
    int64_t kept_s = 0, newest_ns = subject->newest_backup_ns;
    struct error *error =
        read_number(subject->db, cancel, "SELECT @@global.binlog_expire_logs_seconds", &kept_s);
    if (error == NULL)
        judge_retention(kept_s, newest_ns == 0 ? 0 : (clock_wall_ns() - newest_ns) / 1000000000 + 1,
                        result);
    else
        check_fail(result, error, "");
}

static const struct check rows[] = {
    {"server-connect", NULL, false, check_server},
    {"server-account-dba", "server-connect", false, check_dba},
    {"server-account-app", "server-connect", false, check_app},
    {"server-account-repl", "server-connect", false, check_replication},
    {"server-binlog", "server-connect", false, check_binary_log},
    {"server-binlog-retention", "server-binlog", false, check_retention},
};

void
doctor_examine_server(const struct config *config, int64_t newest_backup_ns, check_report report,
                      void *data)
{
    const struct check_table table = {rows, ARRAY_LENGTH(rows)};
    struct server_subject subject = {.config = config, .newest_backup_ns = newest_backup_ns};
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, SERVER_MS);
    check_run(&table, &subject, true, cancel, report, data);
    db_close(subject.db);
}
