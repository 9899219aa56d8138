/* What a request asks for: the Accept header and the query. Pure; NULL counts as absent. */
#ifndef VTAGENT_WEB_ACCEPT_H
#define VTAGENT_WEB_ACCEPT_H

#include <stdbool.h>

/* How much a media type ("text/plain") is wanted, 0 to 1000, when it is named itself; -1: it is
 * not. `version`: a named type with another version= does not count; NULL: any. */
int accept_weight(const char *accept, const char *type, const char *version);
/* Plain text rather than HTML: ?format=text, or the header names it and wants it more. */
bool accept_wants_text(const char *accept, const char *query);
/* OpenMetrics 1.0.0 rather than Prometheus text. */
bool accept_wants_openmetrics(const char *accept);

#endif
