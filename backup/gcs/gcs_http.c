#include "backup/gcs/gcs_http.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "agent/base/clock.h"

#define CONNECT_TIMEOUT_MS 10000L
#define BUFFER_BYTES (256L << 10)
#define WAIT_MS 500
#define PROXY_WANTS_CREDENTIALS 407

struct gcs_http {
    CURLM *multi;
    CURL *easy;
};

/* One request on its way. */
struct run {
    const struct gcs_request *request;
    struct gcs_answer *answer;
    struct error *error; /* of a callback */
    CURL *easy;
    curl_off_t moved_bytes;
    int64_t moved_ms, longest_silence_ms;
    long proxy_status; /* of its answer to CONNECT; 0: none */
    char text[CURL_ERROR_SIZE];
};

static void
init_library(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

struct gcs_http *
gcs_http_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    struct gcs_http *http = xcalloc(1, sizeof(*http));
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    if (http->multi == NULL || http->easy == NULL)
        abort();
    return http;
}

void
gcs_http_free(struct gcs_http *http)
{
    if (http == NULL)
        return;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    free(http);
}

void
gcs_request_done(struct gcs_request *request)
{
    strv_done(&request->headers);
}

/* ---- Callbacks ---- */
static int
status_of(const struct run *run)
{
    long status = 0;
    curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t
on_header(char *data, size_t size, size_t count, void *user_data)
{
    struct run *run = user_data;
    gcs_answer_add_header(run->answer, data, size * count);
    return size * count;
}

static size_t
on_body(char *data, size_t size, size_t count, void *user_data)
{
    struct run *run = user_data;
    const struct gcs_request *request = run->request;
    size_t bytes = size * count;
    if (request->sink != NULL && status_of(run) == request->sink_status) {
        run->error = request->sink(data, bytes, request->sink_data);
        run->answer->sunk_bytes += bytes;
        return run->error == NULL ? bytes : 0;
    }
    if (bytes > GCS_BODY_LIMIT_BYTES - run->answer->body.length_bytes) {
        run->error =
            error_new(ERROR_INTERNAL, "the answer is larger than %u bytes", GCS_BODY_LIMIT_BYTES);
        return 0;
    }
    buffer_append(&run->answer->body, data, bytes);
    return bytes;
}

static void
end_silence(struct run *run)
{
    int64_t now = clock_monotonic_ms();
    if (now - run->moved_ms > run->longest_silence_ms)
        run->longest_silence_ms = now - run->moved_ms;
    run->moved_ms = now;
}

static int
on_progress(void *user_data, curl_off_t all_down, curl_off_t down, curl_off_t all_up, curl_off_t up)
{
    struct run *run = user_data;
    (void)all_down;
    (void)all_up;
    if (down + up != run->moved_bytes) {
        run->moved_bytes = down + up;
        end_silence(run);
    }
    return 0;
}

/* ---- Setting up ---- */
static void
set_transport(CURL *easy, const struct gcs_request *request)
{
    const char *ca_file = secure_getenv("SSL_CERT_FILE");
    const char *ca_folder = secure_getenv("SSL_CERT_DIR");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!str_is_empty(ca_file))
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    if (!str_is_empty(ca_folder))
        curl_easy_setopt(easy, CURLOPT_CAPATH, ca_folder);
    if (request->skips_proxy)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "vtagent/" VTAGENT_VERSION);
}

static void
set_callbacks(CURL *easy, struct run *run)
{
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, run->text);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, run);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, run);
}

