/* What a backup has stored so far, in a local file: for the next attempt after this process was
 * killed. Fixed records of what is in the storage for good, each with its own checksum; what a
 * record does not cover is copied again. The file counts for the same files, settings, backup and
 * start of the machine (what a power failure has left is not trusted). */
#ifndef VTAGENT_BACKUP_TAKE_PROGRESS_H
#define VTAGENT_BACKUP_TAKE_PROGRESS_H

#include "backup/take.h"

/* Once the take is planned. Opens the file at options->progress_path (NULL: nothing is recorded).
 * With options->resumes, objects go on from what it tells; true when there is any. A file that
 * cannot be written is no reason to fail: this backup cannot be resumed then. */
bool take_progress_open(struct take *take);
void take_progress_close(struct take *take);
/* A chunk was written to its object, whose length and checksum include it. Any thread. */
void take_progress_chunk(struct take *take, const struct take_file *object,
                         const struct take_chunk *chunk);
/* The object is closed. */
void take_progress_finished(struct take *take, const struct take_file *object);
/* Forgets what was told about an object: it is not in the storage. */
void take_progress_reset(struct take *take, struct take_file *object);

#endif
