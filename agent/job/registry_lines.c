/* What a job says: its lines, its progress, and who listens. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/job/registry_private.h"

#define LONGEST_POLL_MS 60000
#define LEAST_RATE_MS 200

static void
lock(const struct job *job)
{
    pthread_mutex_lock(&job->registry->lock);
}

static void
unlock(const struct job *job)
{
    pthread_mutex_unlock(&job->registry->lock);
}

void
job_wake_watchers(struct job *job)
{
    const uint64_t one = 1;
    for (struct job_watcher *watcher = job->watchers; watcher != NULL; watcher = watcher->next) {
        ssize_t ignored = write(watcher->descriptor, &one, sizeof(one));
        (void)ignored;
    }
}

void
job_drop_lines(struct job *job)
{
    for (size_t i = 0; i < JOB_LINES_KEPT; i++)
        freep(&job->lines[i].text);
}

/* ---- From inside ---- */
struct cancel *
job_cancel(const struct job *job)
{
    return job == NULL ? NULL : job->cancel;
}

void
job_add_line(struct job *job, int level, const char *text)
{
    if (job == NULL)
        return;
    char *copy = xstrndup(text, JOB_LINE_MOST);
    lock(job);
    struct job_line *line = &job->lines[job->line_count++ % JOB_LINES_KEPT];
    free(line->text);
    *line = (struct job_line){level, copy};
    snprintf(job->view.last_line, sizeof(job->view.last_line), "%s", copy);
    job->view.moved_ms = clock_monotonic_ms();
    job_wake_watchers(job);
    unlock(job);
}

static void
forget_progress(struct job *job)
{
    job->view.done_bytes = job->view.total_bytes = 0;
    job->sample_count = 0;
}

void
job_set_phase(struct job *job, const char *phase)
{
    if (job == NULL)
        return;
    lock(job);
    snprintf(job->view.phase, sizeof(job->view.phase), "%s", phase);
    job->view.moved_ms = clock_monotonic_ms();
    forget_progress(job);
    unlock(job);
}

void
job_set_backup_name(struct job *job, const char *name)
{
    if (job == NULL)
        return;
    lock(job);
    snprintf(job->view.backup_name, sizeof(job->view.backup_name), "%s", name);
    unlock(job);
}

static const struct job_sample *
newest_sample(const struct job *job)
{
    return &job->samples[(job->sample_count - 1) % RATE_SAMPLES];
}

static const struct job_sample *
oldest_sample(const struct job *job)
{
    return &job->samples[job->sample_count < RATE_SAMPLES ? 0 : job->sample_count % RATE_SAMPLES];
}

void
job_set_progress(struct job *job, uint64_t done_bytes, uint64_t total_bytes)
{
    if (job == NULL)
        return;
    int64_t now = clock_monotonic_ms();
    lock(job);
    if (done_bytes < job->view.done_bytes)
        forget_progress(job);
    if (done_bytes != job->view.done_bytes)
        job->view.moved_ms = now;
    job->view.done_bytes = done_bytes;
    job->view.total_bytes = total_bytes;
    if (job->sample_count == 0 || now - newest_sample(job)->time_ms >= RATE_SAMPLE_MS)
        job->samples[job->sample_count++ % RATE_SAMPLES] = (struct job_sample){now, done_bytes};
    unlock(job);
}

/* ---- Views ---- */
static void
reckon_speed(const struct job *job, struct job_view *view)
{
    view->rate_bytes_per_second = 0;
    view->remaining_seconds = -1;
    if (job->sample_count == 0)
        return;
    const struct job_sample *oldest = oldest_sample(job);
    int64_t passed_ms = clock_monotonic_ms() - oldest->time_ms;
    uint64_t bytes = view->done_bytes - oldest->done_bytes;
    if (passed_ms < LEAST_RATE_MS)
        return;
    view->rate_bytes_per_second = (uint64_t)((double)bytes * 1000.0 / (double)passed_ms);
    if (view->rate_bytes_per_second > 0 && view->total_bytes >= view->done_bytes)
        view->remaining_seconds =
            (int64_t)((view->total_bytes - view->done_bytes) / view->rate_bytes_per_second);
}

void
job_fill_view(const struct job *job, struct job_view *ret_view)
{
    *ret_view = job->view;
    if (job->view.state == JOB_RUNNING)
        reckon_speed(job, ret_view);
}

void
job_read(struct job *job, struct job_view *ret_view)
{
    lock(job);
    job_fill_view(job, ret_view);
    unlock(job);
}

char *
job_describe(const struct job_view *view)
{
    char time[32];
    clock_format_rfc3339(view->start_time_ns, time);
    CLEANUP(freep) char *percent = NULL;
    if (view->total_bytes > 0)
        percent =
            xasprintf(", %.1f%%", (double)view->done_bytes * 100.0 / (double)view->total_bytes);
    return xasprintf("%s (%s) since %s, %s%s", view->id, view->parameters, time,
                     view->phase[0] != '\0' ? view->phase : job_state_name(view->state),
                     percent != NULL ? percent : "");
}

