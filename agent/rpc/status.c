#include "agent/rpc/status.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"

static const char TABLET_MANAGER[] = "/tabletmanagerservice.TabletManager/";

static void
cut_between_characters(char *text, size_t limit_bytes)
{
    if (strlen(text) <= limit_bytes)
        return;
    size_t end = limit_bytes;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    text[end] = '\0';
}

char *
status_text(const char *path, const char *alias, const char *detail)
{
    char *text;
    if (alias != NULL && str_starts_with(path, TABLET_MANAGER))
        text =
            xasprintf("TabletManager.%s on %s: %s", path + strlen(TABLET_MANAGER), alias, detail);
    else
        text = xstrdup(detail);
    cut_between_characters(text, STATUS_TEXT_BYTES);
    return text;
}

void
status_parse_errno(struct error *error)
{
    static const char MARK[] = "(errno ", STATE[] = ") (sqlstate ";
    for (const char *at = error->message; (at = strstr(at, MARK)) != NULL;) {
        at += strlen(MARK);
        char *end;
        long number = strtol(at, &end, 10);
        if (end == at || !isdigit((unsigned char)*at) || number <= 0 || number > 0xFFFFFF ||
            !str_starts_with(end, STATE))
            continue;
        const char *state = end + strlen(STATE);
        if (strlen(state) < 6 || state[5] != ')')
            continue;
        error->mysql_errno = (int)number;
        memcpy(error->sqlstate, state, 5);
        error->sqlstate[5] = '\0';
        return;
    }
}

struct error *
status_to_error(grpc_status_code code, grpc_slice details, const struct cancel *cancel)
{
    if (code == GRPC_STATUS_OK)
        return NULL;
    if (code == GRPC_STATUS_CANCELLED && cancel_is_requested(cancel)) {
        struct error *own = cancel_check(cancel);
        if (own != NULL)
            return own;
    }
    int number = (int)code;
    if (number < 0 || number > ERROR_CLUSTER_EVENT)
        number = ERROR_UNKNOWN;
    CLEANUP(freep)
    char *text = xstrndup((const char *)GRPC_SLICE_START_PTR(details), GRPC_SLICE_LENGTH(details));
    if (number == ERROR_DEADLINE_EXCEEDED && strcmp(text, "Deadline Exceeded") == 0)
        return error_new(ERROR_DEADLINE_EXCEEDED, "deadline exceeded");
    struct error *error = error_new((enum error_code)number, "%s", text);
    status_parse_errno(error);
    return error;
}
