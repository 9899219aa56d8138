/* A resumable upload: bytes in order, each sent again from where the service has them whenever
 * something breaks. One thread at a time. */
#ifndef VTAGENT_BACKUP_GCS_SESSION_H
#define VTAGENT_BACKUP_GCS_SESSION_H

#include "backup/gcs/gcs_api.h"

#define GCS_SESSION_STEP_BYTES (256u << 10) /* all but the last send are multiples of it */

struct gcs_session {
    struct gcs_client *client;
    const char *name; /* borrowed */
    char *uri;
    uint64_t stored_bytes; /* that the service has for sure */
    int earlier_failures;  /* of sessions before it: it is given more time */
};
struct error *gcs_session_open(struct gcs_client *client, const char *name, const char *upload_id,
                               struct cancel *cancel,
                               struct gcs_session **ret_session) ERROR_MUST_CHECK;
void gcs_session_free(struct gcs_session *session);
void gcs_session_freep(struct gcs_session **session);
/* Bytes that follow those sent before. After the last of them *ret_object is the finished object.
 * ABORTED: the service does not know the session any more, all of it must be sent anew.
 * ALREADY_EXISTS: look whose. */
struct error *gcs_session_send(struct gcs_session *session, const void *data, size_t size,
                               bool is_last, struct cancel *cancel,
                               struct gcs_object *ret_object) ERROR_MUST_CHECK;

#endif
