#include <criterion/criterion.h>

#include <signal.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/memory.h"

Test(child, outputs_and_exit_code_are_collected)
{
    const char *const argv[] = {"sh", "-c", "cat; echo oops >&2; exit 3", NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    struct child_status status;
    struct buffer out = BUFFER_INIT, err = BUFFER_INIT;
    cr_assert_null(child_run(&options, "hello", 1000, NULL, &status, &out, &err));
    cr_assert_str_eq(buffer_text(&out), "hello");
    cr_assert_str_eq(buffer_text(&err), "oops\n");
    cr_assert(!status.is_signaled);
    cr_assert_eq(status.exit_code, 3);
    char *text = child_status_text(&status);
    cr_assert_str_eq(text, "exited with 3");
    freep(&text);
    buffer_done(&out);
    buffer_done(&err);
}

Test(child, missing_program_is_an_error_at_once)
{
    const char *const argv[] = {"/nonexistent/program", NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    pid_t pid;
    struct error *error = child_spawn(&options, &pid);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    error_free(error);
}

Test(child, cancel_ends_the_whole_group)
{
    const char *const argv[] = {"sh", "-c", "sleep 1000 & echo started; wait", NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    struct child_status status;
    struct buffer out = BUFFER_INIT, err = BUFFER_INIT;
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + 200);
    struct error *error = child_run(&options, NULL, 1000, cancel, &status, &out, &err);
    cr_assert(error_is(error, ERROR_DEADLINE_EXCEEDED));
    error_free(error);
    cancel_unref(cancel);
    buffer_done(&out);
    buffer_done(&err);
}

Test(child, alive_means_no_zombie)
{
    const char *const argv[] = {"sleep", "1000", NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    pid_t pid;
    cr_assert_null(child_spawn(&options, &pid));
    cr_assert(child_is_alive(pid));
    cr_assert(child_is_alive(getpid()));
    kill(pid, SIGKILL);
    struct child_status status;
    cr_assert_null(child_wait(pid, NULL, &status));
    cr_assert(status.is_signaled);
    cr_assert_eq(status.exit_code, SIGKILL);
    cr_assert(!child_is_alive(pid));
}
