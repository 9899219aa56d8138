/* When to try again: what failed for a moment (UNAVAILABLE: 408, 429, 5xx, connection errors),
 * after a pause that grows and is never the same, within a time and within a budget that all
 * requests of one storage share. Whether a request may be repeated at all is its caller's
 * knowledge. */
#ifndef VTAGENT_BACKUP_GCS_RETRY_H
#define VTAGENT_BACKUP_GCS_RETRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

/* Attempts that may fail before successes must pay for more. Any thread. */
struct gcs_budget {
    pthread_mutex_t lock;
    double credit;
    bool is_down; /* somebody gave up, and nothing has succeeded since: others wait less */
    int64_t patience_ms, first_pause_ms;
};
#define GCS_PATIENCE_MS 120000
#define GCS_FIRST_PAUSE_MS 200
/* patience_ms: how long one request is repeated; first_pause_ms: the pause after one failure. */
void gcs_budget_init(struct gcs_budget *budget, int64_t patience_ms, int64_t first_pause_ms);
void gcs_budget_done(struct gcs_budget *budget);
void gcs_budget_succeeded(struct gcs_budget *budget);

/* One request and its repetitions; one thread. */
struct gcs_retry {
    struct gcs_budget *budget;
    int64_t start_ms, pause_ms;
    int failures;
};
struct gcs_retry gcs_retry_begin(struct gcs_budget *budget);
/* It went on for a while: what failed before does not count any more. */
void gcs_retry_progress(struct gcs_retry *retry);
/* After a failure: waits and returns NULL (the cause is freed), or returns the cause, in its last
 * words if it is not to be tried again. retry_after_ms: what the server asked for, 0: nothing. */
struct error *gcs_retry_pause(struct gcs_retry *retry, struct error *take_cause,
                              int64_t retry_after_ms, struct cancel *cancel) ERROR_MUST_CHECK;

#endif
