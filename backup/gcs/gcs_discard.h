/* Objects that have served are deleted behind the back of who made them. */
#ifndef VTAGENT_BACKUP_GCS_DISCARD_H
#define VTAGENT_BACKUP_GCS_DISCARD_H

#include "backup/gcs/gcs_api.h"
#include "backup/gcs/gcs_lanes.h"

/* Deletes them on lanes, best effort: what stays is swept up before the backup counts. Any thread.
 */
void gcs_discard(struct gcs_client *client, struct gcs_lanes *lanes,
                 struct gcs_object *take_objects, size_t count);

#endif
