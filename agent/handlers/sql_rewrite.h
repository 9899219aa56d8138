/* What has to be known about, or changed in, SQL that a caller wants run. Pure. */
#ifndef VTAGENT_HANDLERS_SQL_REWRITE_H
#define VTAGENT_HANDLERS_SQL_REWRITE_H

#include <stdbool.h>

/* Whether a comment directive "vt+ allowZeroInDate=true" is there. */
bool sql_allows_zero_in_date(const char *sql);
/* The qualifier `_vt`. or _vt. replaced by the sidecar database's name, outside of quotes and
 * comments; caller frees. */
char *sql_replace_sidecar(const char *sql, const char *sidecar);

#endif
