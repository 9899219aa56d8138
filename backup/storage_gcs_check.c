/* Before a backup: can it be written, read, listed and deleted, and what does the bucket do with
 * what is deleted? */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "backup/gcs/gcs_upload.h"
#include "backup/storage_gcs.h"

#define DAY_S 86400
#define SKEW_MOST_S 60
#define PROBE_TEXT "vtagent was here to see whether it can write, and may be deleted\n"

static void
note_policies(const struct gcs_client *client, const struct gcs_bucket *bucket, struct strv *notes)
{
    int64_t ahead_s = clock_wall_ns() / 1000000000LL - bucket->date_seconds;
    if (bucket->retention_s > 0)
        strv_addf(notes,
                  "bucket '%s' has a retention policy of %lld s: backups, failed ones too, cannot "
                  "be removed before, and large files are stored over one connection each",
                  client->bucket, (long long)bucket->retention_s);
    else if (bucket->soft_delete_s > 0)
        strv_addf(notes,
                  "bucket '%s' keeps deleted objects for %.1f days (soft delete): the parts of "
                  "large files count twice for so long; 'gcloud storage buckets update gs://%s "
                  "--clear-soft-delete' ends that",
                  client->bucket, (double)bucket->soft_delete_s / DAY_S, client->bucket);
    if (bucket->date_seconds > 0 && llabs(ahead_s) > SKEW_MOST_S)
        strv_addf(notes,
                  "this machine's clock is %lld s %s of the storage's: backups are named by it, "
                  "set it",
                  (long long)llabs(ahead_s), ahead_s > 0 ? "ahead" : "behind");
}

static struct error *
compare_probe(const struct gcs_answer *answer, void *data)
{
    (void)data;
    if (strcmp(buffer_text(&answer->body), PROBE_TEXT) == 0)
        return NULL;
    return error_new(ERROR_UNAVAILABLE, "the storage returns other bytes than were written");
}

static struct error *
read_back(struct gcs_client *client, const struct gcs_object *made, struct cancel *cancel)
{
    CLEANUP(freep) char *base = gcs_client_url(client, made->name);
    CLEANUP(freep) char *url = xasprintf("%s?alt=media", base);
    const struct gcs_request request = {.method = "GET", .url = url};
    return gcs_client_call(client, &request, made->name, cancel, compare_probe, NULL);
}

/* An object beside the backups' folders: it is in nobody's list of them. */
static struct error *
probe(struct gcs_client *client, const char *folder, struct cancel *cancel)
{
    char id[GCS_UPLOAD_ID_BYTES];
    gcs_upload_id_make(id);
    CLEANUP(freep) char *path = xasprintf("%s.probe-%s", folder, id);
    CLEANUP(gcs_object_done) struct gcs_object made = {.name = NULL};
    TRY(error_wrap(gcs_upload(client, path, id, PROBE_TEXT, strlen(PROBE_TEXT), cancel, &made),
                   "create a probe object"));
    struct error *error = error_wrap(read_back(client, &made, cancel), "read a probe object");
    struct error *removal = gcs_api_delete(client, path, made.generation, NULL);
    return error_first(error, error_wrap(removal, "delete a probe object"));
}

struct error *
storage_gcs_check(struct storage *storage, struct cancel *cancel, const char *directory,
                  struct strv *ret_notes)
{
    struct storage_gcs *gcs = (struct storage_gcs *)storage;
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    struct gcs_bucket bucket = {0};
    TRY(storage->interface->list(storage, cancel, directory, &names));
    struct error *error = gcs_api_bucket(gcs->client, cancel, &bucket);
    if (error == NULL)
        note_policies(gcs->client, &bucket, ret_notes);
    else if (!error_is(error, ERROR_PERMISSION_DENIED))
        return error;
    error_free(error);
    if (bucket.retention_s > 0) /* a probe could not be deleted */
        return NULL;
    CLEANUP(freep)
    char *folder = xasprintf("%s%s%s/", gcs->root, gcs->root[0] == '\0' ? "" : "/", directory);
    return probe(gcs->client, folder, cancel);
}
