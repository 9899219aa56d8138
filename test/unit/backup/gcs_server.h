/* A Google Cloud Storage of our own, on a port of 127.0.0.1, that does what it is told: exact about
 * sessions, ranges, preconditions and checksums where it works, and failing at the byte where it
 * should fail. Also the token servers. Functions may be called from any thread. */
#ifndef TEST_BACKUP_GCS_SERVER_H
#define TEST_BACKUP_GCS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"

enum gcs_op {
    GCS_OP_LIST,
    GCS_OP_GET,
    GCS_OP_MEDIA,
    GCS_OP_DELETE,
    GCS_OP_INSERT,
    GCS_OP_START,
    GCS_OP_SEND,
    GCS_OP_ASK,
    GCS_OP_COMPOSE,
    GCS_OP_BUCKET,
    GCS_OP_TOKEN,
    GCS_OP_COUNT,
};
extern const char *const gcs_op_names[GCS_OP_COUNT];

enum gcs_fault_kind {
    GCS_FAULT_STATUS,       /* refuses with this status, does nothing */
    GCS_FAULT_STATUS_AFTER, /* does it, and then says that it has failed */
    GCS_FAULT_RESET,        /* closes before it does anything */
    GCS_FAULT_RESET_AFTER,  /* does it, and closes without an answer */
    GCS_FAULT_CUT_REQUEST,  /* takes this share (in %) of the request's body, then closes */
    GCS_FAULT_CUT_ANSWER,   /* does it, and closes after this share (in %) of the answer's body */
    GCS_FAULT_CUT_HEAD,     /* the same, in the middle of the headers */
    GCS_FAULT_STALL,        /* does it, and says nothing until the client goes */
    GCS_FAULT_SHORT,        /* of a session: stores this share (in %) of it and answers 308 */
    GCS_FAULT_LOSE,         /* of a session: forgets it, with this status */
    GCS_FAULT_FLIP,         /* stores or sends one bit wrong */
    GCS_FAULT_OTHER_RANGE,  /* sends a range that was not asked for */
    GCS_FAULT_GARBAGE,      /* does it, and answers 200 with something that is not JSON */
    GCS_FAULT_KINDS,
};
extern const char *const gcs_fault_names[GCS_FAULT_KINDS];
struct gcs_fault {
    enum gcs_op op;
    unsigned nth, count; /* which of these requests, from 0; how many; 0: one */
    enum gcs_fault_kind kind;
    int argument;
};

struct gcs_server;
struct gcs_server *gcs_server_start(void);
void gcs_server_stop(struct gcs_server *server);
/* "http://127.0.0.1:PORT"; its bucket is "bucket". Borrowed. */
const char *gcs_server_url(const struct gcs_server *server);

/* Forgets objects, sessions, faults, counts and settings. */
void gcs_server_reset(struct gcs_server *server);
void gcs_server_add_fault(struct gcs_server *server, const struct gcs_fault *fault);
void gcs_server_clear_faults(struct gcs_server *server);
unsigned gcs_server_requests(struct gcs_server *server, enum gcs_op op);
unsigned gcs_server_faults_met(struct gcs_server *server);

struct gcs_server_settings {
    const char *token;    /* that requests must bear; NULL: none needed. What /token gives */
    int token_lifetime_s; /* 0: 3600 */
    bool refuses_grant;   /* /token says invalid_grant */
    int clock_ahead_s;    /* of Date */
    int64_t retention_s, soft_delete_s;
    int page_size; /* of listings; 0: as asked */
};
/* Texts must outlive the server or the next call. */
void gcs_server_set(struct gcs_server *server, const struct gcs_server_settings *settings);
/* Names of all objects, sorted. */
void gcs_server_names(struct gcs_server *server, struct strv *ret_names);
/* Appends an object's bytes; false: there is none. */
bool gcs_server_read(struct gcs_server *server, const char *name, struct buffer *buffer);
void gcs_server_write(struct gcs_server *server, const char *name, const void *data, size_t size);
void gcs_server_delete(struct gcs_server *server, const char *name);
/* The body of the last request to a token server. */
void gcs_server_last_form(struct gcs_server *server, struct buffer *buffer);

#endif
