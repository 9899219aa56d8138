/* The lines of a long job. On a terminal, lines that tell a percentage overwrite each other and get
 * speed and time left added; elsewhere every line stays. */
#ifndef VTAGENT_CTL_PROGRESS_H
#define VTAGENT_CTL_PROGRESS_H

#include "agent/ctl/session.h"

struct progress;
struct progress *progress_new(struct ctl *ctl);
/* level: logutil.Level. */
void progress_show(struct progress *progress, int level, const char *text);
void progress_free(struct progress *progress); /* ends an open line */

/* The last number before a '%' in the text, 0 to 100; -1: none. */
double progress_percent(const char *text);
/* The first number of "12 of 80 MB"; -1: there is none. */
double progress_megabytes(const char *text);
/* "1h02m", "3m20s", "15s"; caller frees. */
char *progress_duration(int64_t milliseconds);

#endif
