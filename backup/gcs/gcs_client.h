/* Requests of one bucket: with a token, repeated when that helps, refusals told as errors. Any
 * thread; each request takes a connection of its own from those that are idle. */
#ifndef VTAGENT_BACKUP_GCS_CLIENT_H
#define VTAGENT_BACKUP_GCS_CLIENT_H

#include "backup/gcs/gcs_token.h"

#define GCS_PART_BYTES (4u << 20)
struct gcs_client_options {
    const char *bucket;
    const char *endpoint;                          /* "https://storage.googleapis.com" */
    struct gcs_credentials *take_credentials;      /* NULL: anonymous */
    int64_t patience_ms, first_pause_ms, stall_ms; /* 0: default */
    size_t part_bytes;                             /* 0: GCS_PART_BYTES */
};
struct gcs_client {
    char *bucket, *endpoint;
    struct gcs_token *token;
    struct gcs_budget budget;
    int64_t stall_ms;
    int64_t usual_ms;  /* how long answers let wait lately; 0: none yet; under the lock */
    size_t part_bytes; /* what is carried at once: a large object's part, a piece that is read */
    pthread_mutex_t lock;
    struct gcs_http **idle;
    size_t idle_count;
};
struct gcs_client *gcs_client_new(const struct gcs_client_options *options);
void gcs_client_free(struct gcs_client *client);

/* How long a request may be silent that has failed so often, and for which the service has so many
 * bytes to go through: soon given up and asked again where answers come quickly, and after each
 * failure later, up to the storage's patience. For what may be done twice. */
int64_t gcs_client_stall_ms(struct gcs_client *client, int failures, uint64_t work_bytes);
/* One attempt. 2xx and 308 are success; other answers are gcs_answer_error's. A token that is not
 * accepted any more is replaced once: such a request has done nothing. `object`: for messages. */
struct error *gcs_client_attempt(struct gcs_client *client, const struct gcs_request *request,
                                 const char *object, bool is_anonymous, struct cancel *cancel,
                                 struct gcs_answer *ret_answer) ERROR_MUST_CHECK;
/* Until 2xx with an answer that can be read, or a failure that stays. Only for what may be done
 * twice. `read` takes what it needs from the answer; its UNAVAILABLE counts as none. */
typedef struct error *(*gcs_client_read)(const struct gcs_answer *answer, void *data);
struct error *gcs_client_call(struct gcs_client *client, const struct gcs_request *request,
                              const char *object, struct cancel *cancel, gcs_client_read read,
                              void *data) ERROR_MUST_CHECK;

/* "https://…/storage/v1/b/BUCKET/o/OBJECT", "" for the bucket's list; caller frees. */
char *gcs_client_url(const struct gcs_client *client, const char *object);

#endif
