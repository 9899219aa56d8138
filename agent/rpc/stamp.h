/* Has a file changed since we read it? */
#ifndef VTAGENT_RPC_STAMP_H
#define VTAGENT_RPC_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t modified_ns;
};

struct stamp stamp_of(const char *path); /* zero when there is no such file, or path is empty */
bool stamp_equal(const struct stamp *a, const struct stamp *b);

#endif
