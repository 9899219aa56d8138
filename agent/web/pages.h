/* What the HTTP port shows, as pure functions from a picture of the agent to text. */
#ifndef VTAGENT_WEB_PAGES_H
#define VTAGENT_WEB_PAGES_H

#include "agent/base/buffer.h"
#include "agent/health/health.h"
#include "agent/job/registry.h"
#include "agent/tablet/action_watch.h"
#include "agent/tablet/tablet_internal.h"
#include "agent/web/metrics.h"

#ifndef VTAGENT_VERSION
#define VTAGENT_VERSION "unknown"
#endif

/* Everything a page may show; borrowed. */
struct pages_picture {
    const struct tablet_identity *identity;
    struct tablet_view view;
    struct health_view health;
    bool is_started;
    bool awaits_primary;    /* nothing to follow: the shard has no primary yet */
    const char *start_step; /* what the start waits for; "" once started */
    int64_t start_time_ns, now_ns;
    const struct metrics *metrics;
    struct process_stats process;
    struct job_summary jobs;
    /* What /livez looks at; monotonic. */
    struct action_view action;
    int64_t now_ms, stuck_after_ms;
};

struct page {
    int status; /* HTTP */
    const char *content_type;
};
typedef struct page (*page_function)(const struct pages_picture *picture, struct buffer *body);
/* The page of a path; NULL when there is none. */
page_function pages_find(const char *path);

struct page page_vars(const struct pages_picture *picture, struct buffer *body);
struct page page_metrics(const struct pages_picture *picture, struct buffer *body);
struct page page_status(const struct pages_picture *picture, struct buffer *body);
/* Vitess's /healthz: 500 when the tablet should serve and does not. */
struct page page_healthz(const struct pages_picture *picture, struct buffer *body);
struct page page_debug_health(const struct pages_picture *picture, struct buffer *body);
struct page page_readyz(const struct pages_picture *picture, struct buffer *body);
struct page page_startupz(const struct pages_picture *picture, struct buffer *body);
/* 503 when only a new process can help: what runs under the action lock goes on long after its end,
 * or a job makes no progress. That the loop turns, the answer itself shows. mysqld and etcd may be
 * away for as long as they like. */
struct page page_livez(const struct pages_picture *picture, struct buffer *body);

/* pages_jobs.c: pieces of the status page and of /metrics. */
void pages_list_jobs(const struct job_summary *jobs, struct buffer *body);
void pages_count_jobs(const struct job_summary *jobs, struct buffer *body);

#endif
