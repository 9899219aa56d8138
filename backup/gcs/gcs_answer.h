/* An answer of an HTTP server, as far as the GCS storage looks at it. No network here: what a
 * server says is read by functions that can be tested and fuzzed alone. Any thread. */
#ifndef VTAGENT_BACKUP_GCS_ANSWER_H
#define VTAGENT_BACKUP_GCS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buffer.h"
#include "agent/base/error.h"
#include "agent/base/memory.h"

/* A body that is not handed on is kept up to here; more is an error of the server. */
#define GCS_BODY_LIMIT_BYTES (16u << 20)
#define GCS_HEADER_LIMIT_BYTES 8192u

/* All zero is an answer of which nothing is known yet. */
struct gcs_answer {
    int status; /* 0: there was none */
    struct buffer body;
    char *location; /* a session's: a secret */
    bool has_stored;
    uint64_t stored_bytes; /* Range of a 308: bytes 0 to this are stored */
    bool has_range;
    uint64_t range_start, range_size, range_total; /* Content-Range of a 206 */
    bool has_crc32c;
    uint32_t crc32c;      /* x-goog-hash: of the whole object */
    int64_t generation;   /* x-goog-generation; 0: not said */
    int64_t date_seconds; /* Date, since 1970; 0: not said */
    int64_t retry_after_ms;
    uint64_t sunk_bytes; /* of the body, handed to the request's sink */
    int64_t silence_ms;  /* the longest time without a byte */
};
void gcs_answer_done(struct gcs_answer *answer);
/* Forgets everything: a new answer begins. */
void gcs_answer_clear(struct gcs_answer *answer);
/* One header line, "Name: value" with or without its line's end; one that is not understood is
 * skipped. A status line begins the headers anew. */
void gcs_answer_add_header(struct gcs_answer *answer, const char *line, size_t size);

/* What the service says about its refusal: message of its JSON, or the first line of the text, for
 * people; never longer than some lines. Caller frees. */
char *gcs_answer_reason(const struct gcs_answer *answer);
/* The machine's word for it, like "rateLimitExceeded", "invalid_grant"; "". Caller frees. */
char *gcs_answer_reason_code(const struct gcs_answer *answer);
/* An answer other than 2xx as an error that says what to do. UNAVAILABLE: worth another attempt.
 * NOT_FOUND: the object. ALREADY_EXISTS: a precondition failed. Others are final. `object` may be
 * NULL: the request was about the bucket. */
struct error *gcs_answer_error(const struct gcs_answer *answer, const char *bucket,
                               const char *object) ERROR_MUST_CHECK;

/* CRC-32C, continued: begin with 0. */
uint32_t gcs_crc32c(uint32_t crc, const void *data, size_t size);
/* As the service writes it: base64 of the four bytes, big-endian. */
#define GCS_CRC32C_TEXT_BYTES 9u
void gcs_crc32c_format(uint32_t crc, char text[GCS_CRC32C_TEXT_BYTES]);
bool gcs_crc32c_parse(const char *text, size_t length, uint32_t *ret_crc);

#endif
