/* Texts of schemas: normalising and comparing. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "agent/handlers/schema.h"

#define AUTO_INCREMENT " AUTO_INCREMENT="

char *
schema_without_auto_increment(const char *text)
{
    CLEANUP(buffer_done) struct buffer result = BUFFER_INIT;
    const char *at = text;
    for (const char *found = strstr(at, AUTO_INCREMENT); found != NULL;
         found = strstr(found, AUTO_INCREMENT)) {
        const char *digits = found + strlen(AUTO_INCREMENT);
        size_t count = strspn(digits, "0123456789");
        if (count > 0) {
            buffer_append(&result, at, (size_t)(found - at));
            at = digits + count;
        }
        found = digits + count;
    }
    buffer_append_text(&result, at);
    return buffer_take(&result);
}

char *
schema_replace_all(const char *text, const char *from, const char *to, size_t most)
{
    CLEANUP(buffer_done) struct buffer result = BUFFER_INIT;
    const char *at = text;
    const char *found = strstr(at, from);
    for (; found != NULL && most > 0; found = strstr(at, from), most--) {
        buffer_append(&result, at, (size_t)(found - at));
        buffer_append_text(&result, to);
        at = found + strlen(from);
    }
    buffer_append_text(&result, at);
    return buffer_take(&result);
}

static void
note_extra(struct buffer *notes, const char *side, const Tabletmanagerdata__TableDefinition *table)
{
    buffer_appendf(notes, "%s has an extra %s named %s\n", side,
                   str_equal(table->type, "VIEW") ? "view" : "table", table->name);
}

static void
note_difference(struct buffer *notes, const char *what, const char *table, const char *left,
                const char *right)
{
    if (!str_equal(left, right))
        buffer_appendf(notes, "%s of %s differs: %.1000s, %.1000s\n", what, table, left, right);
}

static void
compare_tables(struct buffer *notes, const char *left_name,
               const Tabletmanagerdata__SchemaDefinition *left, const char *right_name,
               const Tabletmanagerdata__SchemaDefinition *right)
{
    Tabletmanagerdata__TableDefinition *const *a = left->table_definitions;
    Tabletmanagerdata__TableDefinition *const *b = right->table_definitions;
    size_t i = 0, k = 0;
    while (i < left->n_table_definitions && k < right->n_table_definitions) {
        int order = strcmp(a[i]->name, b[k]->name);
        if (order < 0) {
            note_extra(notes, left_name, a[i++]);
        } else if (order > 0) {
            note_extra(notes, right_name, b[k++]);
        } else {
            note_difference(notes, "schema", a[i]->name, a[i]->schema, b[k]->schema);
            note_difference(notes, "type", a[i]->name, a[i]->type, b[k]->type);
            i++;
            k++;
        }
    }
    for (; i < left->n_table_definitions; i++)
        note_extra(notes, left_name, a[i]);
    for (; k < right->n_table_definitions; k++)
        note_extra(notes, right_name, b[k]);
}

char *
schema_differences(const char *left_name, const Tabletmanagerdata__SchemaDefinition *left,
                   const char *right_name, const Tabletmanagerdata__SchemaDefinition *right)
{
    CLEANUP(buffer_done) struct buffer notes = BUFFER_INIT;
    note_difference(&notes, "the definition", "the database", left->database_schema,
                    right->database_schema);
    compare_tables(&notes, left_name, left, right_name, right);
    return buffer_take(&notes);
}
