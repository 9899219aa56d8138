/* A bucket's own rows (what it does with what is deleted, whose clock is right), and its probe: an
 * object beside the backups' folders, in nobody's list of them. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "backup/gcs/gcs_upload.h"
#include "backup/storage_check.h"
#include "backup/storage_gcs.h"

#define DAY_S 86400
#define SKEW_MOST_S 60
#define TABOO "a probe could not be deleted from a bucket with a retention policy"

static char *
probe_path(struct storage *storage, const char *directory, const char *name)
{
    const struct storage_gcs *gcs = (const struct storage_gcs *)storage;
    return xasprintf("%s%s%s/%s", gcs->root, gcs->root[0] == '\0' ? "" : "/", directory, name);
}

static struct gcs_client *
client_of(struct storage *storage)
{
    return ((struct storage_gcs *)storage)->client;
}

struct error *
storage_gcs_probe_write(struct storage *storage, struct cancel *cancel, const char *directory,
                        const char *name, const void *data, size_t size)
{
    char id[GCS_UPLOAD_ID_BYTES];
    CLEANUP(freep) char *path = probe_path(storage, directory, name);
    CLEANUP(gcs_object_done) struct gcs_object made = {.name = NULL};
    gcs_upload_id_make(id);
    return gcs_upload(client_of(storage), path, id, data, size, cancel, &made);
}

struct body {
    struct buffer *buffer;
    size_t size;
};

/* A short one is asked for again. */
static struct error *
take_body(const struct gcs_answer *answer, void *data)
{
    const struct body *body = data;
    if (answer->body.length_bytes != body->size)
        return error_new(ERROR_UNAVAILABLE, "the storage returns %zu bytes instead of %zu",
                         answer->body.length_bytes, body->size);
    buffer_clear(body->buffer);
    buffer_append(body->buffer, answer->body.data, answer->body.length_bytes);
    return NULL;
}

struct error *
storage_gcs_probe_read(struct storage *storage, struct cancel *cancel, const char *directory,
                       const char *name, size_t size, struct buffer *buffer)
{
    CLEANUP(freep) char *path = probe_path(storage, directory, name);
    CLEANUP(freep) char *base = gcs_client_url(client_of(storage), path);
    CLEANUP(freep) char *url = xasprintf("%s?alt=media", base);
    const struct gcs_request request = {.method = "GET", .url = url};
    struct body body = {buffer, size};
    return gcs_client_call(client_of(storage), &request, path, cancel, take_body, &body);
}

struct error *
storage_gcs_probe_delete(struct storage *storage, struct cancel *cancel, const char *directory,
                         const char *name)
{
    CLEANUP(freep) char *path = probe_path(storage, directory, name);
    return gcs_api_delete(client_of(storage), path, 0, cancel);
}

/* ---- Rows ---- */

static void
judge_policies(const struct gcs_client *client, const struct gcs_bucket *bucket,
               struct check_result *result)
{
    CLEANUP(freep)
    char *clear = xasprintf("'gcloud storage buckets update gs://%s --clear-soft-delete' ends that",
                            client->bucket);
    if (bucket->retention_s > 0)
        check_warn(result, "keep backups in a bucket without one, or live with it",
                   "bucket '%s' has a retention policy of %lld s: backups, failed ones too, cannot "
                   "be removed before, and large files are stored over one connection each",
                   client->bucket, (long long)bucket->retention_s);
    else if (bucket->soft_delete_s > 0)
        check_warn(result, clear,
                   "bucket '%s' keeps deleted objects for %.1f days (soft delete): the parts of "
                   "large files count twice for so long",
                   client->bucket, (double)bucket->soft_delete_s / DAY_S);
    else
        check_ok(result, "bucket '%s' has neither retention policy nor soft delete",
                 client->bucket);
}

/* Objects are another right than the bucket is: without this one nothing is lost. */
static void
check_policies(void *data, struct cancel *cancel, struct check_result *result)
{
    struct storage_subject *subject = data;
    struct gcs_bucket bucket = {0};
    struct error *error = gcs_api_bucket(client_of(subject->storage), cancel, &bucket);
    if (error == NULL)
        judge_policies(client_of(subject->storage), &bucket, result);
    else if (error_is(error, ERROR_PERMISSION_DENIED))
        check_skip(result, "these credentials may not look at the bucket itself");
    else
        check_fail(result, error_copy(error), "");
    error_free(error);
    if (bucket.retention_s > 0)
        subject->probe_taboo = TABOO;
    subject->server_date_s = bucket.date_seconds;
}

static void
check_clock(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct storage_subject *subject = data;
    int64_t ahead_s = clock_wall_ns() / 1000000000LL - subject->server_date_s;
    (void)cancel;
    if (subject->server_date_s == 0)
        check_skip(result, "the storage did not tell its time");
    else if (llabs(ahead_s) > SKEW_MOST_S)
        check_warn(result, "set it (tokens are refused by it too)",
                   "this machine's clock is %lld s %s of the storage's: backups are named by it",
                   (long long)llabs(ahead_s), ahead_s > 0 ? "ahead" : "behind");
    else
        check_ok(result, "this machine's clock is %lld s %s of the storage's",
                 (long long)llabs(ahead_s), ahead_s >= 0 ? "ahead" : "behind");
}

static const struct check rows[] = {
    {"storage-list", NULL, false, storage_check_list},
    {"storage-bucket", "storage-list", false, check_policies},
    {"storage-create", "storage-list", false, storage_check_create},
    {"storage-read", "storage-create", false, storage_check_read},
    {"storage-delete", "storage-create", false, storage_check_delete},
    {"storage-clock", "storage-list", false, check_clock},
};
const struct check_table storage_gcs_checks = {rows, ARRAY_LENGTH(rows)};
