/* Putting bytes into a bucket so that they are there once, whole, and ours. Blocking; any thread.
 */
#ifndef VTAGENT_BACKUP_GCS_UPLOAD_H
#define VTAGENT_BACKUP_GCS_UPLOAD_H

#include "backup/gcs/gcs_api.h"

/* What an object must be, to be the one that we meant. */
struct gcs_expected {
    const char *name, *upload_id;
    uint64_t size_bytes;
    uint32_t crc32c;
    bool has_no_crc32c; /* only the size is known */
};
/* After an ALREADY_EXISTS: is it what an earlier attempt of ours made? Then it is returned.
 * ALREADY_EXISTS: somebody else's. UNAVAILABLE: ours but not what was sent, and removed; or it has
 * vanished: another attempt is right. */
struct error *gcs_upload_look(struct gcs_client *client, const struct gcs_expected *expected,
                              struct cancel *cancel,
                              struct gcs_object *ret_object) ERROR_MUST_CHECK;
/* Is what the service says it has made what was sent? If not it is removed: UNAVAILABLE. */
struct error *gcs_upload_check(struct gcs_client *client, const struct gcs_expected *expected,
                               const struct gcs_object *object,
                               struct cancel *cancel) ERROR_MUST_CHECK;
/* A new object of these bytes: in one request, or as a session when they are many. */
struct error *gcs_upload(struct gcs_client *client, const char *name, const char *upload_id,
                         const void *data, size_t size, struct cancel *cancel,
                         struct gcs_object *ret_object) ERROR_MUST_CHECK;
/* A new object of other ones, in this order; they stay. */
struct error *gcs_upload_compose(struct gcs_client *client, const struct gcs_expected *expected,
                                 const struct gcs_object *sources, size_t source_count,
                                 struct cancel *cancel,
                                 struct gcs_object *ret_object) ERROR_MUST_CHECK;

#endif
