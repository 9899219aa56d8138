/* The worker process: threads inside, no gRPC, no event loop. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/job/job.h"
#include "agent/job/worker.h"

/* Signals arrive at one thread that waits for them: cancel_request is no signal handler. */
static void *
wait_for_signal(void *data)
{
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    if (sigwait(&ends, &signal_number) == 0)
        cancel_request(data);
    return NULL;
}

static void
prepare_signals(struct cancel *cancel)
{
    sigset_t ends;
    pthread_t thread;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN); /* an agent that went away is an error of write() */
    signal(SIGXFSZ, SIG_IGN); /* so is a file that may not grow */
    if (pthread_create(&thread, NULL, wait_for_signal, cancel) == 0)
        pthread_detach(thread);
}

/* Buffers of some megabytes go back to the system when they are freed, instead of lying between
 * small ones; and threads share what is small. */
static void
save_memory(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

int
job_main(int argc, char **argv)
{
    save_memory();
    /* Lives to the end of the process: the signals' thread uses it. */
    struct cancel *cancel = cancel_new(INT64_MAX);
    struct worker_output output = {.descriptor = STDOUT_FILENO, .cancel = cancel};
    struct worker_options options = {.mode = NULL};
    prepare_signals(cancel);
    /* Without the agent nobody would put mysqld back. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct error *error = worker_options_parse(argc, argv, &options);
    if (error == NULL) {
        error = job_worker_run(&options, &output);
        worker_options_done(&options);
    }
    if (error == NULL)
        return 0;
    worker_output_error(&output, error);
    error_free(error);
    return 1;
}
