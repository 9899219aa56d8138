/* Which tables a caller wants: names (case-insensitive) and, after a slash, regular expressions
 * that match anywhere ("/^user/"). */
#ifndef VTAGENT_HANDLERS_TABLE_FILTER_H
#define VTAGENT_HANDLERS_TABLE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/error.h"

struct table_filter;
/* Empty `tables`: all. Excluding wins. UNKNOWN "cannot compile regexp …" (POSIX extended). */
struct error *table_filter_new(char *const *tables, size_t table_count, char *const *excluded,
                               size_t excluded_count,
                               struct table_filter **ret_filter) ERROR_MUST_CHECK;
bool table_filter_includes(const struct table_filter *filter, const char *table);
void table_filter_free(struct table_filter *filter);
void table_filter_freep(struct table_filter **filter);

#endif
