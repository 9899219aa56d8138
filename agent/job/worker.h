/* The worker's side of a job: blocking work of backup/, told to the agent line by line. */
#ifndef VTAGENT_JOB_WORKER_H
#define VTAGENT_JOB_WORKER_H

#include "agent/job/worker_options.h"
#include "agent/job/worker_output.h"

/* Does what options->mode says. */
struct error *job_worker_run(const struct worker_options *options,
                             const struct worker_output *output) ERROR_MUST_CHECK;

#endif
