/* The tablet's jobs: what waits and runs, and how the last ones ended. A job belongs to the agent:
 * callers start or find it and follow its lines, and when they go away it goes on.
 *
 * Any thread, unless said otherwise. A job's function runs on the worker that its plan names. */
#ifndef VTAGENT_JOB_REGISTRY_H
#define VTAGENT_JOB_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/base/worker.h"

enum job_kind { JOB_BACKUP, JOB_RESTORE, JOB_VERIFY, JOB_KIND_COUNT };
enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELED, JOB_STATE_COUNT };
const char *job_kind_name(enum job_kind kind);
const char *job_state_name(enum job_state state);
/* Levels of lines: logutil.Level's numbers. */
enum { LINE_INFO = 0, LINE_WARNING = 1, LINE_ERROR = 2 };

#define JOB_ID_MAX 32
#define JOB_ENDED_MOST 12
#define JOBS_MOST (JOB_KIND_COUNT + JOB_ENDED_MOST) /* one of each kind at a time */
#define JOB_LINES_KEPT 128                          /* for a caller that reads slowly */
#define JOB_LINE_MOST 4096                          /* bytes; longer ones are cut */

/* A job as plain data. */
struct job_view {
    char id[JOB_ID_MAX]; /* "backup-3" */
    enum job_kind kind;
    enum job_state state;
    char parameters[256];
    char phase[24];
    char backup_name[128];            /* "" until there is one */
    uint64_t done_bytes, total_bytes; /* of the phase; total 0: not known */
    uint64_t rate_bytes_per_second;   /* lately */
    int64_t remaining_seconds;        /* -1: not known */
    int64_t start_time_ns, end_time_ns;
    int64_t moved_ms; /* clock_monotonic_ms() of the last line, phase or bytes that were new */
    enum error_code error_code;
    char error[512];
    char last_line[256];
};
/* A worker that has failed, was killed, and is held by the kernel: its storage hangs. */
#define JOB_STRAYS_MOST 4
#define JOB_STRAY_TEXT 320
struct job_stray {
    int pid;
    int64_t since_ns; /* wall clock */
    char text[JOB_STRAY_TEXT];
};
struct job_summary {
    struct job_stray strays[JOB_STRAYS_MOST];
    size_t stray_count;
    struct job_view views[JOBS_MOST]; /* waiting and running, then ended ones, newest first */
    size_t count;
    uint64_t ended[JOB_KIND_COUNT][JOB_STATE_COUNT]; /* since the start */
};

struct job_registry;
struct job; /* reference-counted; the registry holds one until it has ended */

/* `stop`: parent of every job's token; borrowed. */
struct job_registry *job_registry_new(struct cancel *stop);
void
job_registry_free(struct job_registry *registry); /* after the workers are gone; NULL is fine */
/* ---- Workers that were left behind; they are looked after whenever somebody reads of them ---- */
void job_registry_add_stray(struct job_registry *registry, int pid, const char *text);
/* UNAVAILABLE when there are as many as may be: another would only hang too. */
struct error *job_registry_check_strays(struct job_registry *registry) ERROR_MUST_CHECK;
size_t job_registry_read_strays(struct job_registry *registry,
                                struct job_stray ret_strays[JOB_STRAYS_MOST]);

/* NULL registry: nothing. */
void job_registry_read(struct job_registry *registry, struct job_summary *ret_summary);
/* Waits until nothing waits or runs, at most `cancel`'s time; how many do. */
size_t job_registry_drain(struct job_registry *registry, struct cancel *cancel);

/* ---- Starting ---- */
/* One after the other, each on its worker. When the first fails or the job was canceled before it
 * began, the second is left out; when the first succeeded, the second runs although the job was
 * canceled meanwhile: it may have to put things back. */
struct job_step {
    struct worker *worker;
    struct error *(*run)(struct job *job, void *data);
};
struct job_plan {
    enum job_kind kind;
    const char *parameters;        /* whole; the same text is the same job */
    struct job_step first, second; /* second.run NULL: none */
    void *data;
    void (*free_data)(void *data); /* when the job has ended, or was not needed */
};
/* Starts it, or finds the running one with the same parameters (*ret_is_attached; `data` is freed
 * then). The caller gets a reference. One of a kind at a time: with other parameters UNKNOWN "a
 * backup is already running …" (Vitess's words and code), and `data` is freed too. */
struct error *job_start(struct job_registry *registry, const struct job_plan *plan,
                        struct job **ret_job, bool *ret_is_attached) ERROR_MUST_CHECK;
/* The same for work that runs on the caller's own thread: the job is running, and ends with
 * job_end. The error as above, also for the same parameters. */
struct error *job_begin(struct job_registry *registry, enum job_kind kind, const char *parameters,
                        struct job **ret_job) ERROR_MUST_CHECK;
/* Notes the outcome (borrowed; NULL: done) and drops the reference. */
void job_end(struct job *take_job, const struct error *outcome);
void job_unref(struct job *job);
void job_unrefp(struct job **job);

/* ---- From inside the job; job NULL: nothing ---- */
struct cancel *job_cancel(const struct job *job); /* borrowed; NULL for NULL */
void job_add_line(struct job *job, int level, const char *text);
void job_set_phase(struct job *job, const char *phase); /* forgets the last one's bytes */
void job_set_backup_name(struct job *job, const char *name);
void job_set_progress(struct job *job, uint64_t done_bytes, uint64_t total_bytes);

/* ---- From outside ---- */
void job_read(struct job *job, struct job_view *ret_view);
/* One line: "backup-3 (concurrency 4) since 2026-…, copy, 53.2%". Caller frees. */
char *job_describe(const struct job_view *view);
/* ", 52 MB/s, 200 s left": what is known of speed and rest, "" when nothing is. Caller frees. */
char *job_speed_text(const struct job_view *view);
/* "copy: 23.1%, 24 of 104 MB, 52 MB/s, 2 s left". Caller frees. */
char *job_progress_text(const struct job_view *view);

typedef void (*job_line_function)(int level, const char *text, void *data);
/* Hands on the lines from number `from` on (0: the first; JOB_LINES_FROM_NOW: only new ones) on the
 * calling thread until the job has ended: *ret_has_ended, and the result is the job's outcome.
 * Otherwise the result is the cancel's error, and the job goes on. A follower that is too slow is
 * told how many lines it missed. */
#define JOB_LINES_FROM_NOW UINT64_MAX
struct error *job_follow(struct job *job, uint64_t from, struct cancel *cancel,
                         job_line_function on_line, void *data,
                         bool *ret_has_ended) ERROR_MUST_CHECK;

/* Asks the job of this id, or "all", to end, and waits for it until `cancel` ends. The first
 * `*ret_count` of `ret_views` are the jobs that were asked, as they are now. NOT_FOUND names the
 * jobs that run; FAILED_PRECONDITION: it has ended before; DEADLINE_EXCEEDED: it is still busy. */
struct error *job_registry_cancel(struct job_registry *registry, const char *id,
                                  struct cancel *cancel, struct job_view ret_views[JOB_KIND_COUNT],
                                  size_t *ret_count) ERROR_MUST_CHECK;

#endif
