/* Workload identity federation: somebody else's token, from a file or a URL, is exchanged for one
 * of Google's (RFC 8693), and that for one of a service account if the file names one. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "backup/gcs/gcs_credentials.h"

#define SUBJECT_LIMIT_BYTES (64u << 10)
#define PLATFORM_SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:token-exchange"
#define TOKEN_TYPE "urn:ietf:params:oauth:token-type:access_token"

static const char *
member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static struct error *
check(const struct gcs_credentials *credentials)
{
    const json_t *json = credentials->json;
    const json_t *source = json_object_get(json, "credential_source");
    const char *text;
    TRY(gcs_credentials_text(credentials, json, "audience", &text));
    TRY(gcs_credentials_text(credentials, json, "subject_token_type", &text));
    TRY(gcs_credentials_text(credentials, json, "token_url", &text));
    TRY(gcs_credentials_check_url(credentials, text));
    text = member(json, "service_account_impersonation_url");
    if (!str_is_empty(text))
        TRY(gcs_credentials_check_url(credentials, text));
    if (member(source, "file") == NULL && member(source, "url") == NULL)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "credentials '%s' have a credential_source that is neither 'file' nor "
                         "'url': others are not supported",
                         credentials->origin);
    return NULL;
}

/* ---- The other side's token ---- */
static struct error *
download(const struct gcs_credentials *credentials, const json_t *source, struct gcs_http *http,
         struct cancel *cancel, struct buffer *text)
{
    CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
    CLEANUP(gcs_request_done)
    struct gcs_request request = {.method = "GET", .url = member(source, "url")};
    json_t *headers = json_object_get(source, "headers");
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value)
    {
        if (json_is_string(value))
            strv_addf(&request.headers, "%s: %s", name, json_string_value(value));
    }
    TRY(gcs_credentials_ask(credentials, http, &request, cancel, &answer));
    buffer_append(text, buffer_text(&answer.body), answer.body.length_bytes);
    return NULL;
}

/* The text itself, or a member of it when it is JSON. */
static struct error *
pick(const struct gcs_credentials *credentials, const json_t *source, const struct buffer *text,
     char **ret_token)
{
    const json_t *format = json_object_get(source, "format");
    struct error *error = NULL;
    if (str_equal(member(format, "type"), "json")) {
        const char *field = member(format, "subject_token_field_name");
        const char *token = NULL;
        json_t *json = json_loadb(buffer_text(text), text->length_bytes, 0, NULL);
        error =
            gcs_credentials_text(credentials, json, field == NULL ? "access_token" : field, &token);
        if (error == NULL)
            *ret_token = xstrdup(token);
        json_decref(json);
        return error_wrap(error, "the subject's token");
    }
    struct strv words = {.items = NULL};
    strv_split(&words, buffer_text(text), '\n');
    if (words.count != 1)
        error = error_new(ERROR_FAILED_PRECONDITION,
                          "credentials '%s': the subject's token is empty or more than one line",
                          credentials->origin);
    else
        *ret_token = xstrdup(words.items[0]);
    strv_done(&words);
    return error;
}

static struct error *
read_subject(const struct gcs_credentials *credentials, struct gcs_http *http,
             struct cancel *cancel, char **ret_token)
{
    const json_t *source = json_object_get(credentials->json, "credential_source");
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    const char *path = member(source, "file");
    if (path != NULL) {
        struct error *error = file_read(path, SUBJECT_LIMIT_BYTES, &text);
        if (error != NULL)
            error->code = ERROR_FAILED_PRECONDITION;
        TRY(error_wrap(error, "credentials '%s': the subject's token", credentials->origin));
    } else {
        TRY(download(credentials, source, http, cancel, &text));
    }
    return pick(credentials, source, &text, ret_token);
}

/* ---- A service account's token for it ---- */
static struct error *
read_impersonated(const struct gcs_credentials *credentials, const struct gcs_answer *answer,
                  struct gcs_grant *ret_grant)
{
    json_t *root = json_loadb(buffer_text(&answer->body), answer->body.length_bytes, 0, NULL);
    const char *token = member(root, "accessToken"), *end = member(root, "expireTime");
    int64_t end_ns = 0;
    struct error *error = NULL;
    if (str_is_empty(token) || strpbrk(token, "\r\n") != NULL || end == NULL)
        error = error_new(ERROR_UNAUTHENTICATED,
                          "impersonation gives the credentials '%s' no usable token",
                          credentials->origin);
    else
        error = clock_parse_rfc3339(end, &end_ns);
    if (error == NULL) {
        int64_t left_ms = (end_ns - clock_wall_ns()) / 1000000;
        *ret_grant = (struct gcs_grant){xstrdup(token), left_ms > 1000 ? left_ms : 1000};
    }
    json_decref(root);
    return error;
}

static struct error *
impersonate(const struct gcs_credentials *credentials, struct gcs_http *http, const char *url,
            const char *token, struct cancel *cancel, struct gcs_grant *ret_grant)
{
    static const char body[] = "{\"scope\":[\"" GCS_SCOPE "\"],\"lifetime\":\"3600s\"}";
    CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
    CLEANUP(gcs_request_done)
    struct gcs_request request = {
        .method = "POST", .url = url, .body = body, .body_bytes = sizeof(body) - 1};
    strv_addf(&request.headers, "Authorization: Bearer %s", token);
    strv_add(&request.headers, "Content-Type: application/json");
    TRY(gcs_credentials_ask(credentials, http, &request, cancel, &answer));
    return read_impersonated(credentials, &answer, ret_grant);
}

static char *
make_form(const json_t *json, const char *subject, bool wants_account)
{
    CLEANUP(freep) char *audience = gcs_escape(member(json, "audience"));
    CLEANUP(freep) char *subject_type = gcs_escape(member(json, "subject_token_type"));
    CLEANUP(freep) char *subject_text = gcs_escape(subject);
    CLEANUP(freep) char *scope = gcs_escape(wants_account ? PLATFORM_SCOPE : GCS_SCOPE);
    return xasprintf("grant_type=" GRANT_TYPE "&requested_token_type=" TOKEN_TYPE
                     "&audience=%s&subject_token_type=%s&scope=%s&subject_token=%s",
                     audience, subject_type, scope, subject_text);
}

static struct error *
fetch(const struct gcs_credentials *credentials, struct gcs_http *http, struct cancel *cancel,
      struct gcs_grant *ret_grant)
{
    const json_t *json = credentials->json;
    const char *account = member(json, "service_account_impersonation_url");
    CLEANUP(freep) char *subject = NULL;
    TRY(read_subject(credentials, http, cancel, &subject));
    CLEANUP(freep) char *form = make_form(json, subject, !str_is_empty(account));
    CLEANUP(gcs_grant_done) struct gcs_grant grant = {.token = NULL};
    TRY(gcs_credentials_post_form(credentials, http, member(json, "token_url"), form, cancel,
                                  &grant));
    if (!str_is_empty(account))
        return impersonate(credentials, http, account, grant.token, cancel, ret_grant);
    *ret_grant = grant;
    grant.token = NULL;
    return NULL;
}

const struct gcs_credentials_kind gcs_kind_external_account = {"external_account", check, fetch};
