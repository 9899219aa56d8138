/* Giving memory back after a start: what it needed is not needed again. */
#ifndef VTAGENT_BASE_TRIM_H
#define VTAGENT_BASE_TRIM_H

/* Returns free heap to the system, and lets go of the pages of program and library code: they are
 * clean, and those that are needed come back from the page cache. Any thread. */
void trim_memory(void);

#endif
