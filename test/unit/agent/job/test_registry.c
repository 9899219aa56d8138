#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/job/registry.h"

#define PATIENCE_MS 20000

static struct cancel *stop;
static struct job_registry *registry;
static struct worker *workers[3]; /* action, job, callers */
static atomic_int freed, begun;

static void
set_up(void)
{
    static const size_t threads[] = {1, 1, 4};
    stop = cancel_new(INT64_MAX);
    registry = job_registry_new(stop);
    atomic_store(&freed, 0);
    atomic_store(&begun, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(workers); i++) {
        struct error *error = worker_new("test", threads[i], &workers[i]);
        cr_assert_null(error);
    }
}

static void
tear_down(void)
{
    cancel_request(stop);
    for (size_t i = 0; i < ARRAY_LENGTH(workers); i++)
        worker_free(workers[i]);
    job_registry_free(registry);
    cancel_unref(stop);
}

static void
count_freed(void *data)
{
    (void)data;
    atomic_fetch_add(&freed, 1);
}

/* ---- Jobs of the test's ---- */
static struct error *
work_until_canceled(struct job *job, void *data)
{
    (void)data;
    atomic_fetch_add(&begun, 1);
    job_set_phase(job, "copy");
    job_add_line(job, LINE_INFO, "copying");
    return cancel_sleep_ms(job_cancel(job), PATIENCE_MS);
}

static struct error *
say_one(struct job *job, void *data)
{
    (void)data;
    job_add_line(job, LINE_INFO, "one");
    return NULL;
}

static struct error *
say_two_and_fail(struct job *job, void *data)
{
    (void)data;
    job_add_line(job, LINE_WARNING, "two");
    return error_new(ERROR_DATA_LOSS, "it is broken");
}

static struct error *
fail_at_once(struct job *job, void *data)
{
    (void)job, (void)data;
    return error_new(ERROR_NOT_FOUND, "nothing is there");
}

static struct error *
start(const char *parameters, struct error *(*first)(struct job *, void *),
      struct error *(*second)(struct job *, void *), struct job **ret_job, bool *ret_is_attached)
{
    const struct job_plan plan = {.kind = JOB_BACKUP,
                                  .parameters = parameters,
                                  .first = {workers[0], first},
                                  .second = {workers[1], second},
                                  .free_data = count_freed};
    return job_start(registry, &plan, ret_job, ret_is_attached);
}

static struct job *
must_start(const char *parameters, struct error *(*first)(struct job *, void *),
           struct error *(*second)(struct job *, void *))
{
    struct job *job = NULL;
    bool is_attached = true;
    struct error *error = start(parameters, first, second, &job, &is_attached);
    cr_assert_null(error);
    cr_assert(!is_attached);
    return job;
}

static void
await_begun(int wanted)
{
    for (int64_t end = clock_monotonic_ms() + PATIENCE_MS; atomic_load(&begun) < wanted;) {
        cr_assert(clock_monotonic_ms() < end);
        error_free(cancel_sleep_ms(NULL, 1));
    }
}

/* ---- What a follower heard ---- */
struct heard {
    char text[4096];
    size_t count;
};

static void
hear(int level, const char *text, void *data)
{
    struct heard *heard = data;
    size_t length = strlen(heard->text);
    if (length < sizeof(heard->text))
        snprintf(heard->text + length, sizeof(heard->text) - length, "%d %s\n", level, text);
    heard->count++;
}

static struct error *
follow(struct job *job, uint64_t from, struct heard *heard)
{
    bool has_ended = false;
    struct error *error = job_follow(job, from, NULL, hear, heard, &has_ended);
    cr_assert(has_ended);
    return error;
}

static void
must_be(struct error *take_error, enum error_code code, const char *part)
{
    cr_assert_not_null(take_error);
    cr_assert_eq(take_error->code, code);
    cr_assert_not_null(strstr(take_error->message, part));
    error_free(take_error);
}

static struct error *
cancel_id(const char *id, size_t *ret_count)
{
    struct job_view views[JOB_KIND_COUNT];
    return job_registry_cancel(registry, id, NULL, views, ret_count);
}

Test(registry, a_follower_hears_every_line_of_both_steps_and_the_outcome, .init = set_up,
     .fini = tear_down)
{
    struct heard heard = {.count = 0};
    struct job *job = must_start("a", say_one, say_two_and_fail);
    must_be(follow(job, 0, &heard), ERROR_DATA_LOSS, "it is broken");
    cr_assert_str_eq(heard.text, "0 one\n1 two\n");
    struct job_view view;
    job_read(job, &view);
    cr_assert_eq(view.state, JOB_FAILED);
    cr_assert_str_eq(view.id, "backup-1");
    cr_assert_str_eq(view.error, "it is broken");
    cr_assert(view.end_time_ns >= view.start_time_ns);
    cr_assert_eq(atomic_load(&freed), 1);
    job_unref(job);
}

