#include <criterion/criterion.h>

#include <signal.h>
#include <string.h>

#include "agent/base/child.h"
#include "agent/job/registry.h"

static int
start_sleeper(void)
{
    static const char *const argv[] = {"/bin/sleep", "600", NULL};
    struct child_options options = child_options_default();
    pid_t pid;
    options.argv = argv;
    cr_assert_null(child_spawn(&options, &pid));
    return (int)pid;
}

Test(registry, a_worker_that_was_left_behind_is_shown_until_it_ends)
{
    struct cancel *stop = cancel_new(INT64_MAX);
    struct job_registry *registry = job_registry_new(stop);
    struct job_stray strays[JOB_STRAYS_MOST];
    int pids[JOB_STRAYS_MOST];
    for (size_t i = 0; i < JOB_STRAYS_MOST; i++) {
        cr_assert_null(job_registry_check_strays(registry));
        pids[i] = start_sleeper();
        job_registry_add_stray(registry, pids[i], "the mount hangs");
    }
    struct error *error = job_registry_check_strays(registry);
    cr_assert(error_is(error, ERROR_UNAVAILABLE));
    cr_assert_not_null(strstr(error->message, "the mount hangs"));
    error_free(error);
    kill(pids[1], SIGKILL);
    while (job_registry_read_strays(registry, strays) == JOB_STRAYS_MOST)
        (void)!cancel_sleep_ms(NULL, 5);
    cr_assert_eq(strays[1].pid, pids[2]);
    cr_assert_null(job_registry_check_strays(registry));
    for (size_t i = 0; i < JOB_STRAYS_MOST; i++)
        kill(pids[i], SIGKILL);
    while (job_registry_read_strays(registry, strays) > 0)
        (void)!cancel_sleep_ms(NULL, 5);
    job_registry_free(registry);
    cancel_unref(stop);
}
