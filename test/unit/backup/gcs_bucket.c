#include "gcs_bucket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "backup/gcs/gcs_answer.h"

#define STEP_BYTES (256u << 10)

/* ---- Texts ---- */
char *
percent_decode(const char *text, size_t length)
{
    struct buffer plain = BUFFER_INIT;
    for (size_t i = 0; i < length; i++) {
        unsigned code;
        if (text[i] == '%' && i + 2 < length && sscanf(text + i + 1, "%2x", &code) == 1) {
            buffer_append_char(&plain, (char)code);
            i += 2;
        } else {
            buffer_append_char(&plain, text[i]);
        }
    }
    return buffer_take(&plain);
}

char *
query_get(const char *query, const char *name)
{
    struct strv pairs = {.items = NULL};
    char *found = NULL;
    size_t length = strlen(name);
    strv_split(&pairs, query, '&');
    for (size_t i = 0; i < pairs.count && found == NULL; i++) {
        const char *pair = pairs.items[i];
        if (strncmp(pair, name, length) == 0 && pair[length] == '=')
            found = percent_decode(pair + length + 1, strlen(pair + length + 1));
    }
    strv_done(&pairs);
    return found;
}

/* ---- Objects ---- */
void
bucket_clear(struct bucket *bucket)
{
    while (bucket->object_count > 0)
        bucket_remove(bucket, bucket->objects[0]->name);
    free(bucket->objects);
    for (size_t i = 0; i < bucket->session_count; i++) {
        free(bucket->sessions[i]->name);
        free(bucket->sessions[i]->upload_id);
        buffer_done(&bucket->sessions[i]->bytes);
        free(bucket->sessions[i]);
    }
    free(bucket->sessions);
    *bucket = (struct bucket){.last_generation = bucket->last_generation};
}

struct stored_object *
bucket_find(struct bucket *bucket, const char *name)
{
    for (size_t i = 0; i < bucket->object_count; i++) {
        if (strcmp(bucket->objects[i]->name, name) == 0)
            return bucket->objects[i];
    }
    return NULL;
}

void
bucket_remove(struct bucket *bucket, const char *name)
{
    for (size_t i = 0; i < bucket->object_count; i++) {
        struct stored_object *object = bucket->objects[i];
        if (strcmp(object->name, name) != 0)
            continue;
        memmove(bucket->objects + i, bucket->objects + i + 1,
                (bucket->object_count - i - 1) * sizeof(*bucket->objects));
        bucket->object_count--;
        buffer_done(&object->bytes);
        free(object->name);
        free(object->upload_id);
        free(object);
        return;
    }
}

struct stored_object *
bucket_store(struct bucket *bucket, const char *name, const char *upload_id, const void *data,
             size_t size)
{
    struct stored_object *object = xcalloc(1, sizeof(*object));
    size_t at = 0;
    object->name = xstrdup(name);
    object->upload_id = xstrdup(upload_id);
    object->generation = ++bucket->last_generation + 1000;
    buffer_append(&object->bytes, data, size);
    bucket_remove(bucket, object->name);
    while (at < bucket->object_count && strcmp(bucket->objects[at]->name, name) < 0)
        at++;
    bucket->objects =
        xreallocarray(bucket->objects, bucket->object_count + 1, sizeof(*bucket->objects));
    memmove(bucket->objects + at + 1, bucket->objects + at,
            (bucket->object_count - at) * sizeof(*bucket->objects));
    bucket->objects[at] = object;
    bucket->object_count++;
    return object;
}

/* ---- Answers ---- */
static void
refuse(struct reply *reply, int status, const char *message)
{
    reply->status = status;
    buffer_clear(&reply->body);
    buffer_appendf(&reply->body,
                   "{\"error\":{\"code\":%d,\"message\":\"%s\",\"errors\":[{\"reason\":\"r%d\"}]}}",
                   status, message, status);
}

static void
show(struct buffer *body, const struct stored_object *object)
{
    char crc[GCS_CRC32C_TEXT_BYTES];
    gcs_crc32c_format(gcs_crc32c(0, buffer_text(&object->bytes), object->bytes.length_bytes), crc);
    buffer_append_text(body, "{\"name\":");
    buffer_append_json_string(body, object->name);
    buffer_appendf(body,
                   ",\"size\":\"%zu\",\"generation\":\"%" PRId64
                   "\",\"crc32c\":\"%s\",\"metadata\":{\"vtagent-upload\":\"%s\"}}",
                   object->bytes.length_bytes, object->generation, crc, object->upload_id);
}

