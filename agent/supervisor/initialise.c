#include "agent/supervisor/initialise.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/child.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/mysql/db.h"
#include "agent/supervisor/death.h"
#include "agent/supervisor/init_sql.h"
#include "agent/supervisor/mysqld.h"
#include "agent/supervisor/process.h"

#define KILL_WAIT_MS 30000
#define SERVER_WAIT_MS (10 * 60 * 1000)
#define OUTPUT_LIMIT_BYTES (64 * 1024)
#define SCRIPT_LIMIT_BYTES (16u << 20)
#define UNKNOWN_VARIABLE 1193

static struct error *
begin(const struct layout *layout)
{
    TRY(process_kill_all(layout->my_cnf, KILL_WAIT_MS));
    TRY(file_write_safely(layout->initialise_marker, "", 0, 0644));
    TRY(layout_wipe(layout));
    TRY(file_remove_tree(layout->initialise_directory));
    return file_make_directories(layout->initialise_directory, 0700);
}

static struct error *
end(const struct layout *layout)
{
    TRY(file_remove_tree(layout->initialise_directory));
    TRY(file_remove(layout->initialise_marker));
    return file_sync_directory(layout->directory);
}

static struct error *
run_tool(const struct layout *layout, const struct strv *argv, struct cancel *cancel)
{
    struct child_options options = child_options_default();
    options.argv = (const char *const *)argv->items;
    CLEANUP(buffer_done) struct buffer output = BUFFER_INIT;
    CLEANUP(buffer_done) struct buffer errors = BUFFER_INIT;
    struct child_status status;
    int64_t log_offset = death_log_size(layout->error_log);
    TRY(child_run(&options, NULL, OUTPUT_LIMIT_BYTES, cancel, &status, &output, &errors));
    if (!status.is_signaled && status.exit_code == 0)
        return NULL;
    CLEANUP(freep) char *how = child_status_text(&status);
    CLEANUP(freep) char *log = death_log_since(layout->error_log, log_offset);
    CLEANUP(freep) char *from_log = death_telling_line(log, false);
    CLEANUP(freep) char *from_errors = death_telling_line(buffer_text(&errors), true);
    return error_new(ERROR_FAILED_PRECONDITION, "'%s' %s: %s", argv->items[0], how,
                     from_log[0] != '\0' ? from_log : from_errors);
}

static struct error *
make_mysql_data(const struct layout *layout, const struct server_binary *server,
                struct cancel *cancel)
{
    CLEANUP(strv_done) struct strv argv = {.items = NULL};
    strv_add(&argv, server->path);
    strv_addf(&argv, "--defaults-file=%s", layout->my_cnf);
    strv_addf(&argv, "--basedir=%s", server->base_directory);
    if (server->plugin_directory != NULL)
        strv_addf(&argv, "--plugin-dir=%s", server->plugin_directory);
    strv_add(&argv, "--initialize-insecure");
    return run_tool(layout, &argv, cancel);
}

static struct error *
make_mariadb_data(const struct layout *layout, const struct server_binary *server,
                  struct cancel *cancel)
{
    CLEANUP(freep) char *tool = server_binary_tool(server, "mariadb-install-db");
    if (tool == NULL)
        tool = server_binary_tool(server, "mysql_install_db");
    if (tool == NULL)
        return error_new(ERROR_NOT_FOUND,
                         "mariadb-install-db is missing beside '%s': install the complete server",
                         server->path);
    CLEANUP(strv_done) struct strv argv = {.items = NULL};
    strv_add(&argv, tool);
    strv_addf(&argv, "--defaults-file=%s", layout->my_cnf);
    strv_addf(&argv, "--basedir=%s", server->base_directory);
    strv_add(&argv, "--auth-root-authentication-method=normal");
    strv_add(&argv, "--skip-test-db");
    strv_add(&argv, "--skip-name-resolve");
    strv_add(&argv, "--force");
    strv_add(&argv, "--cross-bootstrap"); /* no account for this machine's name */
    return run_tool(layout, &argv, cancel);
}

/* Scripts written for MySQL lift super_read_only, which MariaDB does not know and this server does
 * not have on. */
static bool
may_skip(const struct error *error, const char *statement, enum dialect_flavor flavor)
{
    return flavor == DIALECT_MARIADB && error->mysql_errno == UNKNOWN_VARIABLE &&
           strstr(statement, "super_read_only") != NULL;
}

