#include "backup/gcs/gcs_api.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <jansson.h>

#define PAGES_MOST 10000u
#define CONTENT_TYPE "application/octet-stream"
#define OBJECT_FIELDS "name,size,generation,crc32c,metadata"

void
gcs_upload_id_make(char id[GCS_UPLOAD_ID_BYTES])
{
    unsigned char noise[(GCS_UPLOAD_ID_BYTES - 1) / 2];
    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
        abort();
    for (size_t i = 0; i < sizeof(noise); i++)
        snprintf(id + 2 * i, 3, "%02x", noise[i]);
}

/* What a new object says of itself. */
static void
add_description(struct buffer *json, const char *name, const char *upload_id)
{
    buffer_append_text(json, "{\"name\":");
    buffer_append_json_string(json, name);
    buffer_appendf(json,
                   ",\"contentType\":\"" CONTENT_TYPE "\",\"metadata\":{\"vtagent-upload\":\"%s\"}",
                   upload_id);
}

static struct error *
read_object(const struct gcs_answer *answer, void *ret_object)
{
    return gcs_object_parse(buffer_text(&answer->body), answer->body.length_bytes, ret_object);
}

/* ---- Looking ---- */
struct error *
gcs_api_get(struct gcs_client *client, const char *name, struct cancel *cancel,
            struct gcs_object *ret_object)
{
    CLEANUP(freep) char *base = gcs_client_url(client, name);
    CLEANUP(freep) char *url = xasprintf("%s?fields=" OBJECT_FIELDS, base);
    const struct gcs_request request = {.method = "GET", .url = url};
    return gcs_client_call(client, &request, name, cancel, read_object, ret_object);
}

struct page {
    struct gcs_listing *listing;
    char *next;
};

static struct error *
read_page(const struct gcs_answer *answer, void *data)
{
    struct page *page = data;
    return gcs_listing_add_page(page->listing, buffer_text(&answer->body),
                                answer->body.length_bytes, &page->next);
}

static void
keep_each_once(struct strv *names)
{
    struct strv once = {.items = NULL};
    strv_sort(names);
    for (size_t i = 0; i < names->count; i++) {
        if (i == 0 || strcmp(names->items[i - 1], names->items[i]) != 0)
            strv_add(&once, names->items[i]);
    }
    strv_done(names);
    *names = once;
}

struct error *
gcs_api_list(struct gcs_client *client, const char *prefix, bool has_delimiter, size_t most,
             struct cancel *cancel, struct gcs_listing *ret_listing)
{
    CLEANUP(gcs_listing_done) struct gcs_listing listing = {.count = 0};
    CLEANUP(freep) char *base = gcs_client_url(client, "");
    CLEANUP(freep) char *escaped = gcs_escape(prefix);
    CLEANUP(freep) char *next = NULL;
    size_t page_size = most > 0 && most < 1000 ? most : 1000;
    for (size_t number = 0; number == 0 || next != NULL; number++) {
        struct page page = {.listing = &listing};
        CLEANUP(freep) char *token = gcs_escape(next == NULL ? "" : next);
        CLEANUP(freep)
        char *url = xasprintf("%s?prefix=%s%s&maxResults=%zu%s%s&fields=nextPageToken,prefixes,"
                              "items(name,size,generation,crc32c)",
                              base, escaped, has_delimiter ? "&delimiter=%2F" : "", page_size,
                              next == NULL ? "" : "&pageToken=", token);
        freep(&next);
        if (number == PAGES_MOST)
            return error_new(ERROR_RESOURCE_EXHAUSTED, "the list of '%s' does not end", prefix);
        const struct gcs_request request = {.method = "GET", .url = url};
        TRY(gcs_client_call(client, &request, NULL, cancel, read_page, &page));
        next = page.next;
        if (most > 0 && listing.count + listing.prefixes.count >= most)
            break;
    }
    keep_each_once(&listing.prefixes);
    *ret_listing = listing;
    listing = (struct gcs_listing){.count = 0};
    return NULL;
}

static int64_t
seconds_of(const json_t *root, const char *policy, const char *field)
{
    const json_t *value = json_object_get(json_object_get(root, policy), field);
    const char *text = json_string_value(value);
    return text != NULL ? strtoll(text, NULL, 10) : (int64_t)json_integer_value(value);
}

static struct error *
read_bucket(const struct gcs_answer *answer, void *data)
{
    struct gcs_bucket *ret_bucket = data;
    json_t *root = json_loadb(buffer_text(&answer->body), answer->body.length_bytes, 0, NULL);
    if (root == NULL)
        return error_new(ERROR_UNAVAILABLE, "the storage's answer cannot be read: not JSON");
    *ret_bucket = (struct gcs_bucket){
        .retention_s = seconds_of(root, "retentionPolicy", "retentionPeriod"),
        .soft_delete_s = seconds_of(root, "softDeletePolicy", "retentionDurationSeconds"),
        .date_seconds = answer->date_seconds,
    };
    json_decref(root);
    return NULL;
}

struct error *
gcs_api_bucket(struct gcs_client *client, struct cancel *cancel, struct gcs_bucket *ret_bucket)
{
    CLEANUP(freep) char *bucket = gcs_escape(client->bucket);
    CLEANUP(freep)
    char *url = xasprintf("%s/storage/v1/b/%s?fields=retentionPolicy,softDeletePolicy",
                          client->endpoint, bucket);
    const struct gcs_request request = {.method = "GET", .url = url};
    return gcs_client_call(client, &request, NULL, cancel, read_bucket, ret_bucket);
}