static void
list(struct bucket *bucket, const struct gcs_server_settings *settings, const struct wanted *wanted,
     struct reply *reply)
{
    CLEANUP(freep) char *prefix = query_get(wanted->query, "prefix");
    CLEANUP(freep) char *delimiter = query_get(wanted->query, "delimiter");
    CLEANUP(freep) char *token = query_get(wanted->query, "pageToken");
    CLEANUP(freep) char *most = query_get(wanted->query, "maxResults");
    CLEANUP(buffer_done) struct buffer items = BUFFER_INIT;
    CLEANUP(buffer_done) struct buffer prefixes = BUFFER_INIT;
    CLEANUP(freep) char *last_prefix = NULL;
    size_t left = settings->page_size > 0 ? (size_t)settings->page_size
                                          : strtoul(most == NULL ? "1000" : most, NULL, 10);
    const char *next = NULL;
    for (size_t i = 0; i < bucket->object_count; i++) {
        const struct stored_object *object = bucket->objects[i];
        if (!str_starts_with(object->name, prefix) ||
            (token != NULL && strcmp(object->name, token) < 0))
            continue;
        if (left-- == 0) {
            next = object->name;
            break;
        }
        const char *rest = object->name + strlen(prefix);
        const char *slash = delimiter == NULL ? NULL : strchr(rest, '/');
        if (slash == NULL) {
            buffer_append_text(&items, items.length_bytes == 0 ? "" : ",");
            show(&items, object);
            continue;
        }
        CLEANUP(freep)
        char *folder = xstrndup(object->name, (size_t)(slash - object->name) + 1);
        if (str_equal(folder, last_prefix))
            continue;
        str_replace(&last_prefix, folder);
        buffer_append_text(&prefixes, prefixes.length_bytes == 0 ? "" : ",");
        buffer_append_json_string(&prefixes, folder);
    }
    buffer_append_text(&reply->body, "{\"kind\":\"storage#objects\"");
    if (items.length_bytes > 0)
        buffer_appendf(&reply->body, ",\"items\":[%s]", buffer_text(&items));
    if (prefixes.length_bytes > 0)
        buffer_appendf(&reply->body, ",\"prefixes\":[%s]", buffer_text(&prefixes));
    if (next != NULL) {
        buffer_append_text(&reply->body, ",\"nextPageToken\":");
        buffer_append_json_string(&reply->body, next);
    }
    buffer_append_char(&reply->body, '}');
}

static bool
has_fault(const struct wanted *wanted, enum gcs_fault_kind kind)
{
    return wanted->fault != NULL && wanted->fault->kind == kind;
}

static void
send_media(const struct wanted *wanted, const struct stored_object *object, struct reply *reply)
{
    size_t size = object->bytes.length_bytes;
    size_t first = 0, last = size == 0 ? 0 : size - 1;
    char crc[GCS_CRC32C_TEXT_BYTES];
    gcs_crc32c_format(gcs_crc32c(0, buffer_text(&object->bytes), size), crc);
    buffer_appendf(&reply->headers, "x-goog-hash: crc32c=%s\r\nx-goog-generation: %" PRId64 "\r\n",
                   crc, object->generation);
    if (wanted->range != NULL) {
        if (sscanf(wanted->range, "bytes=%zu-%zu", &first, &last) != 2 || first >= size) {
            refuse(reply, 416, "range");
            return;
        }
        last = last < size ? last : size - 1;
        reply->status = 206;
        if (has_fault(wanted, GCS_FAULT_OTHER_RANGE))
            first = first > 0 ? first - 1 : first + 1;
        buffer_appendf(&reply->headers, "Content-Range: bytes %zu-%zu/%zu\r\n", first, last, size);
    }
    if (size > 0)
        buffer_append(&reply->body, object->bytes.data + first, last - first + 1);
    if (has_fault(wanted, GCS_FAULT_FLIP) && reply->body.length_bytes > 0)
        reply->body.data[reply->body.length_bytes / 2] ^= 1;
}

/* A precondition that fails is answered here. */
static bool
may_create(struct bucket *bucket, const struct wanted *wanted, const char *name,
           struct reply *reply)
{
    CLEANUP(freep) char *condition = query_get(wanted->query, "ifGenerationMatch");
    if (condition == NULL || strcmp(condition, "0") != 0 || bucket_find(bucket, name) == NULL)
        return true;
    refuse(reply, 412, "At least one of the pre-conditions you specified did not hold.");
    return false;
}

static char *
upload_id_of(const json_t *description)
{
    const char *text = json_string_value(
        json_object_get(json_object_get(description, "metadata"), "vtagent-upload"));
    return xstrdup(text == NULL ? "" : text);
}

static void
flip(const struct wanted *wanted, struct stored_object *object)
{
    if (has_fault(wanted, GCS_FAULT_FLIP) && object->bytes.length_bytes > 0)
        object->bytes.data[object->bytes.length_bytes / 2] ^= 1;
}

