/* Memory: how much of our control group's limit is used, and how much everything waits for it. */
#ifndef VTAGENT_HEALTH_MEMORY_PRESSURE_H
#define VTAGENT_HEALTH_MEMORY_PRESSURE_H

#include "agent/health/facts.h"

/* From /sys/fs/cgroup (version 2, else 1) and /proc/pressure. What the kernel does not tell is 0.
 */
void memory_pressure_read(struct health_memory *memory);
/* Share of time, 0 to 100, that the "full" line of a pressure file tells for the last 10 s. Pure.
 */
double memory_pressure_parse(const char *text);
/* A limit file's number; 0 for "max" and for what is larger than any machine. Pure. */
uint64_t memory_pressure_parse_limit(const char *text);

#endif
