/* The scripted server from inside: what its bucket holds and answers, without the network. */
#ifndef TEST_BACKUP_GCS_BUCKET_H
#define TEST_BACKUP_GCS_BUCKET_H

#include "gcs_server.h"

struct stored_object {
    char *name, *upload_id;
    struct buffer bytes;
    int64_t generation;
};
struct stored_session {
    char id[24];
    char *name, *upload_id;
    struct buffer bytes;
    bool is_known;       /* false: forgotten */
    int64_t finished_as; /* generation of the finished object; 0: not yet */
};
struct bucket {
    struct stored_object **objects; /* by name */
    size_t object_count;
    struct stored_session **sessions;
    size_t session_count;
    int64_t last_generation;
};

/* A request, taken apart. */
struct wanted {
    const char *base; /* our URL */
    char *method;
    char *path;  /* decoded segment behind /o/, or "" */
    char *query; /* as it came */
    char *content_range, *range, *authorization, *content_type;
    struct buffer body;
    enum gcs_op op;
    const struct gcs_fault *fault; /* NULL: none */
};
/* From the head, with its status line; the body is the caller's to fill in. */
void wanted_parse(const char *head, struct wanted *wanted);
void wanted_done(struct wanted *wanted);
/* A header's value; NULL: it is not there. Caller frees. */
char *head_get(const char *head, const char *name);
struct reply {
    int status;
    struct buffer headers; /* lines with their ends */
    struct buffer body;
};

void bucket_clear(struct bucket *bucket);
struct stored_object *bucket_find(struct bucket *bucket, const char *name);
struct stored_object *bucket_store(struct bucket *bucket, const char *name, const char *upload_id,
                                   const void *data, size_t size);
void bucket_remove(struct bucket *bucket, const char *name);
/* Does what is wanted. */
void bucket_answer(struct bucket *bucket, const struct gcs_server_settings *settings,
                   const struct wanted *wanted, struct reply *reply);
/* A parameter of a query, decoded; NULL: it is not there. Caller frees. */
char *query_get(const char *query, const char *name);
char *percent_decode(const char *text, size_t length);

#endif