Test(registry, the_second_step_is_left_out_when_the_first_fails, .init = set_up, .fini = tear_down)
{
    struct heard heard = {.count = 0};
    struct job *job = must_start("a", fail_at_once, say_one);
    must_be(follow(job, 0, &heard), ERROR_NOT_FOUND, "nothing is there");
    cr_assert_eq(heard.count, 0u);
    job_unref(job);
}

Test(registry, the_same_parameters_attach_and_others_are_refused_by_name, .init = set_up,
     .fini = tear_down)
{
    struct job *first = must_start("a", work_until_canceled, NULL);
    await_begun(1);
    struct job *second = NULL, *third = NULL;
    bool is_attached = false;
    struct error *error = start("a", work_until_canceled, NULL, &second, &is_attached);
    cr_assert_null(error);
    cr_assert(is_attached);
    cr_assert_eq(first, second);
    must_be(start("b", work_until_canceled, NULL, &third, &is_attached), ERROR_UNKNOWN,
            "a backup is already running: backup-1 (a) since ");
    cr_assert_eq(atomic_load(&freed), 2); /* what was not needed */
    must_be(job_begin(registry, JOB_BACKUP, "a", &third), ERROR_UNKNOWN, "already running");
    size_t count = 0;
    error = cancel_id("backup-1", &count);
    cr_assert_null(error);
    struct heard heard = {.count = 0};
    must_be(follow(second, JOB_LINES_FROM_NOW, &heard), ERROR_CANCELED, "job 'backup-1': canceled");
    cr_assert_eq(heard.count, 0u);
    job_unref(first);
    job_unref(second);
    cr_assert_eq(atomic_load(&begun), 1);
}

Test(registry, a_caller_that_goes_away_leaves_the_job_alone, .init = set_up, .fini = tear_down)
{
    struct heard heard = {.count = 0};
    struct job *job = must_start("a", work_until_canceled, NULL);
    await_begun(1);
    struct cancel *callers = cancel_new(clock_monotonic_ms() + 20);
    bool has_ended = true;
    must_be(job_follow(job, 0, callers, hear, &heard, &has_ended), ERROR_DEADLINE_EXCEEDED, "");
    cr_assert(!has_ended);
    struct job_view view;
    job_read(job, &view);
    cr_assert_eq(view.state, JOB_RUNNING);
    cancel_unref(callers);
    job_unref(job);
}

Test(registry, canceling_waits_for_the_end_and_names_what_runs, .init = set_up, .fini = tear_down)
{
    size_t count = 7;
    must_be(cancel_id("backup-9", &count), ERROR_NOT_FOUND, "no job 'backup-9': none runs");
    struct job *job = must_start("a", work_until_canceled, NULL);
    await_begun(1);
    must_be(cancel_id("backup-9", &count), ERROR_NOT_FOUND, "no job 'backup-9': 'backup-1' runs");
    struct error *error = cancel_id("all", &count);
    cr_assert_null(error);
    cr_assert_eq(count, 1u);
    struct job_view view;
    job_read(job, &view);
    cr_assert_eq(view.state, JOB_CANCELED);
    must_be(cancel_id("backup-1", &count), ERROR_FAILED_PRECONDITION,
            "job 'backup-1' has ended already (canceled)");
    error = cancel_id("all", &count);
    cr_assert_null(error);
    cr_assert_eq(count, 0u);
    job_unref(job);
}

static struct error *
ignore_cancel(struct job *job, void *data)
{
    atomic_fetch_add(&begun, 1);
    struct cancel *release = data;
    job_set_phase(job, "put-back");
    return cancel_sleep_ms(release, PATIENCE_MS);
}

