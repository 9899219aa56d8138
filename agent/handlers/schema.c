/* Few large questions instead of several small ones per table: names, columns and keys come from
 * information_schema for the whole database, and what only SHOW and SELECT can tell is asked for a
 * batch of tables in one round trip. */
#include "agent/handlers/schema.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "agent/handlers/message.h"
#include "agent/handlers/schema_private.h"
#include "agent/handlers/table_filter.h"

#define NAMED_TABLES_MOST 64

static void
reader_done(struct schema_reader *reader)
{
    free(reader->quoted_database);
    free(reader->literal_database);
    if (reader->schema != NULL)
        tabletmanagerdata__schema_definition__free_unpacked(reader->schema, NULL);
}

const char *
schema_cell_text(const struct db_result *result, size_t row, size_t column)
{
    const struct db_cell *cell = db_result_cell(result, row, column);
    return cell->data == NULL ? "" : cell->data;
}

static struct error *
read_database(struct schema_reader *reader)
{
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_queryf(reader->db, reader->cancel, &result, "SHOW CREATE DATABASE IF NOT EXISTS %s",
                  reader->quoted_database));
    if (result->row_count == 0 || result->field_count < 2)
        return error_new(ERROR_UNKNOWN, "empty create database statement for %s",
                         reader->quoted_database);
    reader->schema->database_schema = schema_replace_all(
        schema_cell_text(result, 0, 1), reader->quoted_database, DATABASE_PLACEHOLDER, 1);
    return NULL;
}

static int
compare_names(const void *a, const void *b)
{
    const Tabletmanagerdata__TableDefinition *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static struct error *
list_tables(struct schema_reader *reader)
{
    const Tabletmanagerdata__GetSchemaRequest *request = reader->request;
    CLEANUP(table_filter_freep) struct table_filter *filter = NULL;
    TRY(table_filter_new(request->tables, request->n_tables, request->exclude_tables,
                         request->n_exclude_tables, &filter));
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_queryf(reader->db, reader->cancel, &result,
                  "SELECT table_name, table_type, data_length, table_rows FROM "
                  "information_schema.tables WHERE table_schema = %s%s",
                  reader->literal_database,
                  request->include_views ? "" : " AND table_type = 'BASE TABLE'"));
    Tabletmanagerdata__SchemaDefinition *schema = reader->schema;
    for (size_t i = 0; i < result->row_count; i++) {
        if (!table_filter_includes(filter, schema_cell_text(result, i, 0)))
            continue;
        Tabletmanagerdata__TableDefinition *table =
            message_new(&tabletmanagerdata__table_definition__descriptor);
        table->name = message_text(schema_cell_text(result, i, 0));
        table->type = message_text(schema_cell_text(result, i, 1));
        table->data_length = strtoull(schema_cell_text(result, i, 2), NULL, 10);
        table->row_count = strtoull(schema_cell_text(result, i, 3), NULL, 10);
        message_append(&schema->n_table_definitions, &schema->table_definitions, table);
    }
    if (schema->n_table_definitions > 0)
        qsort(schema->table_definitions, schema->n_table_definitions,
              sizeof(*schema->table_definitions), compare_names);
    return NULL;
}

/* The table's index in the sorted list, or -1. */
static ssize_t
find_table(const struct schema_reader *reader, const char *name)
{
    const Tabletmanagerdata__SchemaDefinition *schema = reader->schema;
    if (schema->n_table_definitions == 0)
        return -1;
    Tabletmanagerdata__TableDefinition key = {.name = (char *)name}, *key_pointer = &key;
    Tabletmanagerdata__TableDefinition **found =
        bsearch(&key_pointer, schema->table_definitions, schema->n_table_definitions,
                sizeof(*schema->table_definitions), compare_names);
    return found == NULL ? -1 : found - schema->table_definitions;
}

