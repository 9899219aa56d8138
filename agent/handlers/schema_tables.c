/* SHOW CREATE TABLE and the fields of each table, a batch of tables per round trip. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/handlers/message.h"
#include "agent/handlers/result.h"
#include "agent/handlers/schema_private.h"

#define BATCH_TABLES 64
#define NO_SUCH_TABLE 1146

static size_t
results_per_table(const struct schema_reader *reader)
{
    return reader->request->table_schema_only ? 1 : 2;
}

static void
append_statements(const struct schema_reader *reader, const struct buffer *select_list,
                  const char *table, struct buffer *sql)
{
    CLEANUP(freep) char *name = db_quote_name(table);
    buffer_appendf(sql, "SHOW CREATE TABLE %s.%s;", reader->quoted_database, name);
    if (reader->request->table_schema_only)
        return;
    const char *columns = select_list->length_bytes == 0 ? "*" : select_list->data;
    buffer_appendf(sql, "SELECT %s FROM %s.%s WHERE 1 != 1;", columns, reader->quoted_database,
                   name);
}

static void
set_schema(const struct schema_reader *reader, const struct db_result *result,
           Tabletmanagerdata__TableDefinition *table)
{
    if (result->row_count == 0 || result->field_count < 2)
        return;
    char *text = schema_without_auto_increment(schema_cell_text(result, 0, 1));
    if (str_equal(table->type, "VIEW")) {
        char *replaced =
            schema_replace_all(text, reader->quoted_database, DATABASE_PLACEHOLDER, SIZE_MAX);
        free(text);
        text = replaced;
    }
    table->schema = message_text(text);
    free(text);
}

static void
set_fields(const struct db_result *result, Tabletmanagerdata__TableDefinition *table)
{
    result_fields(result, &table->n_fields, &table->fields);
    for (size_t i = 0; i < result->field_count; i++)
        message_append(&table->n_columns, &table->columns, message_text(result->fields[i].name));
}

static void
results_free(struct db_result **results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        db_result_free(results[i]);
    free(results);
}

static struct error *
read_batch(struct schema_reader *reader, const struct buffer *select_lists, size_t first,
           size_t count)
{
    Tabletmanagerdata__TableDefinition **tables = reader->schema->table_definitions + first;
    CLEANUP(buffer_done) struct buffer sql = BUFFER_INIT;
    for (size_t i = 0; i < count; i++)
        append_statements(reader, &select_lists[first + i], tables[i]->name, &sql);
    struct db_result **results = NULL;
    size_t result_count = 0, per_table = results_per_table(reader);
    TRY(db_query_multi(reader->db, reader->cancel, DB_NO_LIMIT, sql.data, &results, &result_count));
    for (size_t i = 0; i < count && (i + 1) * per_table <= result_count; i++) {
        set_schema(reader, results[i * per_table], tables[i]);
        if (per_table == 2)
            set_fields(results[i * per_table + 1], tables[i]);
    }
    results_free(results, result_count);
    return NULL;
}

/* One table of the batch is gone: each by itself, so that only that one stays empty. */
static struct error *
read_one_by_one(struct schema_reader *reader, const struct buffer *select_lists, size_t first,
                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error *error = read_batch(reader, select_lists, first + i, 1);
        if (error != NULL && error->mysql_errno != NO_SUCH_TABLE)
            return error_wrap(error, "table '%s'",
                              reader->schema->table_definitions[first + i]->name);
        error_free(error);
    }
    return NULL;
}

struct error *
schema_read_definitions(struct schema_reader *reader, const struct buffer *select_lists)
{
    size_t count = reader->schema->n_table_definitions;
    for (size_t first = 0; first < count; first += BATCH_TABLES) {
        size_t size = count - first < BATCH_TABLES ? count - first : BATCH_TABLES;
        struct error *error = read_batch(reader, select_lists, first, size);
        if (error == NULL)
            continue;
        if (error->mysql_errno == 0)
            return error;
        error_free(error);
        TRY(read_one_by_one(reader, select_lists, first, size));
    }
    return NULL;
}