Test(registry, canceling_a_job_that_does_not_end_says_so, .init = set_up, .fini = tear_down)
{
    struct cancel *release = cancel_new(INT64_MAX);
    const struct job_plan plan = {.kind = JOB_RESTORE,
                                  .parameters = "a",
                                  .first = {workers[0], ignore_cancel},
                                  .data = release};
    struct job *job = NULL;
    bool is_attached = false;
    struct error *error = job_start(registry, &plan, &job, &is_attached);
    cr_assert_null(error);
    await_begun(1);
    struct cancel *patience = cancel_new(clock_monotonic_ms() + 20);
    struct job_view views[JOB_KIND_COUNT];
    size_t count = 0;
    must_be(job_registry_cancel(registry, "restore-1", patience, views, &count),
            ERROR_DEADLINE_EXCEEDED, "still busy (put-back)");
    cr_assert_eq(job_registry_drain(registry, patience), 1u);
    cancel_request(release);
    cr_assert_eq(job_registry_drain(registry, NULL), 0u);
    cancel_unref(patience);
    cancel_unref(release);
    job_unref(job);
}

Test(registry, a_job_that_waits_is_canceled_without_its_turn, .init = set_up, .fini = tear_down)
{
    struct job *running = NULL, *waiting;
    bool is_attached = false;
    const struct job_plan plan = {
        .kind = JOB_RESTORE, .parameters = "a", .first = {workers[0], work_until_canceled}};
    struct error *error = job_start(registry, &plan, &running, &is_attached);
    cr_assert_null(error);
    await_begun(1);
    waiting = must_start("a", work_until_canceled, NULL);
    size_t count = 0;
    error = cancel_id("backup-2", &count);
    cr_assert_null(error);
    struct heard heard = {.count = 0};
    must_be(follow(waiting, 0, &heard), ERROR_CANCELED, "canceled before it began");
    cr_assert_eq(heard.count, 0u);
    error = cancel_id("restore-1", &count);
    cr_assert_null(error);
    job_unref(running);
    job_unref(waiting);
    worker_free(workers[0]);
    workers[0] = NULL;
    cr_assert_eq(atomic_load(&begun), 1);
    cr_assert_eq(atomic_load(&freed), 1);
}

Test(registry, a_stopping_agent_ends_all_jobs, .init = set_up, .fini = tear_down)
{
    struct job *job = must_start("a", work_until_canceled, NULL);
    await_begun(1);
    cancel_request(stop);
    cr_assert_eq(job_registry_drain(registry, NULL), 0u);
    job_unref(job);
    job = must_start("a", work_until_canceled, NULL);
    struct heard heard = {.count = 0};
    must_be(follow(job, 0, &heard), ERROR_CANCELED, "canceled");
    cr_assert_eq(atomic_load(&begun), 1);
    job_unref(job);
}

Test(registry, a_follower_that_is_too_slow_is_told_how_much_it_missed, .init = set_up,
     .fini = tear_down)
{
    struct job *job = NULL;
    struct error *error = job_begin(registry, JOB_VERIFY, "x", &job);
    cr_assert_null(error);
    for (int i = 0; i < JOB_LINES_KEPT + 10; i++) {
        char text[32];
        snprintf(text, sizeof(text), "line %d", i);
        job_add_line(job, LINE_INFO, text);
    }
    struct heard heard = {.count = 0};
    struct cancel *callers = cancel_new(clock_monotonic_ms() + 20);
    bool has_ended = true;
    error_free(job_follow(job, 3, callers, hear, &heard, &has_ended));
    cr_assert_eq(heard.count, (size_t)JOB_LINES_KEPT + 1);
    cr_assert(
        strncmp(heard.text, "1 7 lines are left out: see the tablet's log\n0 line 10\n", 54) == 0);
    cancel_unref(callers);
    job_end(job, NULL);
}

Test(registry, long_texts_are_cut, .init = set_up, .fini = tear_down)
{
    char *text = xmalloc(JOB_LINE_MOST * 4 + 1);
    memset(text, 'x', JOB_LINE_MOST * 4);
    text[JOB_LINE_MOST * 4] = '\0';
    struct job *job = NULL;
    struct error *error = job_begin(registry, JOB_VERIFY, text, &job);
    cr_assert_null(error);
    job_add_line(job, LINE_INFO, text);
    job_set_phase(job, text);
    job_set_backup_name(job, text);
    struct job_view view;
    job_read(job, &view);
    cr_assert_eq(strlen(view.parameters), sizeof(view.parameters) - 1);
    cr_assert_eq(strlen(view.phase), sizeof(view.phase) - 1);
    cr_assert_eq(strlen(view.last_line), sizeof(view.last_line) - 1);
    error = error_new(ERROR_INTERNAL, "%s", text);
    job_end(job, error);
    error_free(error);
    free(text);
}

