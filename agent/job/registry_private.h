/* A job and its registry inside: registry.c starts and ends jobs, registry_lines.c knows what they
 * say. Everything below `lock` is under it; it is never held over a wait. */
#ifndef VTAGENT_JOB_REGISTRY_PRIVATE_H
#define VTAGENT_JOB_REGISTRY_PRIVATE_H

#include <pthread.h>

#include "agent/job/registry.h"

#define RATE_SAMPLES 16
#define RATE_SAMPLE_MS 1000

struct job_line {
    int level;
    char *text;
};
struct job_sample {
    int64_t time_ms;
    uint64_t done_bytes;
};
/* Somebody who waits for news of a job: its descriptor becomes readable. */
struct job_watcher {
    int descriptor;
    struct job_watcher *next;
};

struct job {
    struct job_registry *registry;
    struct cancel *cancel;
    char *parameters; /* whole */
    struct job_step first, second;
    void *data;
    void (*free_data)(void *data);
    /* ---- under the registry's lock ---- */
    int references;
    struct job_view view; /* rate and rest are reckoned when it is read */
    struct error *outcome;
    struct job_line lines[JOB_LINES_KEPT]; /* line n is at n % JOB_LINES_KEPT */
    uint64_t line_count;
    struct job_sample samples[RATE_SAMPLES];
    size_t sample_count; /* all that were ever taken in this phase */
    struct job_watcher *watchers;
};

struct job_registry {
    struct cancel *stop;
    pthread_mutex_t lock;
    uint64_t last_number;
    struct job *live[JOB_KIND_COUNT];      /* NULL: none of that kind */
    struct job_view ended[JOB_ENDED_MOST]; /* newest first */
    size_t ended_count;
    uint64_t counts[JOB_KIND_COUNT][JOB_STATE_COUNT];
    struct job_stray strays[JOB_STRAYS_MOST]; /* oldest first */
    size_t stray_count;
};

/* registry_lines.c; under the lock. */
void job_wake_watchers(struct job *job);
void job_fill_view(const struct job *job, struct job_view *ret_view);
void job_drop_lines(struct job *job);
/* Waits for the end of the job, or `cancel`'s: whether it has ended. Not under the lock. */
bool job_wait(struct job *job, struct cancel *cancel);

#endif
