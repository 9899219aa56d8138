/* A picture of an agent for the tests of pages. */
#ifndef VTAGENT_TEST_WEB_PICTURE_H
#define VTAGENT_TEST_WEB_PICTURE_H

#include "agent/web/pages.h"

/* A replica that serves. Static storage; each call makes it anew. */
struct pages_picture *picture_of_replica(void);
/* A backup that is half done. */
struct job_view picture_running_job(void);
/* The HTML status page. Caller frees. */
char *picture_html(const struct pages_picture *picture);

#endif
