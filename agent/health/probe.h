/* A probe: asks on a thread of its own, so that one that hangs holds up nothing else, and stores
 * its part of the facts on the loop. Private to the folder. */
#ifndef VTAGENT_HEALTH_PROBE_H
#define VTAGENT_HEALTH_PROBE_H

#include "agent/base/worker.h"
#include "agent/health/health.h"

struct probe_kind {
    const char *name; /* of its thread */
    /* Between the starts of two looks; 0: never. */
    int64_t (*interval_ms)(const struct health_options *options);
    /* Made and freed with the probe; NULL: the kind has no state. */
    void *(*state_new)(const struct health_options *options);
    void (*state_free)(void *state);
    /* Loop thread, before each look: takes along what it needs. May be NULL. */
    void (*prepare)(void *state, struct health_facts *facts, int64_t now_ms);
    /* The probe's thread: fills its part of an all-zero answer. */
    void (*ask)(void *state, const struct health_options *options, struct health_facts *answer);
    /* Loop thread: moves its part of the answer over. */
    void (*store)(struct health_facts *facts, struct health_facts *answer);
};

/* What is known of the list is old: the next look reads it. Any thread. */
void probe_backups_forget(void *state);

extern const struct probe_kind probe_server, probe_host, probe_disk, probe_backups;

#endif
