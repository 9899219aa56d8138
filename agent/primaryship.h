/* Whether a starting tablet is its shard's primary. Pure. Source: Vitess's rules; the newer term
 * wins, and the shard's record may lag behind a promotion that was cut short. */
#ifndef VTAGENT_PRIMARYSHIP_H
#define VTAGENT_PRIMARYSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "topodata.pb-c.h"

struct primaryship_facts {
    bool is_named;         /* Shard.primary_alias is us */
    int64_t shard_term_ns; /* 0: none */
    bool has_record;       /* our Tablet record from before */
    Topodata__TabletType record_type;
    int64_t record_term_ns; /* 0: none */
    int64_t now_ns;
};
struct primaryship {
    bool is_primary;
    int64_t term_ns; /* 0 unless primary */
    const char *why; /* static text, for the log */
};
struct primaryship primaryship_decide(const struct primaryship_facts *facts);

#endif
