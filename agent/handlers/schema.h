/* A database's schema as Vitess describes it. Blocking; worker threads. */
#ifndef VTAGENT_HANDLERS_SCHEMA_H
#define VTAGENT_HANDLERS_SCHEMA_H

#include "agent/mysql/db.h"
#include "tabletmanagerdata.pb-c.h"

/* Tables sorted by name; a thousand tables are a few dozen round trips. Text rules: the database's
 * own name is {{.DatabaseName}}, AUTO_INCREMENT=n is left out. A table that is dropped meanwhile
 * stays in the list without its schema. No such database: 1049. Caller frees *ret_schema. */
struct error *schema_read(struct db *db, struct cancel *cancel, const char *database,
                          const Tabletmanagerdata__GetSchemaRequest *request,
                          Tabletmanagerdata__SchemaDefinition **ret_schema) ERROR_MUST_CHECK;

/* What differs, one sentence a line; "" when nothing. Caller frees. */
char *schema_differences(const char *left_name, const Tabletmanagerdata__SchemaDefinition *left,
                         const char *right_name, const Tabletmanagerdata__SchemaDefinition *right);

/* For tests. Both free nothing and return heap texts. */
char *schema_without_auto_increment(const char *text);
char *schema_replace_all(const char *text, const char *from, const char *to, size_t most);

#endif
