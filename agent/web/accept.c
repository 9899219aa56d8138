#include "agent/web/accept.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"

#define MOST_WEIGHT 1000

static bool
has_name(const char *parameter, const char *name)
{
    return strncasecmp(parameter, name, strlen(name)) == 0;
}

/* One element: "text/plain;version=0.0.4;q=0.2". */
static int
weigh(const char *element, const char *type, const char *version)
{
    CLEANUP(strv_done) struct strv parts = {.items = NULL};
    strv_split(&parts, element, ';');
    if (parts.count == 0 || strcasecmp(parts.items[0], type) != 0)
        return -1;
    double weight = 1;
    for (size_t i = 1; i < parts.count; i++) {
        const char *part = parts.items[i];
        if (has_name(part, "q="))
            weight = strtod(part + strlen("q="), NULL);
        else if (version != NULL && has_name(part, "version=") &&
                 !str_equal(part + strlen("version="), version))
            return -1;
    }
    if (!(weight >= 0 && weight <= 1))
        return -1;
    return (int)(weight * MOST_WEIGHT);
}

int
accept_weight(const char *accept, const char *type, const char *version)
{
    CLEANUP(strv_done) struct strv elements = {.items = NULL};
    int best = -1;
    if (accept == NULL)
        return best;
    strv_split(&elements, accept, ',');
    for (size_t i = 0; i < elements.count; i++) {
        int weight = weigh(elements.items[i], type, version);
        best = weight > best ? weight : best;
    }
    return best;
}

static bool
query_has(const char *query, const char *pair)
{
    CLEANUP(strv_done) struct strv pairs = {.items = NULL};
    if (query != NULL)
        strv_split(&pairs, query, '&');
    return strv_contains(&pairs, pair);
}

bool
accept_wants_text(const char *accept, const char *query)
{
    int text = accept_weight(accept, "text/plain", NULL);
    return query_has(query, "format=text") ||
           (text > 0 && text > accept_weight(accept, "text/html", NULL));
}

bool
accept_wants_openmetrics(const char *accept)
{
    int open = accept_weight(accept, "application/openmetrics-text", "1.0.0");
    return open > 0 && open >= accept_weight(accept, "text/plain", NULL);
}
