/* The JSON API of Google Cloud Storage, as far as backups need it. Every call may be repeated, and
 * is: creating something carries "only if it is new" and an id of the writer's, by which it knows
 * its own work again when an answer got lost. Names are whole object names. Any thread. */
#ifndef VTAGENT_BACKUP_GCS_API_H
#define VTAGENT_BACKUP_GCS_API_H

#include "backup/gcs/gcs_client.h"

#define GCS_UPLOAD_ID_BYTES 33u
#define GCS_COMPOSE_MOST 32u /* sources of one object, the service's limit */

struct gcs_object {
    char *name;
    uint64_t size_bytes;
    int64_t generation;
    bool has_crc32c;
    uint32_t crc32c;
    char *upload_id; /* ""; of the writer that made it */
};
void gcs_object_done(struct gcs_object *object);
/* From the service's JSON. UNAVAILABLE: it cannot be read, so what was done is not known. */
struct error *gcs_object_parse(const char *text, size_t size,
                               struct gcs_object *ret_object) ERROR_MUST_CHECK;

struct gcs_listing {
    struct strv prefixes;
    struct gcs_object *objects;
    size_t count;
};
void gcs_listing_done(struct gcs_listing *listing);
const struct gcs_object *gcs_listing_find(const struct gcs_listing *listing, const char *name);
/* One page more; *ret_next: the next page's token, NULL after the last. */
struct error *gcs_listing_add_page(struct gcs_listing *listing, const char *text, size_t size,
                                   char **ret_next) ERROR_MUST_CHECK;

/* 32 hexadecimal digits nobody else has. */
void gcs_upload_id_make(char id[GCS_UPLOAD_ID_BYTES]);

struct error *gcs_api_get(struct gcs_client *client, const char *name, struct cancel *cancel,
                          struct gcs_object *ret_object) ERROR_MUST_CHECK; /* NOT_FOUND */
/* All that begins with prefix, in byte order, all pages. With a delimiter what is below the next
 * '/' is one of the prefixes. At most `most` objects and prefixes, 0: as many as there are. */
struct error *gcs_api_list(struct gcs_client *client, const char *prefix, bool has_delimiter,
                           size_t most, struct cancel *cancel,
                           struct gcs_listing *ret_listing) ERROR_MUST_CHECK;
/* generation 0: whatever is there. Success when it is not. */
struct error *gcs_api_delete(struct gcs_client *client, const char *name, int64_t generation,
                             struct cancel *cancel) ERROR_MUST_CHECK;
/* One object in one request. ALREADY_EXISTS: look whose. */
struct error *gcs_api_insert(struct gcs_client *client, const char *name, const char *upload_id,
                             const void *data, size_t size, struct cancel *cancel,
                             struct gcs_object *ret_object) ERROR_MUST_CHECK;
/* One object of up to GCS_COMPOSE_MOST others, which stay. ALREADY_EXISTS: look whose. */
struct error *gcs_api_compose(struct gcs_client *client, const char *name, const char *upload_id,
                              const struct gcs_object *sources, size_t source_count,
                              struct cancel *cancel,
                              struct gcs_object *ret_object) ERROR_MUST_CHECK;
/* Begins a resumable upload. *ret_uri is a secret. ALREADY_EXISTS: look whose. */
struct error *gcs_api_start_session(struct gcs_client *client, const char *name,
                                    const char *upload_id, struct cancel *cancel,
                                    char **ret_uri) ERROR_MUST_CHECK;

/* How long the bucket keeps what is deleted, or must not be; 0: not at all. PERMISSION_DENIED when
 * these credentials may not look at the bucket: objects are another right. */
struct gcs_bucket {
    int64_t retention_s, soft_delete_s;
    int64_t date_seconds; /* the server's clock, since 1970 */
};
struct error *gcs_api_bucket(struct gcs_client *client, struct cancel *cancel,
                             struct gcs_bucket *ret_bucket) ERROR_MUST_CHECK;

#endif
