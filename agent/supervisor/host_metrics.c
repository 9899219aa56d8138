#include "agent/supervisor/host_metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct error *
host_metrics_used_ratio(const char *data_directory, double *ret_ratio)
{
    struct statvfs space;
    if (statvfs(data_directory, &space) != 0)
        return error_from_errno(errno, "file system of '%s'", data_directory);
    if (space.f_blocks == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "the file system of '%s' has no size",
                         data_directory);
    *ret_ratio = (double)(space.f_blocks - space.f_bfree) / (double)space.f_blocks;
    return NULL;
}

struct error *
host_metrics_load(double *ret_load)
{
    double load = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (getloadavg(&load, 1) != 1 || processors < 1)
        return error_new(ERROR_FAILED_PRECONDITION, "the load average cannot be read");
    *ret_load = load / (double)processors;
    return NULL;
}
