/* The serving graph's rule, apart for tests; private to the folder. */
#ifndef VTAGENT_TOPO_SERVING_H
#define VTAGENT_TOPO_SERVING_H

#include "agent/topo/records.h"

/* Sorts by key range and checks that the shards cover all keys without a gap. FAILED_PRECONDITION
 * says what is missing. No shards: fine. */
struct error *serving_order_and_check(Topodata__ShardReference **references,
                                      size_t count) ERROR_MUST_CHECK;

#endif
