/* Which path shows what. */
#include "agent/web/pages.h"

#include "agent/base/memory.h"
#include "agent/web/accept.h"
#include "agent/web/status.h"

struct page
page_status(const struct pages_picture *picture, struct buffer *body)
{
    if (accept_wants_text(picture->accept, picture->query))
        return page_status_text(picture, body);
    return page_status_html(picture, body);
}

const struct page_row *
pages_find(const char *path)
{
    static const struct page_row rows[] = {
        {"/", page_status, true},
        {"/debug/status", page_status, true},
        {"/debug/state-machine", page_state_machine, false},
        {"/debug/vars", page_vars, false},
        {"/debug/health", page_debug_health, false},
        {"/debug/liveness", page_livez, false},
        {"/healthz", page_healthz, false},
        {"/livez", page_livez, false},
        {"/readyz", page_readyz, false},
        {"/startupz", page_startupz, false},
        {"/metrics", page_metrics, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (str_equal(rows[i].path, path))
            return &rows[i];
    }
    return NULL;
}
