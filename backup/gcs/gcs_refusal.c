/* What the service says when it refuses, told so that an operator knows what to do. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "backup/gcs/gcs_answer.h"

#define REASON_LIMIT_BYTES 600u

/* One line of printable text: it goes to logs and terminals. */
static char *
as_line(const char *text)
{
    CLEANUP(buffer_done) struct buffer line = BUFFER_INIT;
    for (; *text != '\0' && line.length_bytes < REASON_LIMIT_BYTES; text++) {
        bool is_plain = (unsigned char)*text >= 0x20 && *text != 0x7f;
        buffer_append_char(&line, is_plain ? *text : ' ');
    }
    while (line.length_bytes > 0 && strchr(" .", line.data[line.length_bytes - 1]) != NULL)
        line.data[--line.length_bytes] = '\0';
    return buffer_take(&line);
}

static json_t *
parse(const struct gcs_answer *answer)
{
    return answer->body.length_bytes == 0 ? NULL
                                          : json_loadb(answer->body.data, answer->body.length_bytes,
                                                       JSON_DISABLE_EOF_CHECK, NULL);
}

/* {"error":{"message":…}} of the storage, {"error":"…","error_description":"…"} of token servers */
char *
gcs_answer_reason(const struct gcs_answer *answer)
{
    json_t *root = parse(answer);
    const json_t *error = json_object_get(root, "error");
    const char *text = json_string_value(json_object_get(error, "message"));
    if (text == NULL)
        text = json_string_value(json_object_get(root, "error_description"));
    if (text == NULL)
        text = json_string_value(error);
    if (text == NULL && root == NULL)
        text = buffer_text(&answer->body);
    char *line = as_line(text == NULL ? "" : text);
    json_decref(root);
    if (line[0] != '\0')
        return line;
    freep(&line);
    return xasprintf("HTTP status %d", answer->status);
}

char *
gcs_answer_reason_code(const struct gcs_answer *answer)
{
    json_t *root = parse(answer);
    const json_t *error = json_object_get(root, "error");
    const json_t *first = json_array_get(json_object_get(error, "errors"), 0);
    const char *text = json_string_value(json_object_get(first, "reason"));
    if (text == NULL)
        text = json_string_value(json_object_get(error, "status"));
    if (text == NULL)
        text = json_string_value(error);
    char *line = as_line(text == NULL ? "" : text);
    json_decref(root);
    return line;
}

static struct error *
not_found(const char *reason, const char *bucket, const char *object)
{
    if (object != NULL && strcasestr(reason, "bucket does not exist") == NULL)
        return error_new(ERROR_NOT_FOUND, "object '%s' does not exist in bucket '%s'", object,
                         bucket);
    return error_new(ERROR_FAILED_PRECONDITION,
                     "bucket '%s' does not exist, or these credentials may not see it (%s): create "
                     "it, or correct --gcs-backup-storage-bucket",
                     bucket, reason);
}

static bool
is_limit(const char *code)
{
    static const char *const words[] = {"rateLimitExceeded", "userRateLimitExceeded",
                                        "quotaExceeded", "backendError", "RESOURCE_EXHAUSTED"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcasecmp(code, words[i]) == 0)
            return true;
    }
    return false;
}

static struct error *
forbidden(const char *reason, const char *code, const char *bucket, const char *object)
{
    const char *what = object != NULL ? object : "";
    if (is_limit(code))
        return error_new(ERROR_UNAVAILABLE, "bucket '%s': %s", bucket, reason);
    if (strcasestr(code, "retention") != NULL || strcasestr(reason, "retention") != NULL ||
        strcasestr(code, "hold") != NULL)
        return error_new(
            ERROR_FAILED_PRECONDITION,
            "bucket '%s' keeps '%s': %s; wait until its retention period or hold ends, "
            "or lift it",
            bucket, what, reason);
    if (strcasestr(reason, "billing") != NULL || strcasestr(code, "accountDisabled") != NULL)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "bucket '%s' does not serve: %s; repair the project's billing", bucket,
                         reason);
    return error_new(ERROR_PERMISSION_DENIED,
                     "bucket '%s' refuses '%s': %s; grant roles/storage.objectUser on the bucket "
                     "to the account that is used",
                     bucket, what, reason);
}

struct error *
gcs_answer_error(const struct gcs_answer *answer, const char *bucket, const char *object)
{
    CLEANUP(freep) char *reason = gcs_answer_reason(answer);
    CLEANUP(freep) char *code = gcs_answer_reason_code(answer);
    const char *what = object != NULL ? object : "";
    int status = answer->status;
    if (status == 408 || status == 429 || (status >= 500 && status <= 599 && status != 501))
        return error_new(ERROR_UNAVAILABLE, "bucket '%s' answers '%s' with status %d: %s", bucket,
                         what, status, reason);
    switch (status) {
    case 401:
        return error_new(ERROR_UNAUTHENTICATED,
                         "bucket '%s' does not accept the credentials: %s; were they revoked, or "
                         "are they another project's",
                         bucket, reason);
    case 403:
        return forbidden(reason, code, bucket, object);
    case 404:
        return not_found(reason, bucket, object);
    case 410:
        return error_new(ERROR_NOT_FOUND, "object '%s' in bucket '%s' is gone: %s", what, bucket,
                         reason);
    case 412:
        return error_new(ERROR_ALREADY_EXISTS, "object '%s' exists in bucket '%s'", what, bucket);
    default:
        return error_new(ERROR_INTERNAL, "bucket '%s' answers '%s' with status %d: %s", bucket,
                         what, status, reason);
    }
}
