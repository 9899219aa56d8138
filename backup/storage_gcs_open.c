/* Which bucket, which service, who we are. */
#include <stdlib.h>
#include <string.h>

#include "backup/storage_gcs.h"

#define GOOGLE "https://storage.googleapis.com"

/* "host:port" or a URL, as the ecosystem's emulators are named; caller frees. */
static char *
emulator_endpoint(const char *host)
{
    CLEANUP(freep)
    char *url = strstr(host, "://") != NULL ? xstrdup(host) : xasprintf("http://%s", host);
    return gcs_url_origin(url);
}

static struct error *
check_bucket(const char *bucket)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t length = strlen(bucket);
    if (length >= 3 && length <= 222 && strspn(bucket, plain) == length)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "'%.222s' cannot be the name of a bucket: set --gcs-backup-storage-bucket to "
                     "the name alone, without gs://",
                     bucket);
}

struct error *
storage_gcs_new(const struct storage_gcs_options *options, struct storage **ret_storage)
{
    const char *emulator = secure_getenv("STORAGE_EMULATOR_HOST");
    CLEANUP(freep) char *endpoint = NULL;
    struct gcs_credentials *credentials = NULL;
    TRY(check_bucket(options->bucket));
    if (options->endpoint != NULL)
        endpoint = xstrdup(options->endpoint);
    else
        endpoint = str_is_empty(emulator) ? xstrdup(GOOGLE) : emulator_endpoint(emulator);
    /* An emulator asks for nothing, and a real token must not reach it. */
    if (options->endpoint != NULL || str_is_empty(emulator))
        TRY(gcs_credentials_find(&credentials));
    const struct gcs_client_options client = {
        .bucket = options->bucket,
        .endpoint = endpoint,
        .take_credentials = credentials,
        .patience_ms = options->patience_ms,
        .first_pause_ms = options->first_pause_ms,
        .stall_ms = options->stall_ms,
        .part_bytes = options->part_bytes,
    };
    struct storage_gcs *storage = xcalloc(1, sizeof(*storage));
    storage->base.interface = &storage_gcs_interface;
    storage->client = gcs_client_new(&client);
    storage->lanes = gcs_lanes_new();
    storage->root = xstrdup(options->root);
    storage->parts_may_go = true;
    pthread_mutex_init(&storage->lock, NULL);
    *ret_storage = &storage->base;
    return NULL;
}
