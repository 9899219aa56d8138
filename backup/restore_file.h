/* The files that a restore writes. */
#ifndef VTAGENT_BACKUP_RESTORE_FILE_H
#define VTAGENT_BACKUP_RESTORE_FILE_H

#include <stdatomic.h>

#include "backup/kept.h"
#include "backup/readback.h"

struct restore_files {
    const struct manifest *manifest;
    const struct backup_directories *directories;
    atomic_bool *has_room;   /* for each entry: its space was asked for */
    uint64_t *present_bytes; /* for each entry: the size of what lay there; NULL: nothing is kept */
    /* What a check before has found (NULL: the files are read); or, of a check, what it finds. */
    struct kept *kept;
};
/* Fills in present_bytes: bytes that are right already will be kept. */
void restore_files_look(struct restore_files *files);
/* Its data is a struct restore_files. */
extern const struct readback_target restore_file_target;
/* The same, only looking: nothing is written. */
extern const struct readback_target restore_present_target;

#endif
