#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/supervisor/process.h"

/* A child whose command line looks like a server's. It stops itself: a shell that starts another
 * program would for a moment be there twice. */
static pid_t
spawn_pretender(const char *my_cnf)
{
    CLEANUP(freep) char *word = xasprintf("--defaults-file=%s", my_cnf);
    const char *const argv[] = {"/bin/sh", "-c", "kill -STOP $$; :", "pretender", word, NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    pid_t pid = 0;
    cr_assert_null(child_spawn(&options, &pid));
    /* The spawn returns before the new program's command line can be read. */
    for (int i = 0; i < 30000 && !process_has_word(pid, "pretender"); i++)
        cr_assert_null(cancel_sleep_ms(NULL, 1));
    return pid;
}

Test(process, servers_are_found_by_their_my_cnf_and_killed)
{
    CLEANUP(freep) char *my_cnf = xasprintf("/nonexistent/%d/my.cnf", (int)getpid());
    pid_t pids[4];
    cr_assert_eq(process_find(my_cnf, pids, 4), 0);
    pid_t pid = spawn_pretender(my_cnf);
    cr_assert_eq(process_find(my_cnf, pids, 4), 1);
    cr_assert_eq(pids[0], pid);
    cr_assert(process_has_word(pid, "pretender"));
    cr_assert(process_has_word(pid, "--defaults-file="));
    cr_assert(!process_has_word(pid, "--defaults"));
    CLEANUP(closep) int pidfd = process_open(pid);
    CLEANUP(error_freep) struct error *alive = process_wait_end(pidfd, NULL, 1);
    cr_assert(error_is(alive, ERROR_DEADLINE_EXCEEDED));
    cr_assert_null(process_kill_all(my_cnf, 30000));
    cr_assert_null(process_wait_end(pidfd, NULL, 30000));
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(WTERMSIG(status), SIGKILL);
}

Test(process, waits_end_with_their_cancel)
{
    CLEANUP(freep) char *my_cnf = xasprintf("/nonexistent/%d/wait.cnf", (int)getpid());
    pid_t pid = spawn_pretender(my_cnf);
    CLEANUP(closep) int pidfd = process_open(pid);
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new(INT64_MAX);
    cancel_request(cancel);
    CLEANUP(error_freep) struct error *error = process_wait_end(pidfd, cancel, 60000);
    cr_assert(error_is(error, ERROR_CANCELED));
    kill(-pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(process, orphans_are_reaped_but_not_the_known_child)
{
    CLEANUP(freep) char *my_cnf = xasprintf("/nonexistent/%d/reap.cnf", (int)getpid());
    pid_t known = spawn_pretender(my_cnf), other = spawn_pretender(my_cnf);
    CLEANUP(closep) int known_fd = process_open(known);
    CLEANUP(closep) int other_fd = process_open(other);
    kill(-known, SIGKILL);
    kill(-other, SIGKILL);
    cr_assert_null(process_wait_end(known_fd, NULL, 30000));
    cr_assert_null(process_wait_end(other_fd, NULL, 30000));
    process_reap_orphans(known);
    cr_assert_eq(waitpid(other, NULL, WNOHANG), -1);
    cr_assert_eq(waitpid(known, NULL, WNOHANG), known);
}
