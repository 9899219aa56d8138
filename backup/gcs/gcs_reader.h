/* An object, or a range of one, that is read as a stream: several lanes fetch pieces of one
 * generation ahead of the reader, and go on in the middle of a piece when something breaks. */
#ifndef VTAGENT_BACKUP_GCS_READER_H
#define VTAGENT_BACKUP_GCS_READER_H

#include "backup/gcs/gcs_api.h"
#include "backup/gcs/gcs_lanes.h"

struct gcs_reader;
/* Bytes start to start + size of the object, as far as it goes. When that is all of it, its CRC-32C
 * is checked at the end: DATA_LOSS. An object that goes meanwhile is DATA_LOSS too. */
struct gcs_reader *gcs_reader_new(struct gcs_client *client, struct gcs_lanes *lanes,
                                  const struct gcs_object *object, uint64_t start, uint64_t size,
                                  struct cancel *cancel);
/* *ret_size 0: end. One thread at a time. */
struct error *gcs_reader_read(struct gcs_reader *reader, void *data, size_t size,
                              size_t *ret_size) ERROR_MUST_CHECK;
void gcs_reader_free(struct gcs_reader *reader);

#endif
