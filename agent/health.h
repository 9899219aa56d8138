/* Health: asks mysqld every --health-check-interval and tells the tablet whether it may serve, and
 * why. The decision is pure; the asking runs on a thread of its own. */
#ifndef VTAGENT_HEALTH_H
#define VTAGENT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/tablet/tablet_internal.h"
#include "replication/status.h"

/* What one probe saw. Plain data. */
struct health_probe {
    bool is_known; /* a probe has run */
    bool server_answers;
    char error[256]; /* why it does not */
    bool is_read_only;
    bool is_replica;
    enum replication_state io_state, sql_state;
    bool is_lag_unknown;
    uint32_t lag_seconds;
    char source[160]; /* "host:port" */
    char replication_error[256];
};
/* The last lag that was known: while replication is broken, it grows with time. */
struct health_memory {
    bool has_lag;
    uint32_t lag_seconds;
    int64_t when_ms;
};
struct health_rules {
    int64_t unhealthy_ms, degraded_ms;
};
struct health_verdict {
    bool is_serving;
    bool has_caught_up; /* a restored replica may serve */
    bool is_broken;     /* replication should run and does not */
    bool is_lag_known;
    uint32_t lag_seconds; /* estimated while replication is broken */
    char reason[256];     /* one sentence */
};
/* `type` decides what is expected of the server. Updates the memory. */
struct health_verdict health_decide(const struct health_probe *probe, Topodata__TabletType type,
                                    bool is_catching_up, const struct health_rules *rules,
                                    int64_t now_ms, struct health_memory *memory);

/* Tells a server that was started anew from one whose replication somebody stopped: servers of
 * tablets do not start their replication themselves. All zero at first; given every probe in turn.
 * True when the server was gone, is back, and does not replicate as it did before. */
struct health_restart {
    bool was_replicating, was_gone;
};
bool health_has_restarted(const struct health_probe *probe, struct health_restart *restart);

/* What pages show; loop thread. */
struct health_view {
    struct health_probe probe;
    struct health_verdict verdict;
    int64_t checked_at_ns; /* 0: never */
};

struct health;
struct health_options {
    struct tablet_context *context;
    int64_t interval_ms;
    struct health_rules rules;
    void (*on_restart)(void *data); /* see health_has_restarted; the probing thread */
    void *restart_data;
};
struct error *health_new(const struct health_options *options,
                         struct health **ret_health) ERROR_MUST_CHECK;
void health_start(struct health *health);                                        /* loop thread */
void health_poke(struct health *health);                                         /* any thread */
void health_get_view(const struct health *health, struct health_view *ret_view); /* loop thread */
void health_end(struct health *health);  /* loop thread: no more probes */
void health_free(struct health *health); /* after the loop ended; waits for a running probe */

#endif
