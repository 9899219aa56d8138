/* HTTP for the GCS storage, by libcurl: its types stay in the .c. Certificates are verified, with
 * the authorities of SSL_CERT_FILE and SSL_CERT_DIR when these are set; proxies are those of
 * https_proxy and no_proxy. Redirects are not followed: a token goes where it was meant to go. */
#ifndef VTAGENT_BACKUP_GCS_HTTP_H
#define VTAGENT_BACKUP_GCS_HTTP_H

#include "agent/base/cancel.h"
#include "backup/gcs/gcs_answer.h"

/* A connection that is kept between requests. One thread at a time. */
struct gcs_http;
struct gcs_http *gcs_http_new(void);
void gcs_http_free(struct gcs_http *http);

struct gcs_request {
    const char *method, *url;
    struct strv headers; /* "Name: value"; a request's own, gcs_request_done frees it */
    const void *body;    /* borrowed; NULL: none */
    size_t body_bytes;
    /* The body of an answer with this status goes here as it comes; any other is kept in the
     * answer. NULL: always kept. */
    struct error *(*sink)(const void *data, size_t size, void *sink_data);
    void *sink_data;
    int sink_status;
    bool skips_proxy;
    uint64_t work_bytes; /* that the server goes through before it answers */
    int64_t timeout_ms;  /* of all of it */
    int64_t stall_ms;    /* without a byte in either direction; of gcs_client: 0, its own */
};
void gcs_request_done(struct gcs_request *request);

/* An answer, whatever its status, is success. UNAVAILABLE: no answer, or not all of it; whether the
 * server has done what was asked is then not known. The token's end is its own error, a sink's
 * error is returned, and what another attempt cannot help (a certificate, a URL) is
 * FAILED_PRECONDITION. Initialises *ret_answer in any case; the caller ends it. */
struct error *gcs_http_run(struct gcs_http *http, const struct gcs_request *request,
                           struct cancel *cancel, struct gcs_answer *ret_answer) ERROR_MUST_CHECK;

/* Everything but unreserved characters as %XX; caller frees. */
char *gcs_escape(const char *text);
/* "https://host" of a URL, for messages; caller frees. */
char *gcs_url_origin(const char *url);

#endif