static struct curl_slist *
set_request(CURL *easy, const struct gcs_request *request)
{
    /* No wait for "100 Continue"; no type that the request did not name. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; i < request->headers.count; i++)
        headers = curl_slist_append(headers, request->headers.items[i]);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    if (request->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    return headers;
}

/* ---- Running ---- */
static struct error *
refuse_by_proxy(const struct gcs_request *request)
{
    CLEANUP(freep) char *origin = gcs_url_origin(request->url);
    return error_new(ERROR_FAILED_PRECONDITION,
                     "'%s' cannot be asked: the proxy refuses its user or password (407); put the "
                     "right ones into the proxy's variable, http://USER:PASSWORD@HOST:PORT, or "
                     "name the storage in no_proxy",
                     origin);
}

static struct error *
transport_error(const struct run *run, CURLcode result)
{
    CLEANUP(freep) char *origin = gcs_url_origin(run->request->url);
    const char *text = run->text[0] != '\0' ? run->text : curl_easy_strerror(result);
    if (run->proxy_status == PROXY_WANTS_CREDENTIALS)
        return refuse_by_proxy(run->request);
    switch ((int)result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return error_new(ERROR_FAILED_PRECONDITION,
                         "the certificate of '%s' cannot be verified: %s; name the authority's "
                         "file in SSL_CERT_FILE",
                         origin, text);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return error_new(ERROR_FAILED_PRECONDITION, "'%s' cannot be asked: %s", origin, text);
    default:
        return error_new(ERROR_UNAVAILABLE, "'%s': %s", origin, text);
    }
}

static struct error *
check_time(const struct run *run, int64_t start_ms)
{
    CLEANUP(freep) char *origin = gcs_url_origin(run->request->url);
    int64_t now = clock_monotonic_ms();
    if (now - start_ms > run->request->timeout_ms)
        return error_new(ERROR_UNAVAILABLE, "'%s': no end of the answer within %lld s", origin,
                         (long long)run->request->timeout_ms / 1000);
    if (now - run->moved_ms > run->request->stall_ms)
        return error_new(ERROR_UNAVAILABLE, "'%s' stalls: no byte for %lld s", origin,
                         (long long)run->request->stall_ms / 1000);
    return NULL;
}

static int
wait_ms(const struct run *run, struct cancel *cancel)
{
    int64_t most = WAIT_MS;
    if (run->request->stall_ms / 4 < most)
        most = run->request->stall_ms / 4 + 1;
    if (cancel_remaining_ms(cancel) < most)
        most = cancel_remaining_ms(cancel) + 1;
    return (int)most;
}

/* Until the transfer has ended; the result of it in *ret_result. */
static struct error *
drive(struct gcs_http *http, struct run *run, struct cancel *cancel, CURLcode *ret_result)
{
    int64_t start_ms = run->moved_ms = clock_monotonic_ms();
    struct curl_waitfd wake = {.fd = cancel_descriptor(cancel), .events = CURL_WAIT_POLLIN};
    int running = 1, left;
    for (;;) {
        if (curl_multi_perform(http->multi, &running) != CURLM_OK)
            return error_new(ERROR_INTERNAL, "the HTTP library fails");
        if (running == 0)
            break;
        TRY(cancel_check(cancel));
        TRY(check_time(run, start_ms));
        (void)curl_multi_poll(http->multi, &wake, wake.fd < 0 ? 0 : 1, wait_ms(run, cancel), NULL);
    }
    const struct CURLMsg *message = curl_multi_info_read(http->multi, &left);
    *ret_result = message == NULL ? CURLE_RECV_ERROR : message->data.result;
    return NULL;
}

struct error *
gcs_http_run(struct gcs_http *http, const struct gcs_request *request, struct cancel *cancel,
             struct gcs_answer *ret_answer)
{
    *ret_answer = (struct gcs_answer){.status = 0};
    TRY(cancel_check(cancel));
    struct run run = {.request = request, .answer = ret_answer, .easy = http->easy};
    curl_easy_reset(http->easy);
    set_transport(http->easy, request);
    set_callbacks(http->easy, &run);
    struct curl_slist *headers = set_request(http->easy, request);
    CURLcode result = CURLE_OK;
    curl_multi_add_handle(http->multi, http->easy);
    struct error *error = drive(http, &run, cancel, &result);
    ret_answer->status = status_of(&run);
    end_silence(&run);
    ret_answer->silence_ms = run.longest_silence_ms;
    curl_easy_getinfo(http->easy, CURLINFO_HTTP_CONNECTCODE, &run.proxy_status);
    curl_multi_remove_handle(http->multi, http->easy);
    curl_easy_reset(http->easy); /* `run` ends here */
    curl_slist_free_all(headers);
    if (error == NULL && run.error == NULL && result != CURLE_OK)
        error = transport_error(&run, result);
    error = error_first(run.error, error);
    if (error == NULL && ret_answer->status == PROXY_WANTS_CREDENTIALS)
        error = refuse_by_proxy(request);
    if (error != NULL)
        ret_answer->status = 0;
    return error;
}

/* ---- Texts ---- */
char *
gcs_escape(const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    CLEANUP(buffer_done) struct buffer escaped = BUFFER_INIT;
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            buffer_append_char(&escaped, *text);
        else
            buffer_appendf(&escaped, "%%%02X", (unsigned)(unsigned char)*text);
    }
    return buffer_take(&escaped);
}

char *
gcs_url_origin(const char *url)
{
    const char *host = strstr(url, "://");
    if (host == NULL)
        return xstrdup("");
    return xstrndup(url, (size_t)(host - url) + 3 + strcspn(host + 3, "/?#"));
}
