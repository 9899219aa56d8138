/* Key ranges beyond what records.h offers; private to the folder. An empty start is the least key,
 * an empty end is past the last. */
#ifndef VTAGENT_TOPO_KEY_RANGE_H
#define VTAGENT_TOPO_KEY_RANGE_H

#include "agent/topo/records.h"

/* Order of start keys, for sorting: < 0, 0, > 0. NULL starts at the least key. */
int key_range_compare_start(const Topodata__KeyRange *a, const Topodata__KeyRange *b);
/* True when b starts where a ends. */
bool key_range_is_contiguous(const Topodata__KeyRange *a, const Topodata__KeyRange *b);

#endif
