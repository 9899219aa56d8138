#include "agent/job/space.h"

#include "agent/base/file.h"

#define LEAST_PERCENT 5
#define LEAST_BYTES (1ull << 30)

bool
space_is_low(uint64_t free_bytes, uint64_t total_bytes)
{
    return free_bytes < LEAST_BYTES || free_bytes < total_bytes / 100 * LEAST_PERCENT;
}

char *
space_problem(const char *path)
{
    uint64_t free_bytes, total_bytes;
    CLEANUP(error_freep)
    struct error *error = file_system_space(path, &free_bytes, &total_bytes);
    if (error != NULL || !space_is_low(free_bytes, total_bytes))
        return NULL;
    return xasprintf("the file system of '%s' runs full: %llu MB are free", path,
                     (unsigned long long)(free_bytes >> 20));
}
