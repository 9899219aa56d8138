/* What the files that read schemas share. */
#ifndef VTAGENT_HANDLERS_SCHEMA_PRIVATE_H
#define VTAGENT_HANDLERS_SCHEMA_PRIVATE_H

#include "agent/base/buffer.h"
#include "agent/handlers/schema.h"

#define DATABASE_PLACEHOLDER "{{.DatabaseName}}"

struct schema_reader {
    struct db *db;
    struct cancel *cancel;
    char *quoted_database, *literal_database;
    const Tabletmanagerdata__GetSchemaRequest *request;
    Tabletmanagerdata__SchemaDefinition *schema;
};
/* Fills schema, columns and fields of every table listed. select_lists: per table its quoted
 * columns, unused when only schemas are wanted. */
struct error *schema_read_definitions(struct schema_reader *reader,
                                      const struct buffer *select_lists) ERROR_MUST_CHECK;
/* SQL NULL gives "". */
const char *schema_cell_text(const struct db_result *result, size_t row, size_t column);

#endif
