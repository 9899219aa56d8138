/* Query results to query.QueryResult. Source: tablet-manager-rpc 1.5. */
#ifndef VTAGENT_HANDLERS_RESULT_H
#define VTAGENT_HANDLERS_RESULT_H

#include "agent/mysql/db.h"
#include "query.pb-c.h"

/* Vitess's type of a column by the protocol's type byte and flags; unknown bytes: NULL_TYPE. */
Query__Type result_type(uint32_t mysql_type, uint32_t flags);
/* New messages, owned by the caller. */
Query__Field *result_field(const struct db_field *field);
void result_fields(const struct db_result *result, size_t *ret_count, Query__Field ***ret_fields);
Query__QueryResult *result_message(const struct db_result *result);

#endif
