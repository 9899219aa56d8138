/* A server's directories before a restore: how much is in them, and emptying them. */
#ifndef VTAGENT_BACKUP_TREE_H
#define VTAGENT_BACKUP_TREE_H

#include <stdint.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"

/* Bytes that the files below a path occupy; 0 for a missing one. Links are not followed, nor is
 * another file system entered. */
uint64_t tree_allocated_bytes(const char *path);
/* Removes everything below a directory but the file `keep_path` (may be NULL) and those of
 * `keep_files` (sorted; may be empty) that can be written in place: plain files that have one name
 * and let themselves be read and written. The directory stays. A missing directory is success. */
struct error *tree_empty(const char *path, const char *keep_path,
                         const struct strv *keep_files) ERROR_MUST_CHECK;
/* Removes the files that begin with this path and a dot: "/d/vt-bin" takes "/d/vt-bin.000001". */
struct error *tree_remove_prefixed(const char *prefix) ERROR_MUST_CHECK;

#endif
