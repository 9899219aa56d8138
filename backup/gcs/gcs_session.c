#include "backup/gcs/gcs_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The bytes that are being sent. */
struct window {
    const unsigned char *data;
    uint64_t start, end;
    bool is_last;
};

struct error *
gcs_session_open(struct gcs_client *client, const char *name, const char *upload_id,
                 struct cancel *cancel, struct gcs_session **ret_session)
{
    char *uri = NULL;
    TRY(gcs_api_start_session(client, name, upload_id, cancel, &uri));
    struct gcs_session *session = xcalloc(1, sizeof(*session));
    session->client = client;
    session->name = name;
    session->uri = uri;
    *ret_session = session;
    return NULL;
}

void
gcs_session_free(struct gcs_session *session)
{
    if (session == NULL)
        return;
    free(session->uri);
    free(session);
}

void
gcs_session_freep(struct gcs_session **session)
{
    gcs_session_free(*session);
    *session = NULL;
}

static struct error *
lost(const struct gcs_session *session, const char *why)
{
    return error_new(ERROR_ABORTED, "the upload session of '%s' is lost: %s", session->name, why);
}

/* What the service has, by a 308. */
static struct error *
take_stored(struct gcs_session *session, const struct window *window,
            const struct gcs_answer *answer)
{
    uint64_t stored = answer->has_stored ? answer->stored_bytes : 0;
    if (stored < session->stored_bytes || stored < window->start)
        return lost(session, "the service has forgotten bytes that it had");
    if (stored > window->end)
        return lost(session, "the service has bytes that were not sent");
    session->stored_bytes = stored;
    return NULL;
}

/* One PUT: of what is left of the window, or of nothing, to ask what is there. *ret_is_finished:
 * the object is made. */
static struct error *
put(struct gcs_session *session, const struct window *window, bool asks, int64_t stall_ms,
    struct cancel *cancel, int64_t *ret_retry_after_ms, bool *ret_is_finished,
    struct gcs_object *ret_object)
{
    CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
    CLEANUP(gcs_request_done)
    struct gcs_request request = {
        .method = "PUT", .url = session->uri, .body = "", .stall_ms = stall_ms};
    char total[24] = "*";
    if (window->is_last)
        snprintf(total, sizeof(total), "%" PRIu64, window->end);
    if (asks || session->stored_bytes == window->end) {
        strv_addf(&request.headers, "Content-Range: bytes */%s", total);
    } else {
        request.body = window->data + (session->stored_bytes - window->start);
        request.body_bytes = window->end - session->stored_bytes;
        strv_addf(&request.headers, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%s",
                  session->stored_bytes, window->end - 1, total);
    }
    strv_add(&request.headers, "Content-Type: application/octet-stream");
    struct error *error =
        gcs_client_attempt(session->client, &request, session->name, true, cancel, &answer);
    *ret_retry_after_ms = answer.retry_after_ms;
    if (error_is(error, ERROR_NOT_FOUND) || answer.status == 410 || answer.status == 404) {
        error_free(error);
        return lost(session, "it does not know it");
    }
    TRY(error);
    if (answer.status == 308)
        return take_stored(session, window, &answer);
    if (!window->is_last)
        return lost(session, "it was ended too early");
    TRY(gcs_object_parse(buffer_text(&answer.body), answer.body.length_bytes, ret_object));
    *ret_is_finished = true;
    return NULL;
}

struct error *
gcs_session_send(struct gcs_session *session, const void *data, size_t size, bool is_last,
                 struct cancel *cancel, struct gcs_object *ret_object)
{
    const struct window window = {data, session->stored_bytes, session->stored_bytes + size,
                                  is_last};
    struct gcs_retry retry = gcs_retry_begin(&session->client->budget);
    bool is_finished = false, asks = false;
    while (!is_finished && (is_last || session->stored_bytes < window.end)) {
        uint64_t before = session->stored_bytes;
        int64_t retry_after_ms = 0;
        int64_t stall_ms =
            gcs_client_stall_ms(session->client, session->earlier_failures + retry.failures, 0);
        struct error *error = put(session, &window, asks, stall_ms, cancel, &retry_after_ms,
                                  &is_finished, ret_object);
        bool has_asked = asks && error == NULL;
        asks = false;
        if (session->stored_bytes > before)
            gcs_retry_progress(&retry);
        else if (error == NULL && !is_finished && !has_asked)
            error = error_new(ERROR_UNAVAILABLE, "bucket '%s' takes no bytes of '%s'",
                              session->client->bucket, session->name);
        if (error == NULL)
            continue;
        TRY(gcs_retry_pause(&retry, error, retry_after_ms, cancel));
        asks = true;
    }
    return NULL;
}
