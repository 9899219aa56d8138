/* ApplySchema and PreflightSchema: scripts between two readings of the schema. Each script has a
 * connection of its own, so its session settings end with it. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/log.h"
#include "agent/handlers/message.h"
#include "agent/handlers/schema.h"
#include "agent/handlers/service.h"

#define PREFLIGHT "_vt_preflight"
#define DATABASE_PLACEHOLDER "{{.DatabaseName}}"

static struct error *
run_script(struct handler_call *call, const char *sql)
{
    CLEANUP(db_closep) struct db *db = NULL;
    TRY(db_open(&call->context->dba_params, call->cancel, &db));
    struct db_result **results = NULL;
    size_t count = 0;
    TRY(db_query_multi(db, call->cancel, DB_NO_LIMIT, sql, &results, &count));
    for (size_t i = 0; i < count; i++)
        db_result_free(results[i]);
    free(results);
    return NULL;
}

static struct error *
read_schema(struct handler_call *call, const char *database, bool schema_only,
            Tabletmanagerdata__SchemaDefinition **ret_schema)
{
    Tabletmanagerdata__GetSchemaRequest request = TABLETMANAGERDATA__GET_SCHEMA_REQUEST__INIT;
    request.include_views = true;
    request.table_schema_only = schema_only;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    return schema_read(dba.db, call->cancel, database, &request, ret_schema);
}

static char *
apply_script(struct handler_call *call, const Tabletmanagerdata__ApplySchemaRequest *in)
{
    CLEANUP(buffer_done) struct buffer sql = BUFFER_INIT;
    CLEANUP(freep) char *database = db_quote_name(call->context->identity->database);
    buffer_appendf(&sql, "USE %s;\n", database);
    if (in->disable_foreign_key_checks)
        buffer_append_text(&sql, "SET foreign_key_checks = 0;\n");
    if (!in->allow_replication)
        buffer_append_text(&sql, "SET sql_log_bin = 0;\n");
    if (!str_is_empty(in->sql_mode)) {
        CLEANUP(freep) char *mode = db_quote(in->sql_mode, strlen(in->sql_mode));
        buffer_appendf(&sql, "SET @@session.sql_mode = %s;\n", mode);
    }
    buffer_append_text(&sql, in->sql);
    return buffer_take(&sql);
}

static bool
schemas_differ(const char *name, const Tabletmanagerdata__SchemaDefinition *actual,
               const Tabletmanagerdata__SchemaDefinition *expected)
{
    CLEANUP(freep) char *text = schema_differences("actual", actual, "expected", expected);
    if (text[0] == '\0')
        return false;
    LOG_WARN("schema", "%s differs: %.2000s", name, text);
    return true;
}

/* *ret_is_done: somebody applied this change before. */
static struct error *
check_before(const Tabletmanagerdata__ApplySchemaRequest *in,
             const Tabletmanagerdata__SchemaDefinition *actual, bool *ret_is_done)
{
    *ret_is_done = false;
    if (in->before_schema == NULL || !schemas_differ("BeforeSchema", actual, in->before_schema))
        return NULL;
    if (in->after_schema != NULL && !schemas_differ("AfterSchema", actual, in->after_schema)) {
        *ret_is_done = true;
        return NULL;
    }
    return in->force ? NULL : error_new(ERROR_UNKNOWN, "BeforeSchema differs");
}

static struct error *
check_after(const Tabletmanagerdata__ApplySchemaRequest *in,
            const Tabletmanagerdata__SchemaDefinition *actual)
{
    if (in->after_schema == NULL || in->force ||
        !schemas_differ("AfterSchema", actual, in->after_schema))
        return NULL;
    return error_new(ERROR_UNKNOWN, "AfterSchema differs");
}

HANDLER(handle_apply_schema)
{
    const Tabletmanagerdata__ApplySchemaRequest *in = request;
    Tabletmanagerdata__ApplySchemaResponse *out = response;
    const char *database = call->context->identity->database;
    TRY(read_schema(call, database, false, &out->before_schema));
    bool is_done = false;
    TRY(check_before(in, out->before_schema, &is_done));
    if (!is_done) {
        CLEANUP(freep) char *sql = apply_script(call, in);
        TRY(run_script(call, sql));
    }
    TRY(read_schema(call, database, false, &out->after_schema));
    return check_after(in, out->after_schema);
}

static void
append_copies(const Tabletmanagerdata__SchemaDefinition *schema, const char *type,
              struct buffer *sql)
{
    for (size_t i = 0; i < schema->n_table_definitions; i++) {
        const Tabletmanagerdata__TableDefinition *table = schema->table_definitions[i];
        if (!str_equal(table->type, type) || str_is_empty(table->schema))
            continue;
        CLEANUP(freep)
        char *text =
            schema_replace_all(table->schema, DATABASE_PLACEHOLDER, "`" PREFLIGHT "`", SIZE_MAX);
        buffer_appendf(sql, "%s;\n", text);
    }
}

/* A copy of the database's shape beside it, invisible to replicas. */
static struct error *
make_copy(struct handler_call *call)
{
    Tabletmanagerdata__SchemaDefinition *schema = NULL;
    TRY(read_schema(call, call->context->identity->database, true, &schema));
    CLEANUP(buffer_done) struct buffer sql = BUFFER_INIT;
    buffer_append_text(&sql, "SET sql_log_bin = 0;\nDROP DATABASE IF EXISTS " PREFLIGHT
                             ";\nCREATE DATABASE " PREFLIGHT ";\nUSE " PREFLIGHT
                             ";\nSET foreign_key_checks = 0;\n");
    append_copies(schema, "BASE TABLE", &sql);
    append_copies(schema, "VIEW", &sql);
    tabletmanagerdata__schema_definition__free_unpacked(schema, NULL);
    return run_script(call, sql.data);
}

static struct error *
try_change(struct handler_call *call, const char *change,
           Tabletmanagerdata__SchemaChangeResult *result)
{
    TRY(read_schema(call, PREFLIGHT, false, &result->before_schema));
    CLEANUP(freep)
    char *sql = xasprintf("SET sql_log_bin = 0;\nUSE " PREFLIGHT ";\n%s", change);
    TRY(run_script(call, sql));
    return read_schema(call, PREFLIGHT, false, &result->after_schema);
}

static struct error *
try_changes(struct handler_call *call, const Tabletmanagerdata__PreflightSchemaRequest *in,
            Tabletmanagerdata__PreflightSchemaResponse *out)
{
    TRY(make_copy(call));
    for (size_t i = 0; i < in->n_changes; i++) {
        Tabletmanagerdata__SchemaChangeResult *result =
            message_new(&tabletmanagerdata__schema_change_result__descriptor);
        message_append(&out->n_change_results, &out->change_results, result);
        TRY(try_change(call, in->changes[i], result));
    }
    return NULL;
}

HANDLER(handle_preflight_schema)
{
    struct error *error = try_changes(call, request, response);
    struct error *cleanup =
        run_script(call, "SET sql_log_bin = 0;\nDROP DATABASE IF EXISTS " PREFLIGHT);
    return error_first(error, cleanup);
}