static void
insert(struct bucket *bucket, const struct wanted *wanted, struct reply *reply)
{
    CLEANUP(freep) char *name = query_get(wanted->query, "name");
    const char *boundary = strstr(wanted->content_type, "boundary=");
    CLEANUP(freep) char *mark = xasprintf("\r\n--%s", boundary == NULL ? "" : boundary + 9);
    const char *body = buffer_text(&wanted->body), *end = body + wanted->body.length_bytes;
    const char *description = strstr(body, "\r\n\r\n");
    const char *second = memmem(body, (size_t)(end - body), mark, strlen(mark));
    const char *data = second == NULL ? NULL : strstr(second, "\r\n\r\n");
    const char *last =
        data == NULL ? NULL : memmem(data + 4, (size_t)(end - data) - 4, mark, strlen(mark));
    if (description == NULL || last == NULL) {
        refuse(reply, 400, "bad multipart");
        return;
    }
    json_t *json = json_loadb(description + 4, (size_t)(second - description) - 4, 0, NULL);
    const char *crc = json_string_value(json_object_get(json, "crc32c"));
    CLEANUP(freep) char *id = upload_id_of(json);
    char actual[GCS_CRC32C_TEXT_BYTES];
    size_t size = (size_t)(last - data) - 4;
    gcs_crc32c_format(gcs_crc32c(0, data + 4, size), actual);
    if (crc == NULL || strcmp(crc, actual) != 0) {
        refuse(reply, 400, "crc32c does not match");
    } else if (may_create(bucket, wanted, name, reply)) {
        struct stored_object *object = bucket_store(bucket, name, id, data + 4, size);
        flip(wanted, object);
        show(&reply->body, object);
    }
    json_decref(json);
}

static void
start(struct bucket *bucket, const struct wanted *wanted, struct reply *reply)
{
    CLEANUP(freep) char *name = query_get(wanted->query, "name");
    if (!may_create(bucket, wanted, name, reply))
        return;
    json_t *json = json_loadb(buffer_text(&wanted->body), wanted->body.length_bytes, 0, NULL);
    struct stored_session *session = xcalloc(1, sizeof(*session));
    session->name = xstrdup(name);
    session->upload_id = upload_id_of(json);
    session->is_known = true;
    snprintf(session->id, sizeof(session->id), "s%zu", bucket->session_count);
    json_decref(json);
    bucket->sessions =
        xreallocarray(bucket->sessions, bucket->session_count + 1, sizeof(*bucket->sessions));
    bucket->sessions[bucket->session_count++] = session;
    buffer_appendf(&reply->headers,
                   "Location: %s/upload/storage/v1/b/bucket/o?uploadType=resumable&name=x"
                   "&ifGenerationMatch=0&upload_id=%s\r\n",
                   wanted->base, session->id);
}

static struct stored_session *
session_of(struct bucket *bucket, const struct wanted *wanted)
{
    CLEANUP(freep) char *id = query_get(wanted->query, "upload_id");
    for (size_t i = 0; i < bucket->session_count; i++) {
        if (str_equal(bucket->sessions[i]->id, id) && bucket->sessions[i]->is_known)
            return bucket->sessions[i];
    }
    return NULL;
}

static void
say_stored(const struct stored_session *session, struct reply *reply)
{
    reply->status = 308;
    if (session->bytes.length_bytes > 0)
        buffer_appendf(&reply->headers, "Range: bytes=0-%zu\r\n", session->bytes.length_bytes - 1);
}

static void
finish(struct bucket *bucket, const struct wanted *wanted, struct stored_session *session,
       struct reply *reply)
{
    if (!may_create(bucket, wanted, session->name, reply))
        return;
    struct stored_object *object =
        bucket_store(bucket, session->name, session->upload_id, buffer_text(&session->bytes),
                     session->bytes.length_bytes);
    flip(wanted, object);
    session->finished_as = object->generation;
    show(&reply->body, object);
}

/* PUT of a session: bytes, or a question. What is stored of bytes that are not the last ones is a
 * multiple of 256 KiB. */
