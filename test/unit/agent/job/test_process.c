#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/job/process.h"

static int worker_pid;
static struct cancel *cancel_on_line;
static char *last_result;

static void
on_start(int pid, void *data)
{
    (void)data;
    worker_pid = pid;
}

static void
on_log(int level, const char *text, void *data)
{
    (void)level, (void)text, (void)data;
    cancel_request(cancel_on_line);
}

static void
on_result(const char *key, const char *value, void *data)
{
    (void)key, (void)data;
    str_replace(&last_result, value);
}

/* Runs a shell script as the worker. */
static struct error *
run_script(const char *script, const struct process_patience *patience, struct cancel *cancel)
{
    const struct worker_events events = {
        .on_start = on_start, .on_log = on_log, .on_result = on_result};
    struct strv argv = {.items = NULL};
    strv_add(&argv, "/bin/sh");
    strv_add(&argv, "-c");
    strv_add(&argv, script);
    struct error *error = process_run(&argv, &events, patience, cancel);
    strv_done(&argv);
    return error;
}

static void
expect(struct error *error, enum error_code code, const char *part)
{
    cr_assert_not_null(error);
    if (error->code != code || strstr(error->message, part) == NULL)
        fprintf(stderr, "got %s: %s\n", error_code_name(error->code), error->message);
    cr_assert_eq(error->code, code);
    cr_assert_not_null(strstr(error->message, part));
    error_free(error);
}

Test(process, results_and_success)
{
    cr_assert_null(run_script("echo 'result name x'; printf 'result name y\\n'; printf 'half'",
                              &process_patience_default, NULL));
    cr_assert_str_eq(last_result, "y");
    freep(&last_result);
}

Test(process, much_output_is_read_to_its_end)
{
    cr_assert_null(
        run_script("i=0; while [ $i -lt 5000 ]; do echo \"result n $i\"; i=$((i+1)); done",
                   &process_patience_default, NULL));
    cr_assert_str_eq(last_result, "4999");
    freep(&last_result);
}

Test(process, the_reported_error_is_the_result)
{
    expect(run_script("echo 'error 8 storage is full'; exit 1", &process_patience_default, NULL),
           ERROR_RESOURCE_EXHAUSTED, "storage is full");
    expect(run_script("echo 'error 8 storage is full'; exit 0", &process_patience_default, NULL),
           ERROR_RESOURCE_EXHAUSTED, "storage is full");
}

Test(process, an_end_without_word_is_an_error)
{
    expect(run_script("exit 3", &process_patience_default, NULL), ERROR_INTERNAL, "exited with 3");
    expect(run_script("kill -9 $$", &process_patience_default, NULL), ERROR_INTERNAL,
           "killed by signal 9");
}

Test(process, a_program_that_is_not_there_is_an_error)
{
    const struct worker_events events = {.data = NULL};
    struct strv argv = {.items = NULL};
    strv_add(&argv, "/nonexistent/worker");
    struct error *error = process_run(&argv, &events, &process_patience_default, NULL);
    expect(error, ERROR_NOT_FOUND, "/nonexistent/worker");
    strv_done(&argv);
}

Test(process, a_cancel_lets_it_clean_up)
{
    cancel_on_line = cancel_new(INT64_MAX);
    expect(run_script("trap 'echo result cleaned yes; exit 1' TERM; echo 'log 0 ready'; "
                      "while :; do sleep 0.05; done",
                      &process_patience_default, cancel_on_line),
           ERROR_CANCELED, "canceled");
    cr_assert_str_eq(last_result, "yes");
    cr_assert(!child_is_alive(worker_pid));
    cancel_unref(cancel_on_line);
    freep(&last_result);
}

Test(process, one_that_does_not_hear_is_killed)
{
    const struct process_patience patience = {.term_ms = 200, .kill_ms = 60000};
    cancel_on_line = cancel_new(INT64_MAX);
    expect(run_script("trap '' TERM; echo 'log 0 ready'; while :; do sleep 0.05; done", &patience,
                      cancel_on_line),
           ERROR_CANCELED, "canceled");
    cr_assert(!child_is_alive(worker_pid));
    cancel_unref(cancel_on_line);
}

