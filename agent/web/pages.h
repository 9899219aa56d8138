/* What the HTTP port shows, as pure functions from a picture of the agent to text. */
#ifndef VTAGENT_WEB_PAGES_H
#define VTAGENT_WEB_PAGES_H

#include "agent/base/buffer.h"
#include "agent/health/health.h"
#include "agent/job/registry.h"
#include "agent/tablet/action_watch.h"
#include "agent/tablet/tablet_internal.h"
#include "agent/web/lookout.h"
#include "agent/web/metrics.h"

#ifndef VTAGENT_VERSION
#define VTAGENT_VERSION "unknown"
#endif

struct page_row;
/* Everything a page may show; borrowed. */
struct pages_picture {
    const struct page_row *row; /* the page that is asked for */
    const char *accept, *query; /* of the request; NULL: none */
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
    const struct shard_look *shard; /* NULL: nobody looks */
    bool has_storage;               /* backups have a place */
};

#define PAGE_PLAIN "text/plain; charset=utf-8"
struct page {
    int status; /* HTTP */
    const char *content_type;
    const char *policy; /* Content-Security-Policy; NULL: nothing is allowed. Static */
};
typedef struct page (*page_function)(const struct pages_picture *picture, struct buffer *body);
struct page_row {
    const char *path;
    page_function function;
    bool shows_shard; /* the lookout shall look */
};
/* The page of a path; NULL when there is none. */
const struct page_row *pages_find(const char *path);

struct page page_vars(const struct pages_picture *picture, struct buffer *body);
struct page page_metrics(const struct pages_picture *picture, struct buffer *body);
/* In HTML or in plain text, as the request has it. */
struct page page_status(const struct pages_picture *picture, struct buffer *body);
struct page page_status_text(const struct pages_picture *picture, struct buffer *body);
struct page page_state_machine(const struct pages_picture *picture, struct buffer *body);
/* Vitess's /healthz: 500 when the tablet should serve and does not. */
struct page page_healthz(const struct pages_picture *picture, struct buffer *body);
struct page page_debug_health(const struct pages_picture *picture, struct buffer *body);
struct page page_readyz(const struct pages_picture *picture, struct buffer *body);
struct page page_startupz(const struct pages_picture *picture, struct buffer *body);
/* 503 when only a new process can help: what runs under the action lock goes on long after its end,
 * or a job makes no progress. That the loop turns, the answer itself shows. mysqld and etcd may be
 * away for as long as they like. */
struct page page_livez(const struct pages_picture *picture, struct buffer *body);

/* ---- Pieces that several pages share ---- */
/* A state that serves on purpose; SPARE, backups and demoted primaries do not. */
bool pages_should_serve(const struct pages_picture *picture);
/* "SERVING" or "NOT_SERVING". */
const char *pages_state_name(const struct pages_picture *picture);
/* Vitess's numbers: 0 not connected, 1 not serving, 2 serving. */
int pages_state_number(const struct pages_picture *picture);
const char *pages_replication_word(enum replication_state state); /* "running" */
bool pages_job_is_live(const struct job_view *view);              /* waits or runs */
/* NULL: none of this kind runs. */
const struct job_view *pages_running_job(const struct job_summary *jobs, enum job_kind kind);
/* metrics_jobs.c */
void metrics_print_jobs(const struct job_summary *jobs, struct exposition *exposition);

#endif
