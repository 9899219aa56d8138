#include "backup/gcs/gcs_credentials.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"

#define FILE_LIMIT_BYTES (256u << 10)
#define TOKEN_LIMIT_BYTES 16384u
#define REQUEST_TIMEOUT_MS 15000
#define SKEW_MOST_S 60
#define METADATA_HOST "169.254.169.254"
#define METADATA_PATH                                                                              \
    "/computeMetadata/v1/instance/service-accounts/default/token?scopes=" GCS_SCOPE

void
gcs_grant_done(struct gcs_grant *grant)
{
    free(grant->token);
    *grant = (struct gcs_grant){.token = NULL};
}

void
gcs_credentials_free(struct gcs_credentials *credentials)
{
    if (credentials == NULL)
        return;
    json_decref(credentials->json);
    free(credentials->origin);
    free(credentials);
}

void
gcs_credentials_freep(struct gcs_credentials **credentials)
{
    gcs_credentials_free(*credentials);
    *credentials = NULL;
}

/* ---- What the kinds share ---- */
struct error *
gcs_credentials_text(const struct gcs_credentials *credentials, const json_t *object,
                     const char *name, const char **ret_text)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (str_is_empty(text))
        return error_new(ERROR_FAILED_PRECONDITION, "credentials '%s' have no '%s'",
                         credentials->origin, name);
    *ret_text = text;
    return NULL;
}

struct error *
gcs_credentials_check_url(const struct gcs_credentials *credentials, const char *url)
{
    static const char *const near[] = {"http://127.0.0.1", "http://localhost", "http://[::1]",
                                       "http://169.254.169.254"};
    bool is_safe = str_starts_with(url, "https://");
    for (size_t i = 0; i < ARRAY_LENGTH(near); i++) {
        const char *rest = str_starts_with(url, near[i]) ? url + strlen(near[i]) : "x";
        is_safe = is_safe || strchr(":/", rest[0]) != NULL;
    }
    if (is_safe)
        return NULL;
    CLEANUP(freep) char *server = gcs_url_origin(url);
    return error_new(ERROR_FAILED_PRECONDITION,
                     "credentials '%s' name the server '%s': it must be https", credentials->origin,
                     server);
}

/* A token server checks times: a clock that is wrong is the likeliest cause of its refusal. */
static struct error *
refusal(const struct gcs_credentials *credentials, const char *server,
        const struct gcs_answer *answer)
{
    CLEANUP(freep) char *reason = gcs_answer_reason(answer);
    CLEANUP(freep) char *code = gcs_answer_reason_code(answer);
    int64_t ahead_s = clock_wall_ns() / 1000000000LL - answer->date_seconds;
    if (answer->date_seconds > 0 && llabs(ahead_s) > SKEW_MOST_S)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "'%s' gives no token (%s): this machine's clock is %lld s %s of it; set "
                         "the clock",
                         server, reason, (long long)llabs(ahead_s),
                         ahead_s > 0 ? "ahead" : "behind");
    return error_new(ERROR_UNAUTHENTICATED,
                     "'%s' gives no token for the credentials '%s': %s%s%s; is the account or its "
                     "key deleted or disabled",
                     server, credentials->origin, code, code[0] == '\0' ? "" : ", ", reason);
}

struct error *
gcs_credentials_ask(const struct gcs_credentials *credentials, struct gcs_http *http,
                    struct gcs_request *request, struct cancel *cancel,
                    struct gcs_answer *ret_answer)
{
    CLEANUP(freep) char *server = gcs_url_origin(request->url);
    TRY(gcs_credentials_check_url(credentials, request->url));
    request->timeout_ms = request->stall_ms = REQUEST_TIMEOUT_MS;
    TRY(gcs_http_run(http, request, cancel, ret_answer));
    int status = ret_answer->status;
    if (status / 100 == 2)
        return NULL;
    if (status == 408 || status == 429 || status / 100 == 5)
        return error_new(ERROR_UNAVAILABLE, "'%s' answers with status %d", server, status);
    return refusal(credentials, server, ret_answer);
}

