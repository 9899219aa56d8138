// sources: replication/gtid_mysql.c replication/gtid_mariadb.c replication/position.c
// sources: agent/base/*.c
/* Two positions, divided by a newline: set operations agree with each other, text reads back. */
#include <stdlib.h>

#include "agent/base/memory.h"
#include "replication/gtid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
    if (!condition)
        abort();
}

static void
check_text(const struct position *position)
{
    CLEANUP(freep) char *text = position_text(position);
    CLEANUP(position_freep) struct position *again = NULL;
    struct error *error = position_parse(text, &again);
    require(error == NULL);
    require(position_equal(position, again));
}

static void
check_pair(const struct position *a, const struct position *b)
{
    CLEANUP(position_freep) struct position *both = position_union(a, b);
    CLEANUP(position_freep) struct position *rest = position_subtract(a, b);
    check_text(both);
    check_text(rest);
    if (position_flavor_of(a) == POSITION_MYSQL56 && position_flavor_of(b) == POSITION_MYSQL56) {
        require(position_contains(both, a) && position_contains(both, b));
        require(position_contains(a, rest));
        require(position_is_empty(rest) == position_contains(b, a));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = xstrndup((const char *)data, size);
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    CLEANUP(position_freep) struct position *a = NULL, *b = NULL;
    strv_split(&lines, text, '\n');
    if (lines.count == 0)
        return 0;
    struct error *error = position_parse(lines.items[0], &a);
    if (error == NULL && a != NULL)
        check_text(a);
    if (error == NULL && lines.count > 1)
        error = position_parse(lines.items[1], &b);
    if (error == NULL && a != NULL && b != NULL)
        check_pair(a, b);
    error_free(error);
    return 0;
}
