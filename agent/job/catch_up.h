/* The gate at the end of a restore: what the primary had executed must be here before the tablet
 * serves. */
#ifndef VTAGENT_JOB_CATCH_UP_H
#define VTAGENT_JOB_CATCH_UP_H

#include "agent/job/run.h"

/* Waits until this server has executed what the shard's primary has executed now. Nothing to wait
 * for without a primary, or when it does not answer (said as a warning). FAILED_PRECONDITION when
 * replication stands still with an error. */
struct error *catch_up_wait(struct job_run *run) ERROR_MUST_CHECK;

#endif