/* A handful of tables is named, so that the server need not open all the others. */
static char *
table_condition(const struct schema_reader *reader)
{
    size_t count = reader->schema->n_table_definitions;
    if (count > NAMED_TABLES_MOST)
        return xstrdup("");
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    for (size_t i = 0; i < count; i++) {
        const char *name = reader->schema->table_definitions[i]->name;
        CLEANUP(freep) char *literal = db_quote(name, strlen(name));
        buffer_appendf(&text, "%s%s", i == 0 ? " AND table_name IN (" : ", ", literal);
    }
    buffer_append_char(&text, ')');
    return buffer_take(&text);
}

static struct error *
read_keys(struct schema_reader *reader)
{
    CLEANUP(freep) char *condition = table_condition(reader);
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_queryf(reader->db, reader->cancel, &result,
                  "SELECT table_name, column_name FROM information_schema.statistics WHERE "
                  "table_schema = %s AND LOWER(index_name) = 'primary'%s ORDER BY table_name, "
                  "seq_in_index",
                  reader->literal_database, condition));
    for (size_t i = 0; i < result->row_count; i++) {
        ssize_t index = find_table(reader, schema_cell_text(result, i, 0));
        if (index < 0)
            continue;
        Tabletmanagerdata__TableDefinition *table = reader->schema->table_definitions[index];
        message_append(&table->n_primary_key_columns, &table->primary_key_columns,
                       message_text(schema_cell_text(result, i, 1)));
    }
    return NULL;
}

/* The select list of each table, from one ordered list of all columns. */
static struct error *
read_select_lists(struct schema_reader *reader, struct buffer *lists)
{
    CLEANUP(freep) char *condition = table_condition(reader);
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_queryf(reader->db, reader->cancel, &result,
                  "SELECT table_name, column_name FROM information_schema.columns WHERE "
                  "table_schema = %s%s ORDER BY table_name, ordinal_position",
                  reader->literal_database, condition));
    for (size_t i = 0; i < result->row_count; i++) {
        ssize_t index = find_table(reader, schema_cell_text(result, i, 0));
        if (index < 0 || str_is_empty(schema_cell_text(result, i, 1)))
            continue;
        CLEANUP(freep) char *name = db_quote_name(schema_cell_text(result, i, 1));
        buffer_appendf(&lists[index], "%s%s", lists[index].length_bytes == 0 ? "" : ", ", name);
    }
    return NULL;
}

static void
lists_free(struct buffer *lists, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_done(&lists[i]);
    free(lists);
}

static struct error *
read_tables(struct schema_reader *reader)
{
    size_t count = reader->schema->n_table_definitions;
    if (count == 0)
        return NULL;
    struct buffer *lists = xcalloc(count, sizeof(*lists));
    struct error *error = NULL;
    if (!reader->request->table_schema_only) {
        /* Columns tell the collation that results are sent in: the server's default. */
        error = db_execute(reader->db, reader->cancel, "SET NAMES utf8mb4");
        if (error == NULL)
            error = read_keys(reader);
        if (error == NULL)
            error = read_select_lists(reader, lists);
    }
    if (error == NULL)
        error = schema_read_definitions(reader, lists);
    lists_free(lists, count);
    return error;
}

struct error *
schema_read(struct db *db, struct cancel *cancel, const char *database,
            const Tabletmanagerdata__GetSchemaRequest *request,
            Tabletmanagerdata__SchemaDefinition **ret_schema)
{
    CLEANUP(reader_done)
    struct schema_reader reader = {
        .db = db,
        .cancel = cancel,
        .quoted_database = db_quote_name(database),
        .literal_database = db_quote(database, strlen(database)),
        .request = request,
        .schema = message_new(&tabletmanagerdata__schema_definition__descriptor),
    };
    TRY(read_database(&reader));
    TRY(list_tables(&reader));
    TRY(read_tables(&reader));
    *ret_schema = reader.schema;
    reader.schema = NULL;
    return NULL;
}
