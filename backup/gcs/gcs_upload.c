#include "backup/gcs/gcs_upload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backup/gcs/gcs_session.h"

#define ONE_REQUEST_SHARE 8 /* of a part: an attempt that breaks costs no more than this */

static bool
is_as_sent(const struct gcs_expected *expected, const struct gcs_object *object)
{
    return object->size_bytes == expected->size_bytes &&
           (expected->has_no_crc32c || (object->has_crc32c && object->crc32c == expected->crc32c));
}

/* What is stored wrongly must not stay under that name; its generation is known, so nothing else is
 * hit. */
static struct error *
remove_wrong(struct gcs_client *client, const struct gcs_object *object, struct cancel *cancel)
{
    TRY(error_wrap(gcs_api_delete(client, object->name, object->generation, cancel),
                   "object '%s' was stored wrongly and cannot be removed", object->name));
    return error_new(ERROR_UNAVAILABLE,
                     "object '%s' was stored wrongly (%" PRIu64 " bytes, checksum differs)",
                     object->name, object->size_bytes);
}

struct error *
gcs_upload_look(struct gcs_client *client, const struct gcs_expected *expected,
                struct cancel *cancel, struct gcs_object *ret_object)
{
    CLEANUP(gcs_object_done) struct gcs_object object = {.name = NULL};
    struct error *error = gcs_api_get(client, expected->name, cancel, &object);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error->code = ERROR_UNAVAILABLE;
        return error;
    }
    TRY(error);
    if (strcmp(object.upload_id, expected->upload_id) != 0)
        return error_new(ERROR_ALREADY_EXISTS,
                         "object '%s' exists in bucket '%s' and is not ours: does another tablet "
                         "write this backup",
                         expected->name, client->bucket);
    if (!is_as_sent(expected, &object))
        return remove_wrong(client, &object, cancel);
    *ret_object = object;
    object = (struct gcs_object){.name = NULL};
    return NULL;
}

struct error *
gcs_upload_check(struct gcs_client *client, const struct gcs_expected *expected,
                 const struct gcs_object *object, struct cancel *cancel)
{
    if (strcmp(object->name, expected->name) != 0)
        return error_new(ERROR_INTERNAL, "bucket '%s' answers '%s' with another object",
                         client->bucket, expected->name);
    return is_as_sent(expected, object) ? NULL : remove_wrong(client, object, cancel);
}

static struct error *
send_session(struct gcs_client *client, const struct gcs_expected *expected, const void *data,
             int failures, struct cancel *cancel, struct gcs_object *ret_object)
{
    CLEANUP(gcs_session_freep) struct gcs_session *session = NULL;
    TRY(gcs_session_open(client, expected->name, expected->upload_id, cancel, &session));
    session->earlier_failures = failures;
    struct error *error =
        gcs_session_send(session, data, expected->size_bytes, true, cancel, ret_object);
    if (error_is(error, ERROR_ABORTED)) /* all bytes are still here */
        error->code = ERROR_UNAVAILABLE;
    return error;
}

/* One attempt, of whatever kind, and what is there after it. */
static struct error *
settle(struct gcs_client *client, const struct gcs_expected *expected, struct error *take_error,
       struct gcs_object *object, struct cancel *cancel)
{
    if (error_is(take_error, ERROR_ALREADY_EXISTS)) {
        error_free(take_error);
        return gcs_upload_look(client, expected, cancel, object);
    }
    TRY(take_error);
    struct error *error = gcs_upload_check(client, expected, object, cancel);
    if (error != NULL)
        gcs_object_done(object);
    return error;
}

struct error *
gcs_upload(struct gcs_client *client, const char *name, const char *upload_id, const void *data,
           size_t size, struct cancel *cancel, struct gcs_object *ret_object)
{
    const struct gcs_expected expected = {name, upload_id, size, gcs_crc32c(0, data, size), false};
    struct gcs_retry retry = gcs_retry_begin(&client->budget);
    for (;;) {
        struct gcs_object object = {.name = NULL};
        struct error *error =
            size <= client->part_bytes / ONE_REQUEST_SHARE
                ? gcs_api_insert(client, name, upload_id, data, size, cancel, &object)
                : send_session(client, &expected, data, retry.failures, cancel, &object);
        error = settle(client, &expected, error, &object, cancel);
        if (error == NULL) {
            *ret_object = object;
            return NULL;
        }
        TRY(gcs_retry_pause(&retry, error, 0, cancel));
    }
}

struct error *
gcs_upload_compose(struct gcs_client *client, const struct gcs_expected *expected,
                   const struct gcs_object *sources, size_t source_count, struct cancel *cancel,
                   struct gcs_object *ret_object)
{
    struct gcs_retry retry = gcs_retry_begin(&client->budget);
    for (;;) {
        struct gcs_object object = {.name = NULL};
        struct error *error = gcs_api_compose(client, expected->name, expected->upload_id, sources,
                                              source_count, cancel, &object);
        error = settle(client, expected, error, &object, cancel);
        if (error == NULL) {
            *ret_object = object;
            return NULL;
        }
        TRY(gcs_retry_pause(&retry, error, 0, cancel));
    }
}
