#include "agent/handlers/result.h"

#include <string.h>

#include "agent/handlers/message.h"

enum {
    FLAG_UNSIGNED = 32,
    FLAG_BINARY = 128,
    FLAG_ENUM = 256,
    FLAG_SET = 2048,
    FLAG_NUM = 32768,
};

static const struct {
    uint32_t mysql_type;
    Query__Type type;
} base_types[] = {
    {0, QUERY__TYPE__DECIMAL},    {1, QUERY__TYPE__INT8},       {2, QUERY__TYPE__INT16},
    {3, QUERY__TYPE__INT32},      {4, QUERY__TYPE__FLOAT32},    {5, QUERY__TYPE__FLOAT64},
    {6, QUERY__TYPE__NULL_TYPE},  {7, QUERY__TYPE__TIMESTAMP},  {8, QUERY__TYPE__INT64},
    {9, QUERY__TYPE__INT24},      {10, QUERY__TYPE__DATE},      {11, QUERY__TYPE__TIME},
    {12, QUERY__TYPE__DATETIME},  {13, QUERY__TYPE__YEAR},      {15, QUERY__TYPE__VARCHAR},
    {16, QUERY__TYPE__BIT},       {17, QUERY__TYPE__TIMESTAMP}, {18, QUERY__TYPE__DATETIME},
    {19, QUERY__TYPE__TIME},      {242, QUERY__TYPE__VECTOR},   {245, QUERY__TYPE__JSON},
    {246, QUERY__TYPE__DECIMAL},  {247, QUERY__TYPE__ENUM},     {248, QUERY__TYPE__SET},
    {249, QUERY__TYPE__TEXT},     {250, QUERY__TYPE__TEXT},     {251, QUERY__TYPE__TEXT},
    {252, QUERY__TYPE__TEXT},     {253, QUERY__TYPE__VARCHAR},  {254, QUERY__TYPE__CHAR},
    {255, QUERY__TYPE__GEOMETRY},
};

/* In order: the first row whose type and flag match replaces the type. */
static const struct {
    Query__Type type;
    uint32_t flag;
    Query__Type becomes;
} modified_types[] = {
    {QUERY__TYPE__INT8, FLAG_UNSIGNED, QUERY__TYPE__UINT8},
    {QUERY__TYPE__INT16, FLAG_UNSIGNED, QUERY__TYPE__UINT16},
    {QUERY__TYPE__INT24, FLAG_UNSIGNED, QUERY__TYPE__UINT24},
    {QUERY__TYPE__INT32, FLAG_UNSIGNED, QUERY__TYPE__UINT32},
    {QUERY__TYPE__INT64, FLAG_UNSIGNED, QUERY__TYPE__UINT64},
    {QUERY__TYPE__TEXT, FLAG_BINARY, QUERY__TYPE__BLOB},
    {QUERY__TYPE__VARCHAR, FLAG_BINARY, QUERY__TYPE__VARBINARY},
    {QUERY__TYPE__CHAR, FLAG_BINARY, QUERY__TYPE__BINARY},
    {QUERY__TYPE__CHAR, FLAG_ENUM, QUERY__TYPE__ENUM},
    {QUERY__TYPE__CHAR, FLAG_SET, QUERY__TYPE__SET},
};

Query__Type
result_type(uint32_t mysql_type, uint32_t flags)
{
    Query__Type type = QUERY__TYPE__NULL_TYPE;
    for (size_t i = 0; i < ARRAY_LENGTH(base_types); i++)
        if (base_types[i].mysql_type == mysql_type)
            type = base_types[i].type;
    for (size_t i = 0; i < ARRAY_LENGTH(modified_types); i++)
        if (modified_types[i].type == type && (flags & modified_types[i].flag) != 0)
            return modified_types[i].becomes;
    return type;
}

/* As libmysqlclient's IS_NUM: the server does not send the flag, clients add it. */
static bool
is_numeric(uint32_t mysql_type)
{
    return (mysql_type <= 9 && mysql_type != 7) || mysql_type == 13 || mysql_type == 246;
}

Query__Field *
result_field(const struct db_field *field)
{
    Query__Field *message = message_new(&query__field__descriptor);
    message->name = message_text(field->name);
    message->type = result_type(field->type, field->flags);
    message->table = message_text(field->table);
    message->org_table = message_text(field->org_table);
    message->database = message_text(field->database);
    message->org_name = message_text(field->org_name);
    message->column_length = field->column_length;
    message->charset = field->charset;
    message->decimals = field->decimals;
    message->flags = field->flags | (is_numeric(field->type) ? FLAG_NUM : 0);
    return message;
}

void
result_fields(const struct db_result *result, size_t *ret_count, Query__Field ***ret_fields)
{
    if (result->field_count == 0)
        return;
    *ret_count = result->field_count;
    *ret_fields = xcalloc(result->field_count, sizeof(**ret_fields));
    for (size_t i = 0; i < result->field_count; i++)
        (*ret_fields)[i] = result_field(&result->fields[i]);
}

static Query__Row *
result_row(const struct db_result *result, size_t row)
{
    Query__Row *message = message_new(&query__row__descriptor);
    const struct db_cell *cells = db_result_cell(result, row, 0);
    message->n_lengths = result->field_count;
    message->lengths = xcalloc(result->field_count, sizeof(*message->lengths));
    size_t total = 0;
    for (size_t i = 0; i < result->field_count; i++) {
        message->lengths[i] = cells[i].data == NULL ? -1 : (int64_t)cells[i].length_bytes;
        total += cells[i].data == NULL ? 0 : cells[i].length_bytes;
    }
    if (total == 0)
        return message;
    message->values.data = xmalloc(total);
    for (size_t i = 0; i < result->field_count; i++) {
        if (cells[i].data == NULL)
            continue;
        memcpy(message->values.data + message->values.len, cells[i].data, cells[i].length_bytes);
        message->values.len += cells[i].length_bytes;
    }
    return message;
}

Query__QueryResult *
result_message(const struct db_result *result)
{
    Query__QueryResult *message = message_new(&query__query_result__descriptor);
    result_fields(result, &message->n_fields, &message->fields);
    if (result->field_count == 0) {
        message->rows_affected = result->rows_affected;
        message->insert_id = result->insert_id;
        message->insert_id_changed = result->insert_id > 0;
        message->info = message_text(result->info);
        return message;
    }
    if (result->row_count == 0)
        return message;
    message->n_rows = result->row_count;
    message->rows = xcalloc(result->row_count, sizeof(*message->rows));
    for (size_t i = 0; i < result->row_count; i++)
        message->rows[i] = result_row(result, i);
    return message;
}
