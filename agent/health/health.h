/* Health: one model of how this tablet is, computed once a second and at every event on the loop
 * from what the probes measured (facts.h), by pure rules (decide.h). It tells the tablet whether it
 * may serve and why, and everybody who wants to know through on_report. */
#ifndef VTAGENT_HEALTH_HEALTH_H
#define VTAGENT_HEALTH_HEALTH_H

#include "agent/health/decide.h"
#include "agent/health/lag_history.h"
#include "agent/tablet/tablet_internal.h"

/* Every measurement, and what follows from it. The last transitions with their reasons are in
 * tablet_view.history. Texts behind pointers live until the loop goes on. */
struct health_view {
    struct health_facts facts; /* an age is now_ms minus measured_ms */
    struct health_judgement judgement;
    struct health_verdict verdict;
    struct health_rules rules;
    const struct lag_history *lag_history; /* NULL: none */
    int64_t now_ms;                        /* monotonic, when this was computed; 0: never */
    int64_t checked_at_ns;
};

/* The seam for tests; NULL: the machine's. */
struct health_clock_source {
    int64_t (*monotonic_ms)(void);
    int64_t (*wall_ns)(void);
};

struct health;
struct health_options {
    struct tablet_context *context;
    struct health_rules rules;
    const char *disk_directory; /* written to and measured; "": neither */
    int64_t disk_interval_ms;
    const char *certificate_files[4]; /* NULL or "": none */
    int64_t backups_interval_ms;      /* 0: never looked at */
    const struct health_clock_source *clock;
    /* Loop thread: at each change of type, term, serving or cause, when asked for, and every 5 s.
     */
    void (*on_report)(const struct health_view *view, void *data);
    void *on_report_data;
    /* Loop thread: replication looks broken or silent, is the primary alive? The answer comes
     * through health_set_source(). */
    void (*on_doubt)(void *data);
    /* Loop thread: mysqld was started anew and does not replicate as it did before. */
    void (*on_restart)(void *data);
};
struct error *health_new(const struct health_options *options,
                         struct health **ret_health) ERROR_MUST_CHECK;
void health_start(struct health *health); /* loop thread */
/* Something was done to the server, or somebody asks: it is looked at now, again every 100 ms for
 * two seconds while it does not serve, and what is known is reported at once. Any thread. */
void health_poke(struct health *health);
/* The list of backups is read again as soon as the storage answers. Loop thread. */
void health_poke_backups(struct health *health);
/* Something changed that is no measurement (the type): decided and reported now. Loop thread. */
void health_refresh(struct health *health);
/* What the topology says of the shard's primary (taken), and how our own document fares. Any
 * thread. */
void health_set_source(struct health *health, struct health_source *take_source);
void health_set_published(struct health *health, const struct health_published *published);
void health_get_view(const struct health *health, struct health_view *ret_view); /* loop thread */
void health_end(struct health *health);  /* loop thread: no more probes */
void health_free(struct health *health); /* after the loop ended; waits for running probes */

#endif