static struct error *
read_grant(const struct gcs_credentials *credentials, const struct gcs_answer *answer,
           struct gcs_grant *ret_grant)
{
    json_t *root = json_loadb(buffer_text(&answer->body), answer->body.length_bytes, 0, NULL);
    const char *token = json_string_value(json_object_get(root, "access_token"));
    json_int_t seconds = json_integer_value(json_object_get(root, "expires_in"));
    struct error *error = NULL;
    if (root == NULL)
        error = error_new(ERROR_UNAVAILABLE, "the token server's answer cannot be read");
    else if (str_is_empty(token) || strlen(token) > TOKEN_LIMIT_BYTES ||
             strpbrk(token, "\r\n") != NULL || seconds <= 0 || seconds > 86400 * 7)
        error = error_new(ERROR_UNAUTHENTICATED,
                          "the token server answers the credentials '%s' without a usable token",
                          credentials->origin);
    else
        *ret_grant = (struct gcs_grant){xstrdup(token), (int64_t)seconds * 1000};
    json_decref(root);
    return error;
}

struct error *
gcs_credentials_post_form(const struct gcs_credentials *credentials, struct gcs_http *http,
                          const char *url, const char *form, struct cancel *cancel,
                          struct gcs_grant *ret_grant)
{
    CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
    CLEANUP(gcs_request_done)
    struct gcs_request request = {
        .method = "POST", .url = url, .body = form, .body_bytes = strlen(form)};
    strv_add(&request.headers, "Content-Type: application/x-www-form-urlencoded");
    TRY(gcs_credentials_ask(credentials, http, &request, cancel, &answer));
    return read_grant(credentials, &answer, ret_grant);
}

/* ---- A person's: what `gcloud auth application-default login` leaves ---- */
static struct error *
check_user(const struct gcs_credentials *credentials)
{
    const char *text;
    TRY(gcs_credentials_text(credentials, credentials->json, "client_id", &text));
    TRY(gcs_credentials_text(credentials, credentials->json, "client_secret", &text));
    return gcs_credentials_text(credentials, credentials->json, "refresh_token", &text);
}

static struct error *
fetch_user(const struct gcs_credentials *credentials, struct gcs_http *http, struct cancel *cancel,
           struct gcs_grant *ret_grant)
{
    const json_t *json = credentials->json;
    const char *url = json_string_value(json_object_get(json, "token_uri"));
    CLEANUP(freep)
    char *id = gcs_escape(json_string_value(json_object_get(json, "client_id")));
    CLEANUP(freep)
    char *secret = gcs_escape(json_string_value(json_object_get(json, "client_secret")));
    CLEANUP(freep)
    char *refresh = gcs_escape(json_string_value(json_object_get(json, "refresh_token")));
    CLEANUP(freep)
    char *form =
        xasprintf("grant_type=refresh_token&client_id=%s&client_secret=%s&refresh_token=%s", id,
                  secret, refresh);
    return gcs_credentials_post_form(
        credentials, http, str_is_empty(url) ? "https://oauth2.googleapis.com/token" : url, form,
        cancel, ret_grant);
}

static const struct gcs_credentials_kind kind_user = {"authorized_user", check_user, fetch_user};

