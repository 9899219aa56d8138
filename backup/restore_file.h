/* The files that a restore writes. */
#ifndef VTAGENT_BACKUP_RESTORE_FILE_H
#define VTAGENT_BACKUP_RESTORE_FILE_H

#include <stdatomic.h>

#include "backup/readback.h"

struct restore_files {
    const struct manifest *manifest;
    const struct backup_directories *directories;
    atomic_bool *has_room; /* for each entry: its space was asked for */
};
/* Caller frees. */
char *restore_file_path(const struct restore_files *files, const struct manifest_entry *entry);
/* Its data is a struct restore_files. */
extern const struct readback_target restore_file_target;

#endif
