#include "agent/supervisor/proof.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/mysql/db.h"
#include "agent/supervisor/death.h"
#include "agent/supervisor/mysqld.h"
#include "agent/supervisor/process.h"
#include "agent/supervisor/vacancy.h"
#include "replication/gtid.h"

#define RECOVERY_WAIT_MS (6 * 3600 * 1000)
#define SHUTDOWN_WAIT_MS (30 * 60 * 1000)
#define KILL_WAIT_MS 30000
#define CONNECT_TIMEOUT_MS 30000
#define CONFIG_MODE 0600
#define SPACE_LEAST_PERCENT 5
#define SPACE_LEAST_BYTES (1ull << 30)
#define SPACE_LOOK_TABLES 64

struct proof {
    const struct proof_request *request;
    struct cancel *cancel;
    char *path;
    struct layout layout; /* of the server on the image; borrows but for my_cnf */
    struct mysqld mysqld;
    struct db *db;
    int64_t table_count;
    char *position;
};

static struct error *
no_good(const char *what, const char *why)
{
    return error_new(ERROR_DATA_LOSS, "the image is no good: %s: %s", what, why);
}

/* ---- Starting and ending ---- */

static struct error *
prepare(struct proof *proof)
{
    const struct proof_request *request = proof->request;
    TRY(image_store_path(request->layout, request->image_name, &proof->path));
    if (!file_is_directory(proof->path))
        return error_new(ERROR_NOT_FOUND, "there is no image '%s'", request->image_name);
    proof->layout = *request->layout;
    proof->layout.my_cnf = xasprintf("%s/my.cnf", proof->path);
    mysqld_init(&proof->mysqld, &proof->layout, request->server, request->user, request->password);
    CLEANUP(freep) char *text = proof_config(request, proof->path);
    TRY(file_write_safely(proof->layout.my_cnf, text, strlen(text), CONFIG_MODE));
    mysqld_configure(&proof->mysqld, text);
    proof->mysqld.port = 0;
    return NULL;
}

static void
proof_done(struct proof *proof)
{
    db_close(proof->db);
    if (proof->mysqld.pid != 0) {
        error_free(process_kill_all(proof->layout.my_cnf, KILL_WAIT_MS));
        free(mysqld_bury(&proof->mysqld));
    }
    if (proof->mysqld.socket != NULL) {
        error_free(vacancy_clear_socket(proof->mysqld.socket, proof->mysqld.pid_file));
        free(proof->layout.my_cnf);
        mysqld_done(&proof->mysqld);
    }
    free(proof->path);
}

/* The first error that the server logged: what follows it are its consequences. Caller frees. */
static char *
first_logged_error(const struct proof *proof)
{
    CLEANUP(freep) char *log = death_log_since(proof->mysqld.error_log, proof->mysqld.log_offset);
    const char *mark = log == NULL ? NULL : strstr(log, "[ERROR]");
    return mark == NULL ? xstrdup("") : xstrndup(mark, strcspn(mark, "\n"));
}

static struct error *
start(struct proof *proof)
{
    TRY(mysqld_spawn(&proof->mysqld, NULL, 0));
    struct error *error = mysqld_wait_ready(&proof->mysqld, proof->cancel, RECOVERY_WAIT_MS);
    if (!error_is(error, ERROR_FAILED_PRECONDITION))
        return error;
    CLEANUP(freep) char *first = first_logged_error(proof);
    struct error *problem =
        no_good("its server does not start", first[0] != '\0' ? first : error->message);
    error_free(error);
    return problem;
}