/* ---- The machine's, the pod's ---- */
static struct error *
fetch_metadata(const struct gcs_credentials *credentials, struct gcs_http *http,
               struct cancel *cancel, struct gcs_grant *ret_grant)
{
    CLEANUP(freep) char *url = xasprintf("http://%s" METADATA_PATH, credentials->origin);
    CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
    CLEANUP(gcs_request_done)
    struct gcs_request request = {.method = "GET",
                                  .url = url,
                                  .skips_proxy = true,
                                  .timeout_ms = REQUEST_TIMEOUT_MS,
                                  .stall_ms = REQUEST_TIMEOUT_MS / 5};
    strv_add(&request.headers, "Metadata-Flavor: Google");
    struct error *error = gcs_http_run(http, &request, cancel, &answer);
    if (error != NULL)
        return error_wrap(error, "no credentials: GOOGLE_APPLICATION_CREDENTIALS is not set and no "
                                 "metadata server answers");
    /* In the first seconds of a pod its account may not be known yet. */
    if (answer.status == 404 || answer.status == 408 || answer.status == 429 ||
        answer.status / 100 == 5)
        return error_new(ERROR_UNAVAILABLE,
                         "metadata server '%s' knows no account (status %d): has this machine or "
                         "pod a service account",
                         credentials->origin, answer.status);
    if (answer.status != 200)
        return refusal(credentials, credentials->origin, &answer);
    return read_grant(credentials, &answer, ret_grant);
}

static const struct gcs_credentials_kind kind_metadata = {"", NULL, fetch_metadata};

struct gcs_credentials *
gcs_credentials_metadata(const char *host)
{
    struct gcs_credentials *credentials = xcalloc(1, sizeof(*credentials));
    credentials->kind = &kind_metadata;
    credentials->origin = xstrdup(host);
    return credentials;
}

/* ---- Finding ---- */
static const struct gcs_credentials_kind *const kinds[] = {&gcs_kind_service_account, &kind_user,
                                                           &gcs_kind_external_account};

struct error *
gcs_credentials_parse(const char *text, size_t size, const char *origin,
                      struct gcs_credentials **ret)
{
    json_error_t problem;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(json)) {
        json_decref(json);
        return error_new(ERROR_FAILED_PRECONDITION,
                         "credentials '%s' are not JSON (line %d): name a key file of a service "
                         "account in GOOGLE_APPLICATION_CREDENTIALS",
                         origin, json == NULL ? problem.line : 1);
    }
    CLEANUP(gcs_credentials_freep)
    struct gcs_credentials *credentials = gcs_credentials_metadata(origin);
    credentials->json = json;
    const char *type = "";
    TRY(gcs_credentials_text(credentials, json, "type", &type));
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (strcmp(kinds[i]->type, type) != 0)
            continue;
        credentials->kind = kinds[i];
        TRY(credentials->kind->check(credentials));
        *ret = credentials;
        credentials = NULL;
        return NULL;
    }
    return error_new(ERROR_FAILED_PRECONDITION,
                     "credentials '%s' are of an unknown type: known are service_account, "
                     "authorized_user and external_account",
                     origin);
}

static struct error *
read_file(const char *path, struct gcs_credentials **ret)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    struct error *error = file_read(path, FILE_LIMIT_BYTES, &text);
    if (error != NULL) {
        error->code = ERROR_FAILED_PRECONDITION;
        return error_wrap(error, "credentials of GOOGLE_APPLICATION_CREDENTIALS");
    }
    return gcs_credentials_parse(buffer_text(&text), text.length_bytes, path, ret);
}

struct error *
gcs_credentials_find(struct gcs_credentials **ret)
{
    const char *named = secure_getenv("GOOGLE_APPLICATION_CREDENTIALS");
    if (!str_is_empty(named))
        return read_file(named, ret);
    const char *folder = secure_getenv("CLOUDSDK_CONFIG"), *home = secure_getenv("HOME");
    CLEANUP(freep)
    char *known = !str_is_empty(folder)
                      ? xasprintf("%s/application_default_credentials.json", folder)
                      : xasprintf("%s/.config/gcloud/application_default_credentials.json",
                                  home == NULL ? "" : home);
    if (file_exists(known))
        return read_file(known, ret);
    const char *host = secure_getenv("GCE_METADATA_HOST");
    *ret = gcs_credentials_metadata(str_is_empty(host) ? METADATA_HOST : host);
    return NULL;
}

struct error *
gcs_credentials_fetch(const struct gcs_credentials *credentials, struct gcs_http *http,
                      struct cancel *cancel, struct gcs_grant *ret_grant)
{
    return credentials->kind->fetch(credentials, http, cancel, ret_grant);
}