static void
send_session(struct bucket *bucket, const struct wanted *wanted, struct reply *reply)
{
    struct stored_session *session = session_of(bucket, wanted);
    size_t first = 0, last = 0, total = SIZE_MAX, size = wanted->body.length_bytes;
    if (session != NULL && has_fault(wanted, GCS_FAULT_LOSE))
        session->is_known = false;
    if (session == NULL || !session->is_known) {
        refuse(reply, has_fault(wanted, GCS_FAULT_LOSE) ? wanted->fault->argument : 410, "gone");
        return;
    }
    struct stored_object *done = bucket_find(bucket, session->name);
    if (session->finished_as != 0 && done != NULL && done->generation == session->finished_as) {
        show(&reply->body, done);
        return;
    }
    const char *slash = strchr(wanted->content_range, '/');
    if (slash != NULL && slash[1] != '*')
        total = strtoul(slash + 1, NULL, 10);
    if (sscanf(wanted->content_range, "bytes %zu-%zu/", &first, &last) == 2) {
        bool is_cut = has_fault(wanted, GCS_FAULT_CUT_REQUEST);
        size_t stored = session->bytes.length_bytes;
        if (first > stored || (last - first + 1 != size && !is_cut)) {
            refuse(reply, 400, "not the bytes that follow");
            return;
        }
        /* Bytes that are stored already are skipped: a connection's end may have hidden that. */
        size_t skipped = stored - first < size ? stored - first : size;
        first += skipped;
        size -= skipped;
        bool is_short = has_fault(wanted, GCS_FAULT_SHORT);
        if (is_short)
            size = size * (size_t)wanted->fault->argument / 100;
        size_t step = total == SIZE_MAX ? STEP_BYTES : is_short ? 1024 : 1;
        size_t odd = (first + size) % step;
        size = odd < size ? size - odd : odd == 0 ? size : 0;
        buffer_append(&session->bytes, buffer_text(&wanted->body) + skipped, size);
    }
    reply->status = 200;
    if (session->bytes.length_bytes == total)
        finish(bucket, wanted, session, reply);
    else
        say_stored(session, reply);
}

static void
compose(struct bucket *bucket, const struct wanted *wanted, struct reply *reply)
{
    CLEANUP(freep) char *name = xstrndup(wanted->path, strlen(wanted->path) - strlen("/compose"));
    CLEANUP(buffer_done) struct buffer all = BUFFER_INIT;
    json_t *json = json_loadb(buffer_text(&wanted->body), wanted->body.length_bytes, 0, NULL);
    const json_t *sources = json_object_get(json, "sourceObjects");
    CLEANUP(freep) char *id = upload_id_of(json_object_get(json, "destination"));
    bool is_right = json_array_size(sources) > 0 && json_array_size(sources) <= 32;
    for (size_t i = 0; is_right && i < json_array_size(sources); i++) {
        const json_t *source = json_array_get(sources, i);
        const char *part = json_string_value(json_object_get(source, "name"));
        const char *generation = json_string_value(json_object_get(source, "generation"));
        const struct stored_object *object = part == NULL ? NULL : bucket_find(bucket, part);
        is_right = object != NULL && generation != NULL &&
                   strtoll(generation, NULL, 10) == object->generation;
        if (is_right)
            buffer_append(&all, buffer_text(&object->bytes), object->bytes.length_bytes);
    }
    json_decref(json);
    if (!is_right) {
        refuse(reply, 404, "a source is not there");
    } else if (may_create(bucket, wanted, name, reply)) {
        struct stored_object *object =
            bucket_store(bucket, name, id, buffer_text(&all), all.length_bytes);
        flip(wanted, object);
        show(&reply->body, object);
    }
}

static void
answer_object(struct bucket *bucket, const struct gcs_server_settings *settings,
              const struct wanted *wanted, struct reply *reply)
{
    CLEANUP(freep) char *generation = query_get(wanted->query, "generation");
    struct stored_object *object = bucket_find(bucket, wanted->path);
    if (object == NULL ||
        (generation != NULL && strtoll(generation, NULL, 10) != object->generation)) {
        refuse(reply, 404, "No such object");
    } else if (wanted->op == GCS_OP_MEDIA) {
        send_media(wanted, object, reply);
    } else if (wanted->op == GCS_OP_GET) {
        show(&reply->body, object);
    } else if (settings->retention_s > 0) {
        refuse(reply, 403, "Object is subject to bucket's retention policy");
    } else {
        bucket_remove(bucket, object->name);
        reply->status = 204;
    }
}

void
bucket_answer(struct bucket *bucket, const struct gcs_server_settings *settings,
              const struct wanted *wanted, struct reply *reply)
{
    reply->status = 200;
    if (wanted->op == GCS_OP_LIST)
        list(bucket, settings, wanted, reply);
    else if (wanted->op == GCS_OP_INSERT)
        insert(bucket, wanted, reply);
    else if (wanted->op == GCS_OP_START)
        start(bucket, wanted, reply);
    else if (wanted->op == GCS_OP_SEND || wanted->op == GCS_OP_ASK)
        send_session(bucket, wanted, reply);
    else if (wanted->op == GCS_OP_COMPOSE)
        compose(bucket, wanted, reply);
    else if (wanted->op == GCS_OP_BUCKET)
        buffer_appendf(&reply->body,
                       "{\"retentionPolicy\":{\"retentionPeriod\":\"%" PRId64
                       "\"},\"softDeletePolicy\":{\"retentionDurationSeconds\":\"%" PRId64 "\"}}",
                       settings->retention_s, settings->soft_delete_s);
    else
        answer_object(bucket, settings, wanted, reply);
}
