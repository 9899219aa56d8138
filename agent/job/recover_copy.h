/* A copy from an image that the last agent began, and this one goes on with beside the running
 * server; private to this folder. */
#ifndef VTAGENT_JOB_RECOVER_COPY_H
#define VTAGENT_JOB_RECOVER_COPY_H

#include "agent/job/run.h"

/* True: a job goes on with it, and takes the journal. False: there is nothing to go on with. Action
 * thread. */
bool recover_copy(struct job_run *run);
/* The journal's image; success when there is none. */
struct error *recover_drop_image(struct job_run *run) ERROR_MUST_CHECK;

#endif