/* ---- Changing ---- */
static struct error *
read_nothing(const struct gcs_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    return NULL;
}

struct error *
gcs_api_delete(struct gcs_client *client, const char *name, int64_t generation,
               struct cancel *cancel)
{
    CLEANUP(freep) char *base = gcs_client_url(client, name);
    CLEANUP(freep)
    char *url =
        generation > 0 ? xasprintf("%s?generation=%" PRId64, base, generation) : xstrdup(base);
    const struct gcs_request request = {.method = "DELETE", .url = url};
    struct error *error = gcs_client_call(client, &request, name, cancel, read_nothing, NULL);
    if (!error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error);
    return NULL;
}

static char *
upload_url(const struct gcs_client *client, const char *type, const char *name)
{
    CLEANUP(freep) char *bucket = gcs_escape(client->bucket);
    CLEANUP(freep) char *escaped = gcs_escape(name);
    return xasprintf("%s/upload/storage/v1/b/%s/o?uploadType=%s&name=%s&ifGenerationMatch=0"
                     "&fields=" OBJECT_FIELDS,
                     client->endpoint, bucket, type, escaped);
}

struct error *
gcs_api_insert(struct gcs_client *client, const char *name, const char *upload_id, const void *data,
               size_t size, struct cancel *cancel, struct gcs_object *ret_object)
{
    char crc[GCS_CRC32C_TEXT_BYTES];
    CLEANUP(freep) char *url = upload_url(client, "multipart", name);
    CLEANUP(buffer_done) struct buffer body = BUFFER_INIT;
    gcs_crc32c_format(gcs_crc32c(0, data, size), crc);
    /* The writer's id is as random as a boundary must be. */
    buffer_appendf(&body, "--%s\r\nContent-Type: application/json\r\n\r\n", upload_id);
    add_description(&body, name, upload_id);
    buffer_appendf(&body, ",\"crc32c\":\"%s\"}\r\n--%s\r\nContent-Type: " CONTENT_TYPE "\r\n\r\n",
                   crc, upload_id);
    buffer_append(&body, data, size);
    buffer_appendf(&body, "\r\n--%s--\r\n", upload_id);
    CLEANUP(gcs_request_done)
    struct gcs_request request = {
        .method = "POST", .url = url, .body = body.data, .body_bytes = body.length_bytes};
    strv_addf(&request.headers, "Content-Type: multipart/related; boundary=%s", upload_id);
    return gcs_client_call(client, &request, name, cancel, read_object, ret_object);
}

/* The caller ends it. */
static struct gcs_request
post_json(const char *url, const struct buffer *body)
{
    struct gcs_request request = {
        .method = "POST", .url = url, .body = body->data, .body_bytes = body->length_bytes};
    strv_add(&request.headers, "Content-Type: application/json");
    return request;
}

struct error *
gcs_api_compose(struct gcs_client *client, const char *name, const char *upload_id,
                const struct gcs_object *sources, size_t source_count, struct cancel *cancel,
                struct gcs_object *ret_object)
{
    CLEANUP(freep) char *base = gcs_client_url(client, name);
    CLEANUP(freep)
    char *url = xasprintf("%s/compose?ifGenerationMatch=0&fields=" OBJECT_FIELDS, base);
    CLEANUP(buffer_done) struct buffer body = BUFFER_INIT;
    buffer_append_text(&body, "{\"sourceObjects\":[");
    for (size_t i = 0; i < source_count; i++) {
        buffer_append_text(&body, i == 0 ? "{\"name\":" : ",{\"name\":");
        buffer_append_json_string(&body, sources[i].name);
        buffer_appendf(&body, ",\"generation\":\"%" PRId64 "\"}", sources[i].generation);
    }
    buffer_append_text(&body, "],\"destination\":");
    add_description(&body, name, upload_id);
    buffer_append_text(&body, "}}");
    CLEANUP(gcs_request_done) struct gcs_request request = post_json(url, &body);
    for (size_t i = 0; i < source_count; i++)
        request.work_bytes += sources[i].size_bytes;
    return gcs_client_call(client, &request, name, cancel, read_object, ret_object);
}

static struct error *
read_location(const struct gcs_answer *answer, void *data)
{
    char **ret_uri = data;
    if (answer->location == NULL)
        return error_new(ERROR_UNAVAILABLE, "the storage opens no upload session");
    *ret_uri = xstrdup(answer->location);
    return NULL;
}

struct error *
gcs_api_start_session(struct gcs_client *client, const char *name, const char *upload_id,
                      struct cancel *cancel, char **ret_uri)
{
    CLEANUP(freep) char *url = upload_url(client, "resumable", name);
    CLEANUP(buffer_done) struct buffer body = BUFFER_INIT;
    add_description(&body, name, upload_id);
    buffer_append_char(&body, '}');
    CLEANUP(gcs_request_done) struct gcs_request request = post_json(url, &body);
    strv_add(&request.headers, "X-Upload-Content-Type: " CONTENT_TYPE);
    return gcs_client_call(client, &request, name, cancel, read_location, ret_uri);
}