Test(process, a_stopped_one_is_ended_too)
{
    cancel_on_line = cancel_new(INT64_MAX);
    expect(run_script("echo 'log 0 ready'; kill -STOP $$; sleep 600", &process_patience_default,
                      cancel_on_line),
           ERROR_CANCELED, "canceled");
    cr_assert(!child_is_alive(worker_pid));
    cancel_unref(cancel_on_line);
}

Test(process, one_that_cannot_die_is_left_behind)
{
    /* No time at all to die: what a worker in a hung system call looks like. */
    const struct process_patience patience = {.term_ms = 600000, .kill_ms = -600000};
    cancel_on_line = cancel_new(INT64_MAX);
    expect(run_script("trap '' TERM; echo 'log 0 ready'; while :; do sleep 0.05; done", &patience,
                      cancel_on_line),
           ERROR_CANCELED, "left behind");
    cancel_unref(cancel_on_line);
    kill(-worker_pid, SIGKILL);
    struct child_status status;
    cr_assert_null(child_wait(worker_pid, NULL, &status));
}

Test(process, a_deadline_counts_like_a_cancel)
{
    struct cancel *cancel = cancel_new_child(NULL, 300);
    expect(run_script("sleep 600", &process_patience_default, cancel), ERROR_DEADLINE_EXCEEDED, "");
    cancel_unref(cancel);
    cancel = cancel_new(0);
    expect(run_script("sleep 600", &process_patience_default, cancel), ERROR_DEADLINE_EXCEEDED, "");
    cancel_unref(cancel);
}

Test(process, start_times_tell_processes_apart)
{
    uint64_t ticks = process_start_ticks((int)getpid());
    cr_assert_gt(ticks, 0);
    cr_assert_eq(ticks, process_start_ticks((int)getpid()));
    cr_assert_eq(process_start_ticks(0), 0);
    cr_assert_eq(process_start_ticks(-1), 0);
}

Test(process, a_stray_is_ended_only_if_it_is_that_one)
{
    const char *const argv[] = {"/bin/sleep", "600", NULL};
    struct child_options options = child_options_default();
    pid_t pid;
    options.argv = argv;
    cr_assert_null(child_spawn(&options, &pid));
    uint64_t ticks = process_start_ticks(pid);
    cr_assert_null(process_end_stray(pid, ticks + 1, 1000, NULL));
    cr_assert_null(process_end_stray(pid, 0, 1000, NULL));
    cr_assert(child_is_alive(pid));
    cr_assert_null(process_end_stray(pid, ticks, 30000, NULL));
    cr_assert(!child_is_alive(pid));
    struct child_status status;
    cr_assert_null(child_wait(pid, NULL, &status));
    cr_assert(status.is_signaled);
    cr_assert_null(process_end_stray(0, 5, 1000, NULL));
    cr_assert_null(process_end_stray(1, process_start_ticks(1), 1000, NULL));
}

static int left_pid;

static void
on_left(int pid, const char *text, void *data)
{
    (void)text, (void)data;
    left_pid = pid;
}

/* The script plays a worker whose thread is held: it says so, and ignores what can be ignored. */
Test(process, one_that_says_it_is_stuck_is_killed_at_once_and_its_cause_is_the_error)
{
    const struct worker_events events = {.on_start = on_start, .on_left = on_left};
    struct strv argv = {.items = NULL};
    strv_add(&argv, "/bin/sh");
    strv_add(&argv, "-c");
    strv_add(&argv, "trap '' TERM; echo 'stuck sync has taken 3 s'; while :; do sleep 1; done");
    int64_t start_ms = clock_monotonic_ms();
    left_pid = 0;
    expect(process_run(&argv, &events, &process_patience_default, NULL), ERROR_UNAVAILABLE,
           "sync has taken 3 s");
    cr_assert_lt(clock_monotonic_ms() - start_ms, 5000);
    cr_assert(!child_is_alive(worker_pid));
    cr_assert_eq(left_pid, 0);
    strv_done(&argv);
}
