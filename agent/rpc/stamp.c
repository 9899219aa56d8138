#include "agent/rpc/stamp.h"

#include <sys/stat.h>

#include "agent/base/memory.h"

struct stamp
stamp_of(const char *path)
{
    struct stat status;
    if (str_is_empty(path) || stat(path, &status) != 0)
        return (struct stamp){.size = 0};
    return (struct stamp){status.st_dev, status.st_ino, status.st_size,
                          status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec};
}

bool
stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns;
}