static struct error *
connect_to_it(struct proof *proof)
{
    struct db_params params = {
        .socket = proof->mysqld.socket,
        .user = (char *)proof->request->user,
        .password = (char *)(proof->request->password != NULL ? proof->request->password : ""),
        .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    return error_wrap(db_open(&params, proof->cancel, &proof->db), "connect to the image's server");
}

static struct error *
end_cleanly(struct proof *proof)
{
    db_close(proof->db);
    proof->db = NULL;
    mysqld_terminate(&proof->mysqld);
    return error_wrap(mysqld_wait_stopped(&proof->mysqld, proof->cancel, SHUTDOWN_WAIT_MS),
                      "stop the image's server");
}

/* ---- What is looked at ---- */

/* Recovery and checks write into blocks that were shared. */
static struct error *
check_space(const struct proof *proof)
{
    uint64_t free_bytes, total_bytes;
    TRY(file_system_space(proof->path, &free_bytes, &total_bytes));
    if (free_bytes >= SPACE_LEAST_BYTES && free_bytes >= total_bytes / 100 * SPACE_LEAST_PERCENT)
        return NULL;
    return error_new(ERROR_RESOURCE_EXHAUSTED,
                     "the file system of the data runs full: %llu MB are free",
                     (unsigned long long)(free_bytes >> 20));
}

/* A statement that the image's server answers with an error, or dies of. */
static struct error *
judge(struct proof *proof, const char *table, struct error *take_error)
{
    if (take_error == NULL || cancel_is_requested(proof->cancel))
        return take_error;
    CLEANUP(freep) char *log = death_log_since(proof->mysqld.error_log, proof->mysqld.log_offset);
    CLEANUP(freep) char *line = death_telling_line(log, false);
    CLEANUP(freep)
    char *why = str_is_empty(line) ? xstrdup(take_error->message)
                                   : xasprintf("%s; the log says: %s", take_error->message, line);
    error_free(take_error);
    return no_good(table, why);
}

static struct error *
open_table(struct proof *proof, const char *name)
{
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    return judge(proof, name,
                 db_queryf(proof->db, proof->cancel, &result, "SELECT 1 FROM %s LIMIT 1", name));
}

static bool
is_bad_row(const struct db_result *result, size_t row)
{
    const char *type = db_result_text(result, row, "Msg_type");
    const char *text = db_result_text(result, row, "Msg_text");
    if (type == NULL || text == NULL)
        return false;
    if (strcasecmp(type, "error") == 0)
        return true;
    return strcasecmp(type, "status") == 0 && strcmp(text, "OK") != 0 &&
           strcmp(text, "Table is already up to date") != 0;
}

static struct error *
check_table(struct proof *proof, const char *name)
{
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(judge(proof, name, db_queryf(proof->db, proof->cancel, &result, "CHECK TABLE %s", name)));
    for (size_t i = 0; i < result->row_count; i++) {
        if (is_bad_row(result, i))
            return no_good(name, db_result_text(result, i, "Msg_text"));
    }
    return NULL;
}

static struct error *
look_at_table(struct proof *proof, const char *schema, const char *table)
{
    CLEANUP(freep) char *quoted_schema = db_quote_name(schema);
    CLEANUP(freep) char *quoted_table = db_quote_name(table);
    CLEANUP(freep) char *name = xasprintf("%s.%s", quoted_schema, quoted_table);
    if (proof->table_count++ % SPACE_LOOK_TABLES == 0)
        TRY(check_space(proof));
    TRY(open_table(proof, name));
    return proof->request->checks_tables ? check_table(proof, name) : NULL;
}

static struct error *
look_at_tables(struct proof *proof)
{
    CLEANUP(db_result_freep) struct db_result *tables = NULL;
    TRY(judge(proof, "the list of its tables",
              db_query(proof->db, proof->cancel, DB_NO_LIMIT,
                       "SELECT table_schema, table_name FROM information_schema.tables WHERE "
                       "table_type = 'BASE TABLE' AND table_schema NOT IN ('information_schema', "
                       "'performance_schema') AND engine IN ('InnoDB', 'Aria', 'MyISAM')",
                       &tables)));
    for (size_t i = 0; i < tables->row_count; i++)
        TRY(look_at_table(proof, db_result_cell(tables, i, 0)->data,
                          db_result_cell(tables, i, 1)->data));
    return NULL;
}

/* What was executed when the image was taken must be in it. MariaDB keeps what a primary wrote
 * itself only in the binary log, which is not in an image: there the replica's own set counts. */
static struct error *
check_position(struct proof *proof)
{
    CLEANUP(position_freep) struct position *wanted = NULL;
    CLEANUP(position_freep) struct position *found = NULL;
    CLEANUP(freep) char *text = NULL;
    bool is_mariadb = proof->request->server->flavor == DIALECT_MARIADB;
    TRY(position_parse(proof->request->position, &wanted));
    TRY(db_query_text(
        proof->db, proof->cancel,
        is_mariadb ? "SELECT @@global.gtid_slave_pos" : "SELECT @@global.gtid_executed", &text));
    TRY(position_parse_set(is_mariadb ? POSITION_MARIADB : POSITION_MYSQL56,
                           text != NULL ? text : "", &found));
    proof->position = is_mariadb ? xstrdup("") : position_text(found);
    if (position_is_empty(wanted) || position_contains(found, wanted))
        return NULL;
    CLEANUP(freep)
    char *why = xasprintf("it has '%s', which does not contain '%s'", text != NULL ? text : "",
                          proof->request->position);
    return no_good("its position", why);
}

static struct error *
run_all(struct proof *proof)
{
    TRY(prepare(proof));
    TRY(check_space(proof));
    TRY(start(proof));
    TRY(connect_to_it(proof));
    TRY(check_position(proof));
    TRY(look_at_tables(proof));
    return end_cleanly(proof);
}

struct error *
proof_run(const struct proof_request *request, struct cancel *cancel,
          struct proof_result *ret_result)
{
    struct proof proof = {.request = request, .cancel = cancel};
    int64_t start_ms = clock_monotonic_ms();
    struct error *error = run_all(&proof);
    *ret_result = (struct proof_result){.milliseconds = clock_monotonic_ms() - start_ms,
                                        .table_count = proof.table_count,
                                        .position = proof.position};
    proof_done(&proof);
    return error;
}

void
proof_result_done(struct proof_result *result)
{
    freep(&result->position);
}