static struct error *
run_statements(struct db *db, const struct init_sql_script *script, const char *name,
               enum dialect_flavor flavor, struct cancel *cancel)
{
    for (size_t i = 0; i < script->count; i++) {
        const struct init_sql_statement *statement = &script->statements[i];
        struct error *error = db_execute(db, cancel, statement->text);
        if (error != NULL && may_skip(error, statement->text, flavor)) {
            LOG_INFO("initialise", "%s line %zu: left out, MariaDB has no super_read_only", name,
                     statement->line);
            error_freep(&error);
        }
        if (error != NULL)
            return error_wrap(error, "%s line %zu", name, statement->line);
    }
    return NULL;
}

/* The script to run: the given file's or our own. */
static struct error *
load_script(const char *script_file, enum dialect_flavor flavor, struct init_sql_script *script)
{
    if (str_is_empty(script_file)) {
        CLEANUP(freep) char *text = init_sql_text(flavor);
        return init_sql_split(text, script);
    }
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read(script_file, SCRIPT_LIMIT_BYTES, &text));
    return error_wrap(init_sql_split(buffer_text(&text), script), "'%s'", script_file);
}

static struct error *
run_script(const struct mysqld *mysqld, const char *script_file, struct cancel *cancel)
{
    CLEANUP(init_sql_script_done) struct init_sql_script script = {.count = 0};
    TRY(load_script(script_file, mysqld->server->flavor, &script));
    struct db_params params = {
        .socket = mysqld->socket, .user = (char *)"root", .password = (char *)""};
    params.connect_timeout_ms = 30000;
    CLEANUP(db_closep) struct db *db = NULL;
    TRY(db_open(&params, cancel, &db));
    TRY(db_execute(db, cancel, "SET sql_log_bin = 0"));
    CLEANUP(freep)
    char *name =
        str_is_empty(script_file) ? xstrdup("built-in script") : xasprintf("'%s'", script_file);
    return run_statements(db, &script, name, mysqld->server->flavor, cancel);
}

static void
end_forcibly(struct mysqld *mysqld)
{
    if (mysqld->pid == 0)
        return;
    error_free(process_kill_all(mysqld->layout->my_cnf, KILL_WAIT_MS));
    free(mysqld_bury(mysqld));
}

static struct error *
run_private_server(struct mysqld *mysqld, const char *script_file, struct cancel *cancel)
{
    CLEANUP(strv_done) struct strv arguments = {.items = NULL};
    strv_add(&arguments, "--skip-networking");
    strv_add(&arguments, "--read-only=OFF");
    if (mysqld->server->flavor == DIALECT_MYSQL)
        strv_add(&arguments, "--super-read-only=OFF");
    strv_addf(&arguments, "--socket=%s", mysqld->socket);
    strv_addf(&arguments, "--pid-file=%s", mysqld->pid_file);
    TRY(mysqld_spawn(mysqld, arguments.items, arguments.count));
    TRY(mysqld_wait_ready(mysqld, cancel, SERVER_WAIT_MS));
    TRY(run_script(mysqld, script_file, cancel));
    mysqld_terminate(mysqld);
    return mysqld_wait_stopped(mysqld, cancel, SERVER_WAIT_MS);
}

static struct error *
set_up(const struct layout *layout, const struct server_binary *server, const char *script_file,
       struct cancel *cancel)
{
    struct mysqld mysqld;
    mysqld_init(&mysqld, layout, server, "root", "");
    free(mysqld.socket);
    free(mysqld.pid_file);
    mysqld.socket = xasprintf("%s/s", layout->initialise_directory);
    mysqld.pid_file = xasprintf("%s/pid", layout->initialise_directory);
    struct error *error = run_private_server(&mysqld, script_file, cancel);
    end_forcibly(&mysqld);
    mysqld_done(&mysqld);
    return error;
}

struct error *
initialise_data(const struct layout *layout, const struct server_binary *server,
                const char *script_file, struct cancel *cancel)
{
    TRY(begin(layout));
    struct error *error = server->flavor == DIALECT_MARIADB
                              ? make_mariadb_data(layout, server, cancel)
                              : make_mysql_data(layout, server, cancel);
    if (error != NULL)
        return error_wrap(error, "initialise '%s'", layout->data);
    TRY(set_up(layout, server, script_file, cancel));
    return end(layout);
}
