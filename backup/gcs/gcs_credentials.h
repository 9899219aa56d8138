/* Who we are for Google: the ways of the ecosystem to say it, and how each gets an access token.
 * Scope: reading and writing objects, no more. What these functions read are secrets: no message
 * holds any of it. */
#ifndef VTAGENT_BACKUP_GCS_CREDENTIALS_H
#define VTAGENT_BACKUP_GCS_CREDENTIALS_H

#include <jansson.h>

#include "backup/gcs/gcs_http.h"

#define GCS_SCOPE "https://www.googleapis.com/auth/devstorage.read_write"

struct gcs_grant {
    char *token;
    int64_t lifetime_ms;
};
void gcs_grant_done(struct gcs_grant *grant);

struct gcs_credentials;
/* Finds them as Google's own libraries do: the file of GOOGLE_APPLICATION_CREDENTIALS, gcloud's
 * application_default_credentials.json, the metadata server (GCE_METADATA_HOST). Reads files only,
 * no network. FAILED_PRECONDITION: the file is not what it should be. */
struct error *gcs_credentials_find(struct gcs_credentials **ret) ERROR_MUST_CHECK;
/* The content of such a file; `origin` for messages. */
struct error *gcs_credentials_parse(const char *text, size_t size, const char *origin,
                                    struct gcs_credentials **ret) ERROR_MUST_CHECK;
/* "host:port" of a metadata server. */
struct gcs_credentials *gcs_credentials_metadata(const char *host);
void gcs_credentials_free(struct gcs_credentials *credentials);
void gcs_credentials_freep(struct gcs_credentials **credentials);
/* A new token. UNAVAILABLE: worth another attempt. */
struct error *gcs_credentials_fetch(const struct gcs_credentials *credentials,
                                    struct gcs_http *http, struct cancel *cancel,
                                    struct gcs_grant *ret_grant) ERROR_MUST_CHECK;

/* ---- For the kinds of credentials ---- */
struct gcs_credentials {
    const struct gcs_credentials_kind *kind;
    json_t *json; /* of the file; NULL for the metadata server */
    char *origin; /* file or host, for messages */
};
struct gcs_credentials_kind {
    const char *type; /* in the file */
    /* What can be known without a network is checked at once. */
    struct error *(*check)(const struct gcs_credentials *);
    struct error *(*fetch)(const struct gcs_credentials *, struct gcs_http *, struct cancel *,
                           struct gcs_grant *ret_grant);
};
extern const struct gcs_credentials_kind gcs_kind_service_account, gcs_kind_external_account;

/* A member that must be a text; FAILED_PRECONDITION names it. Borrowed. */
struct error *gcs_credentials_text(const struct gcs_credentials *credentials, const json_t *object,
                                   const char *name, const char **ret_text) ERROR_MUST_CHECK;
/* Secrets go over https, or stay on this machine. */
struct error *gcs_credentials_check_url(const struct gcs_credentials *credentials,
                                        const char *url) ERROR_MUST_CHECK;
/* A request of a token server; its refusals as errors that say what to do. */
struct error *gcs_credentials_ask(const struct gcs_credentials *credentials, struct gcs_http *http,
                                  struct gcs_request *request, struct cancel *cancel,
                                  struct gcs_answer *ret_answer) ERROR_MUST_CHECK;
/* POSTs a form, and reads {"access_token", "expires_in"}. */
struct error *gcs_credentials_post_form(const struct gcs_credentials *credentials,
                                        struct gcs_http *http, const char *url, const char *form,
                                        struct cancel *cancel,
                                        struct gcs_grant *ret_grant) ERROR_MUST_CHECK;
/* JWT of RFC 7519, signed with RS256. `now_s`: since 1970. Caller frees. */
struct error *gcs_jwt_make(const char *private_key_pem, const char *key_id, const char *email,
                           const char *audience, int64_t now_s, char **ret_jwt) ERROR_MUST_CHECK;

#endif
