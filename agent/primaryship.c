#include "agent/primaryship.h"

struct primaryship
primaryship_decide(const struct primaryship_facts *facts)
{
    bool was_primary = facts->has_record && facts->record_type == TOPODATA__TABLET_TYPE__PRIMARY;
    if (facts->is_named && !facts->has_record)
        return (struct primaryship){true, facts->now_ns,
                                    "the shard names us, our record is gone: a new term"};
    if (facts->is_named && was_primary)
        return (struct primaryship){true, facts->record_term_ns,
                                    "the shard and our record say so: the old term goes on"};
    if (facts->is_named)
        return (struct primaryship){true, facts->shard_term_ns,
                                    "the shard names us: its term goes on"};
    if (was_primary && facts->record_term_ns > facts->shard_term_ns)
        return (struct primaryship){true, facts->record_term_ns,
                                    "our record's term is newer than the shard's"};
    if (was_primary)
        return (struct primaryship){false, 0, "another primary took over while we were away"};
    return (struct primaryship){false, 0, "not the shard's primary"};
}