Test(registry, the_last_ended_jobs_are_remembered_and_repetitions_count_as_one, .init = set_up,
     .fini = tear_down)
{
    static struct job_summary summary;
    char parameters[16];
    for (int i = 0; i < JOB_ENDED_MOST + 5; i++) {
        snprintf(parameters, sizeof(parameters), "%d", i);
        struct job *job = NULL;
        struct error *error = job_begin(registry, JOB_RESTORE, parameters, &job);
        cr_assert_null(error);
        job_end(job, NULL);
    }
    job_registry_read(registry, &summary);
    cr_assert_eq(summary.count, (size_t)JOB_ENDED_MOST);
    cr_assert_str_eq(summary.views[0].parameters, parameters);
    cr_assert_str_eq(summary.views[0].id, "restore-17");
    cr_assert_eq(summary.ended[JOB_RESTORE][JOB_DONE], (uint64_t)JOB_ENDED_MOST + 5);
    for (int i = 0; i < 3; i++) {
        struct job *job = NULL;
        struct error *error = job_begin(registry, JOB_RESTORE, "a", &job);
        cr_assert_null(error);
        error = error_new(ERROR_NOT_FOUND, "no backup");
        job_end(job, error);
        error_free(error);
    }
    job_registry_read(registry, &summary);
    cr_assert_str_eq(summary.views[0].id, "restore-20");
    cr_assert_str_eq(summary.views[1].id, "restore-17");
    cr_assert_eq(summary.ended[JOB_RESTORE][JOB_FAILED], 3u);
}

Test(registry, progress_tells_speed_and_rest_of_the_phase, .init = set_up, .fini = tear_down)
{
    struct job *job = NULL;
    struct job_view view;
    struct error *error = job_begin(registry, JOB_BACKUP, "x", &job);
    cr_assert_null(error);
    job_set_phase(job, "copy");
    job_set_progress(job, 0, 100 << 20);
    job_read(job, &view);
    cr_assert_eq(view.rate_bytes_per_second, 0u);
    cr_assert_eq(view.remaining_seconds, -1);
    error_free(cancel_sleep_ms(NULL, 300));
    job_set_progress(job, 50 << 20, 100 << 20);
    job_read(job, &view);
    cr_assert(view.rate_bytes_per_second > 0);
    cr_assert(view.rate_bytes_per_second <= (50 << 20) * 4);
    cr_assert(view.remaining_seconds >= 0);
    char *text = job_describe(&view);
    cr_assert_not_null(strstr(text, "copy, 50.0%"));
    free(text);
    text = job_speed_text(&view);
    cr_assert_not_null(strstr(text, " MB/s, "));
    free(text);
    job_set_phase(job, "verify");
    job_read(job, &view);
    cr_assert_eq(view.total_bytes, 0u);
    cr_assert_eq(view.rate_bytes_per_second, 0u);
    job_end(job, NULL);
}

Test(registry, progress_as_a_line)
{
    struct job_view view = {.phase = "copy",
                            .done_bytes = 24 << 20,
                            .total_bytes = 96 << 20,
                            .rate_bytes_per_second = 36 << 20,
                            .remaining_seconds = 2};
    char *text = job_progress_text(&view);
    cr_assert_str_eq(text, "copy: 25.0%, 24 of 96 MB, 36 MB/s, 2 s left");
    free(text);
    view = (struct job_view){.remaining_seconds = -1};
    text = job_progress_text(&view);
    cr_assert_str_eq(text, "100.0%, 0 of 0 MB");
    free(text);
}

/* ---- Many at once, for the sanitizer ---- */
static void
follow_on_thread(void *data)
{
    struct job *job = NULL;
    bool is_attached = false;
    (void)data;
    struct error *error = start("a", work_until_canceled, say_one, &job, &is_attached);
    if (error != NULL) { /* the last one is on its way out */
        error_free(error);
        return;
    }
    struct heard heard = {.count = 0};
    error_free(follow(job, is_attached ? JOB_LINES_FROM_NOW : 0, &heard));
    job_unref(job);
}

Test(registry, callers_readers_and_cancels_at_once, .init = set_up, .fini = tear_down)
{
    static struct job_summary summary;
    for (int i = 0; i < 40; i++)
        worker_submit(workers[2], follow_on_thread, NULL);
    for (int64_t end = clock_monotonic_ms() + PATIENCE_MS; worker_pending(workers[2]) > 0;) {
        size_t count = 0;
        cr_assert(clock_monotonic_ms() < end);
        job_registry_read(registry, &summary);
        struct error *error = cancel_id("all", &count);
        cr_assert_null(error);
    }
    cr_assert_eq(job_registry_drain(registry, NULL), 0u);
}
