/* Which files of a stopped server belong into a backup. Source: backup-restore 3.1, with what
 * Vitess leaves out (undo tablespaces, tablespaces in the datadir's root, MariaDB's Aria logs,
 * databases without files) and without what it trips over (folders, sockets). */
#ifndef VTAGENT_BACKUP_FILES_H
#define VTAGENT_BACKUP_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"
#include "backup/backup.h"

struct backup_file {
    const char *base; /* static */
    char *name;       /* relative to the base */
    char *path;
    uint64_t size_bytes;
};
struct backup_files {
    struct backup_file *items; /* in the order of the MANIFEST */
    size_t count, capacity;
    uint64_t total_bytes;
    struct strv empty_directories; /* below the datadir */
};
struct error *backup_files_select(const struct backup_directories *directories,
                                  struct backup_files *ret_files) ERROR_MUST_CHECK;
void backup_files_done(struct backup_files *files);

#endif