char *
job_speed_text(const struct job_view *view)
{
    if (view->rate_bytes_per_second == 0)
        return xstrdup("");
    double rate = (double)view->rate_bytes_per_second / 1048576.0;
    CLEANUP(freep) char *speed = xasprintf(rate < 10 ? ", %.1f MB/s" : ", %.0f MB/s", rate);
    if (view->remaining_seconds < 0)
        return xstrdup(speed);
    return xasprintf("%s, %" PRId64 " s left", speed, view->remaining_seconds);
}

char *
job_progress_text(const struct job_view *view)
{
    uint64_t done = view->done_bytes, total = view->total_bytes;
    double percent = total == 0 ? 100.0 : (double)done * 100.0 / (double)total;
    CLEANUP(freep) char *speed = done == total ? xstrdup("") : job_speed_text(view);
    return xasprintf("%s%s%.1f%%, %" PRIu64 " of %" PRIu64 " MB%s", view->phase,
                     view->phase[0] != '\0' ? ": " : "", percent, done >> 20, total >> 20, speed);
}

/* ---- Listening ---- */
static struct error *
watch(struct job *job, struct job_watcher *watcher)
{
    watcher->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watcher->descriptor < 0)
        return error_from_errno(errno, "watch job '%s'", job->view.id);
    lock(job);
    watcher->next = job->watchers;
    job->watchers = watcher;
    unlock(job);
    return NULL;
}

static void
unwatch(struct job *job, struct job_watcher *watcher)
{
    lock(job);
    struct job_watcher **link = &job->watchers;
    while (*link != watcher)
        link = &(*link)->next;
    *link = watcher->next;
    unlock(job);
    close(watcher->descriptor);
}

/* Until there may be news, or the cancel has ended: its error. */
static struct error *
await_news(const struct job_watcher *watcher, struct cancel *cancel)
{
    TRY(cancel_check(cancel));
    int64_t left_ms = cancel_remaining_ms(cancel);
    struct pollfd watched[] = {{.fd = watcher->descriptor, .events = POLLIN},
                               {.fd = cancel_descriptor(cancel), .events = POLLIN}};
    poll(watched, ARRAY_LENGTH(watched),
         left_ms > LONGEST_POLL_MS ? LONGEST_POLL_MS : (int)left_ms);
    uint64_t ignored;
    ssize_t size = read(watcher->descriptor, &ignored, sizeof(ignored));
    (void)size;
    return NULL;
}

static bool
has_ended(const struct job *job)
{
    return job->view.state != JOB_WAITING && job->view.state != JOB_RUNNING;
}

struct follower {
    struct job *job;
    uint64_t next; /* line */
    job_line_function on_line;
    void *data;
    uint64_t missed;
};

/* Under the lock: a copy of the next line, NULL when there is none yet. */
static char *
take_line(struct follower *follower, int *ret_level)
{
    const struct job *job = follower->job;
    if (follower->next > job->line_count)
        follower->next = job->line_count;
    if (job->line_count - follower->next > JOB_LINES_KEPT) {
        follower->missed = job->line_count - follower->next - JOB_LINES_KEPT;
        follower->next += follower->missed;
        *ret_level = LINE_WARNING;
        return xasprintf("%" PRIu64 " lines are left out: see the tablet's log", follower->missed);
    }
    if (follower->next == job->line_count)
        return NULL;
    const struct job_line *line = &job->lines[follower->next++ % JOB_LINES_KEPT];
    *ret_level = line->level;
    return xstrdup(line->text);
}

/* Hands on what is there; whether the job has ended and nothing more comes. */
static bool
hand_on(struct follower *follower)
{
    for (;;) {
        int level = LINE_INFO;
        lock(follower->job);
        CLEANUP(freep) char *line = take_line(follower, &level);
        bool is_over = line == NULL && has_ended(follower->job);
        unlock(follower->job);
        if (line == NULL)
            return is_over;
        if (follower->on_line != NULL)
            follower->on_line(level, line, follower->data);
    }
}

static struct error *
follow_until_end(struct follower *follower, const struct job_watcher *watcher,
                 struct cancel *cancel)
{
    while (!hand_on(follower))
        TRY(await_news(watcher, cancel));
    return NULL;
}

struct error *
job_follow(struct job *job, uint64_t from, struct cancel *cancel, job_line_function on_line,
           void *data, bool *ret_has_ended)
{
    struct follower follower = {.job = job, .next = from, .on_line = on_line, .data = data};
    struct job_watcher watcher;
    *ret_has_ended = false;
    TRY(watch(job, &watcher));
    struct error *error = follow_until_end(&follower, &watcher, cancel);
    unwatch(job, &watcher);
    TRY(error);
    *ret_has_ended = true;
    return job->outcome == NULL ? NULL : error_copy(job->outcome);
}

bool
job_wait(struct job *job, struct cancel *cancel)
{
    bool is_over = false;
    /* The outcome is its followers' to tell. */
    error_free(job_follow(job, JOB_LINES_FROM_NOW, cancel, NULL, NULL, &is_over));
    return is_over;
}
