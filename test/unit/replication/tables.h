/* Server answers written down: builds a db_result from static text. */
#ifndef VTAGENT_TEST_TABLES_H
#define VTAGENT_TEST_TABLES_H

#include <stdlib.h>
#include <string.h>

#include "agent/mysql/db.h"

#define TABLE_MOST 64
struct table {
    struct db_field fields[TABLE_MOST];
    struct db_cell cells[TABLE_MOST];
    struct db_result result;
};

/* One row from name, value, name, value, ..., NULL. A value of "\1" is SQL NULL. */
static inline const struct db_result *
table_row(struct table *table, const char *const *pairs)
{
    memset(table, 0, sizeof(*table));
    size_t count = 0;
    for (; pairs[2 * count] != NULL; count++) {
        const char *value = pairs[2 * count + 1];
        table->fields[count].name = (char *)pairs[2 * count];
        if (strcmp(value, "\1") != 0)
            table->cells[count] = (struct db_cell){value, strlen(value)};
    }
    table->result = (struct db_result){
        .fields = table->fields, .field_count = count, .cells = table->cells, .row_count = 1};
    return &table->result;
}

/* Rows of (name, value), as SHOW VARIABLES gives them. */
static inline const struct db_result *
table_names(struct table *table, const char *const *pairs)
{
    memset(table, 0, sizeof(*table));
    size_t count = 0;
    for (; pairs[count] != NULL; count++)
        table->cells[count] = (struct db_cell){pairs[count], strlen(pairs[count])};
    table->fields[0].name = (char *)"Variable_name";
    table->fields[1].name = (char *)"Value";
    table->result = (struct db_result){
        .fields = table->fields, .field_count = 2, .cells = table->cells, .row_count = count / 2};
    return &table->result;
}

static inline const struct db_result *
table_empty(struct table *table)
{
    memset(table, 0, sizeof(*table));
    return &table->result;
}

#endif
