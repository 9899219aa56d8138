/* What is mounted where, as the kernel says (/proc/self/mountinfo). Touches no file system. */
#ifndef VTAGENT_BACKUP_MOUNT_H
#define VTAGENT_BACKUP_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"

struct mount {
    char *folder, *type, *source; /* "/backups", "nfs4", "server:/export" */
    char *options;                /* of the mount, a comma, and of its file system */
};
/* The mount that holds this path (without symbolic links). NOT_FOUND. The second form reads a text
 * of that kind. */
struct error *mount_find(const char *path, struct mount *ret_mount) ERROR_MUST_CHECK;
struct error *mount_find_in(const char *text, const char *path,
                            struct mount *ret_mount) ERROR_MUST_CHECK;
void mount_done(struct mount *mount);

/* "nolock": whether it is among the options; "timeo": its value, NULL when it has none. */
bool mount_has_option(const struct mount *mount, const char *name);
char *mount_option(const struct mount *mount, const char *name); /* caller frees */
/* Another machine may change it: names and attributes that we know may be old. */
bool mount_is_network(const struct mount *mount);
/* How long the kernel may believe that a new name is not there; 0: it never does. */
int64_t mount_cache_ms(const struct mount *mount);

#endif
