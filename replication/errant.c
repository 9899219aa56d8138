#include <stdlib.h>

#include "agent/base/memory.h"
#include "replication/control.h"

struct error *
errant_transactions_find(const struct position *ours, const struct position *source,
                         const char *source_uuid, struct position **ret_errant)
{
    CLEANUP(position_freep) struct position *ahead = position_subtract(ours, source);
    CLEANUP(position_freep) struct position *foreign = position_without_uuid(ahead, source_uuid);
    CLEANUP(position_freep) struct position *diverged = position_diverged(ours, source);
    struct position *errant =
        diverged != NULL ? position_union(foreign, diverged) : position_copy(foreign);
    if (position_is_empty(errant) || position_flavor_of(errant) == POSITION_FILE) {
        position_free(errant);
        errant = NULL;
    }
    *ret_errant = errant;
    return NULL;
}

struct error *
errant_transactions_refuse(const struct position *errant, const struct position *ours)
{
    CLEANUP(freep) char *errant_text = position_set_text(errant);
    CLEANUP(freep) char *ours_text = position_set_text(ours);
    return error_new(ERROR_FAILED_PRECONDITION,
                     "Errant GTID detected - Errant GTID: %s; Replica GTID Position: %s",
                     errant_text, ours_text);
}
