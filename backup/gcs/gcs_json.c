/* What the service says about objects. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "backup/gcs/gcs_api.h"

#define NAME_LIMIT_BYTES 1024u
#define OBJECTS_MOST 2000000u

void
gcs_object_done(struct gcs_object *object)
{
    free(object->name);
    free(object->upload_id);
    *object = (struct gcs_object){.name = NULL};
}

void
gcs_listing_done(struct gcs_listing *listing)
{
    strv_done(&listing->prefixes);
    for (size_t i = 0; i < listing->count; i++)
        gcs_object_done(&listing->objects[i]);
    free(listing->objects);
    *listing = (struct gcs_listing){.count = 0};
}

static int
compare(const void *name, const void *object)
{
    return strcmp(name, ((const struct gcs_object *)object)->name);
}

const struct gcs_object *
gcs_listing_find(const struct gcs_listing *listing, const char *name)
{
    return listing->count == 0 ? NULL
                               : bsearch(name, listing->objects, listing->count,
                                         sizeof(*listing->objects), compare);
}

static struct error *
unreadable(const char *what)
{
    return error_new(ERROR_UNAVAILABLE, "the storage's answer cannot be read: %s", what);
}

/* 64-bit numbers are texts in this API. */
static bool
read_number(const json_t *object, const char *name, uint64_t *ret_number)
{
    const char *text = json_string_value(json_object_get(object, name));
    size_t length = text == NULL ? 0 : strlen(text);
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length)
        return false;
    *ret_number = strtoull(text, NULL, 10);
    return true;
}

static struct error *
read_object(const json_t *json, struct gcs_object *ret_object)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *crc = json_string_value(json_object_get(json, "crc32c"));
    const json_t *metadata = json_object_get(json, "metadata");
    const char *id = json_string_value(json_object_get(metadata, "vtagent-upload"));
    struct gcs_object object = {.name = NULL};
    uint64_t generation;
    if (str_is_empty(name) || strlen(name) > NAME_LIMIT_BYTES)
        return unreadable("an object has no name");
    if (!read_number(json, "size", &object.size_bytes))
        return unreadable("an object has no size");
    if (!read_number(json, "generation", &generation))
        return unreadable("an object has no generation");
    object.generation = (int64_t)generation;
    object.has_crc32c = crc != NULL && gcs_crc32c_parse(crc, strlen(crc), &object.crc32c);
    object.name = xstrdup(name);
    object.upload_id = xstrdup(id == NULL ? "" : id);
    *ret_object = object;
    return NULL;
}

struct error *
gcs_object_parse(const char *text, size_t size, struct gcs_object *ret_object)
{
    json_t *json = json_loadb(text, size, 0, NULL);
    struct error *error = json == NULL ? unreadable("not JSON") : read_object(json, ret_object);
    json_decref(json);
    return error;
}

static struct error *
add_objects(struct gcs_listing *listing, const json_t *items)
{
    size_t count = json_array_size(items);
    if (count > OBJECTS_MOST - listing->count)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "more than %u objects are listed", OBJECTS_MOST);
    if (count == 0)
        return NULL;
    listing->objects =
        xreallocarray(listing->objects, listing->count + count, sizeof(*listing->objects));
    for (size_t i = 0; i < count; i++) {
        struct gcs_object object;
        TRY(read_object(json_array_get(items, i), &object));
        if (listing->count > 0 &&
            strcmp(listing->objects[listing->count - 1].name, object.name) >= 0) {
            gcs_object_done(&object);
            return unreadable("a listing is not in order");
        }
        listing->objects[listing->count++] = object;
    }
    return NULL;
}

static struct error *
add_page(struct gcs_listing *listing, const json_t *json, char **ret_next)
{
    const json_t *prefixes = json_object_get(json, "prefixes");
    const char *next = json_string_value(json_object_get(json, "nextPageToken"));
    if (!json_is_object(json))
        return unreadable("a listing is not an object");
    if (json_array_size(prefixes) > OBJECTS_MOST - listing->prefixes.count)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "more than %u folders are listed", OBJECTS_MOST);
    for (size_t i = 0; i < json_array_size(prefixes); i++) {
        const char *text = json_string_value(json_array_get(prefixes, i));
        if (text == NULL || strlen(text) > NAME_LIMIT_BYTES)
            return unreadable("a folder has no name");
    }
    TRY(add_objects(listing, json_object_get(json, "items")));
    for (size_t i = 0; i < json_array_size(prefixes); i++)
        strv_add(&listing->prefixes, json_string_value(json_array_get(prefixes, i)));
    *ret_next = str_is_empty(next) ? NULL : xstrdup(next);
    return NULL;
}

/* A page that cannot be read leaves nothing of itself. */
struct error *
gcs_listing_add_page(struct gcs_listing *listing, const char *text, size_t size, char **ret_next)
{
    size_t before = listing->count;
    json_t *json = json_loadb(text, size, 0, NULL);
    struct error *error = json == NULL ? unreadable("not JSON") : add_page(listing, json, ret_next);
    json_decref(json);
    while (error != NULL && listing->count > before)
        gcs_object_done(&listing->objects[--listing->count]);
    return error;
}
