/* An object that is written as a stream: a small one in one piece; a large one as parts that
 * several lanes carry at once and that are composed in the end; or, where parts could not be
 * deleted again, as one session. The object appears at the end or not at all. One thread at a time.
 */
#ifndef VTAGENT_BACKUP_GCS_WRITER_H
#define VTAGENT_BACKUP_GCS_WRITER_H

#include "backup/gcs/gcs_lanes.h"
#include "backup/gcs/gcs_upload.h"

#define GCS_PART_MARK ".part." /* in the names of parts: OBJECT.part.ID.NUMBER */

struct gcs_writer;
/* name: of the object; parts_may_go: false for one session. */
struct gcs_writer *gcs_writer_new(struct gcs_client *client, struct gcs_lanes *lanes,
                                  const char *name, bool parts_may_go, struct cancel *cancel);
struct error *gcs_writer_add(struct gcs_writer *writer, const void *data,
                             size_t size) ERROR_MUST_CHECK;
/* The object is there when it returns NULL. Frees the writer either way. */
struct error *gcs_writer_close(struct gcs_writer *take_writer) ERROR_MUST_CHECK;
/* Leaves parts behind, no object: they go with the backup's folder. */
void gcs_writer_abort(struct gcs_writer *take_writer);

#endif
