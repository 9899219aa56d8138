/* Counters of gRPC calls: by method, with a latency histogram. Any thread, without locks. */
#ifndef VTAGENT_WEB_METRICS_H
#define VTAGENT_WEB_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/web/exposition.h"

struct metrics;
/* `paths`: the methods that may be called ("/service/Method"), copied; others count as one. */
struct metrics *metrics_new(const char *const *paths, size_t count);
void metrics_free(struct metrics *metrics);
void metrics_count(struct metrics *metrics, const char *path, int code, int64_t microseconds);
uint64_t metrics_total(const struct metrics *metrics);
/* vttablet_grpc_server_handled_total{…} and …_handling_seconds. Methods that were never called are
 * left out. */
void metrics_print(const struct metrics *metrics, struct exposition *exposition);

/* This process, from /proc. Zeroes when it cannot be read. */
struct process_stats {
    uint64_t resident_bytes;
    double cpu_seconds;
    uint64_t open_files, threads;
};
struct process_stats process_stats_read(void);

#endif
