/* Backups in a bucket, with Vitess's names: ROOT/ks/shard/name/object. A folder is no more than a
 * beginning that names share, so an owner object claims it while a backup is being written. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backup/gcs/gcs_discard.h"
#include "backup/gcs/gcs_reader.h"
#include "backup/gcs/gcs_writer.h"
#include "backup/manifest.h"
#include "backup/pipeline.h"
#include "backup/storage.h"
#include "backup/storage_gcs.h"

#define OWNER_NAME ".owner"

struct storage_writer {
    struct storage_gcs *storage;
    struct gcs_writer *writer;
};
struct storage_reader {
    struct gcs_reader *reader;
};

static struct storage_gcs *
gcs_of(struct storage *storage)
{
    return (struct storage_gcs *)storage;
}

/* "ROOT/ks/shard/", with the backup's name "ROOT/ks/shard/name/", and the object's behind it. */
static char *
path_of(const struct storage_gcs *storage, const char *directory, const char *name,
        const char *object)
{
    return xasprintf("%s%s%s/%s%s%s", storage->root, storage->root[0] == '\0' ? "" : "/", directory,
                     name == NULL ? "" : name, name == NULL ? "" : "/",
                     object == NULL ? "" : object);
}

/* ---- Listing ---- */
static struct error *
storage_gcs_list(struct storage *storage, struct cancel *cancel, const char *directory,
                 struct strv *ret_names)
{
    struct storage_gcs *gcs = gcs_of(storage);
    TRY(storage_check_names(directory, NULL, NULL));
    CLEANUP(freep) char *prefix = path_of(gcs, directory, NULL, NULL);
    CLEANUP(gcs_listing_done) struct gcs_listing listing = {.count = 0};
    TRY(gcs_api_list(gcs->client, prefix, true, 0, cancel, &listing));
    struct strv names = {.items = NULL};
    for (size_t i = 0; i < listing.prefixes.count; i++) {
        const char *path = listing.prefixes.items[i];
        if (!str_starts_with(path, prefix) || !str_ends_with(path, "/"))
            continue;
        CLEANUP(freep)
        char *name = xstrndup(path + strlen(prefix), strlen(path) - strlen(prefix) - 1);
        if (storage_name_is_safe(name))
            strv_add(&names, name);
    }
    *ret_names = names;
    return NULL;
}

static void
forget_listing(struct storage_gcs *gcs)
{
    pthread_mutex_lock(&gcs->lock);
    freep(&gcs->listed_folder);
    gcs_listing_done(&gcs->listing);
    pthread_mutex_unlock(&gcs->lock);
}

/* With the lock: others that wait want the same. */
static struct error *
list_folder(struct storage_gcs *gcs, const char *folder, struct cancel *cancel)
{
    if (str_equal(gcs->listed_folder, folder))
        return NULL;
    freep(&gcs->listed_folder);
    gcs_listing_done(&gcs->listing);
    TRY(gcs_api_list(gcs->client, folder, false, 0, cancel, &gcs->listing));
    gcs->listed_folder = xstrdup(folder);
    return NULL;
}

/* An object's size, generation and checksum: one listing of its folder answers for all of them. */
static struct error *
look_up(struct storage_gcs *gcs, struct cancel *cancel, const char *directory, const char *name,
        const char *object, struct gcs_object *ret_object)
{
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *folder = path_of(gcs, directory, name, NULL);
    CLEANUP(freep) char *path = path_of(gcs, directory, name, object);
    pthread_mutex_lock(&gcs->lock);
    struct error *error = list_folder(gcs, folder, cancel);
    const struct gcs_object *found = error == NULL ? gcs_listing_find(&gcs->listing, path) : NULL;
    if (found != NULL) {
        *ret_object = *found;
        ret_object->name = xstrdup(found->name);
        ret_object->upload_id = xstrdup(found->upload_id);
    }
    pthread_mutex_unlock(&gcs->lock);
    TRY(error);
    /* It may be younger than the listing. */
    return found != NULL ? NULL : gcs_api_get(gcs->client, path, cancel, ret_object);
}

/* ---- Writing ---- */
static struct error *
refuse_folder(const char *name)
{
    return error_new(ERROR_ALREADY_EXISTS,
                     "backup '%s' exists: does another tablet write it, or is the clock wrong",
                     name);
}

static struct error *
check_is_empty(struct storage_gcs *gcs, struct cancel *cancel, const char *folder, const char *name)
{
    CLEANUP(gcs_listing_done) struct gcs_listing listing = {.count = 0};
    TRY(gcs_api_list(gcs->client, folder, false, 2, cancel, &listing));
    return listing.count > 1 ? refuse_folder(name) : NULL;
}

/* Parts of a large object must go again, which a retention policy forbids. Who may not see the
 * bucket's settings assumes that there is none. */
static struct error *
read_policy(struct storage_gcs *gcs, struct cancel *cancel)
{
    struct gcs_bucket bucket = {0};
    struct error *error = gcs_api_bucket(gcs->client, cancel, &bucket);
    if (error_is(error, ERROR_PERMISSION_DENIED)) {
        error_free(error);
        return NULL;
    }
    TRY(error);
    gcs->parts_may_go = bucket.retention_s == 0;
    return NULL;
}

static struct error *
storage_gcs_start(struct storage *storage, struct cancel *cancel, const char *directory,
                  const char *name)
{
    struct storage_gcs *gcs = gcs_of(storage);
    char id[GCS_UPLOAD_ID_BYTES];
    TRY(storage_check_names(directory, name, NULL));
    CLEANUP(freep) char *folder = path_of(gcs, directory, name, NULL);
    CLEANUP(freep) char *owner = path_of(gcs, directory, name, OWNER_NAME);
    CLEANUP(gcs_object_done) struct gcs_object made = {.name = NULL};
    gcs_upload_id_make(id);
    forget_listing(gcs);
    TRY(read_policy(gcs, cancel));
    struct error *error = gcs_upload(gcs->client, owner, id, "", 0, cancel, &made);
    if (error_is(error, ERROR_ALREADY_EXISTS)) {
        error_free(error);
        return refuse_folder(name);
    }
    TRY(error);
    /* Claimed: nobody else can begin now. What is there was there before. */
    error = check_is_empty(gcs, cancel, folder, name);
    if (error != NULL)
        error = error_first(error, gcs_api_delete(gcs->client, owner, made.generation, NULL));
    return error;
}

static struct error *
storage_gcs_open_write(struct storage *storage, struct cancel *cancel, const char *directory,
                       const char *name, const char *object, struct storage_writer **ret_writer)
{
    struct storage_gcs *gcs = gcs_of(storage);
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = path_of(gcs, directory, name, object);
    struct storage_writer *writer = xcalloc(1, sizeof(*writer));
    writer->storage = gcs;
    writer->writer = gcs_writer_new(gcs->client, gcs->lanes, path, gcs->parts_may_go, cancel);
    *ret_writer = writer;
    return NULL;
}

static struct error *
storage_gcs_write(struct storage_writer *writer, const void *data, size_t size)
{
    return gcs_writer_add(writer->writer, data, size);
}

static struct error *
storage_gcs_close_write(struct storage_writer *writer)
{
    struct error *error = gcs_writer_close(writer->writer);
    forget_listing(writer->storage);
    free(writer);
    return error;
}

static void
storage_gcs_abort_write(struct storage_writer *writer)
{
    gcs_writer_abort(writer->writer);
    free(writer);
}

/* Parts that could not be deleted in time, or that a writer left behind that failed. They are no
 * harm to the backup, so neither is a failure here. */
static struct error *
sweep(struct storage_gcs *gcs, struct cancel *cancel, const char *folder)
{
    CLEANUP(gcs_listing_done) struct gcs_listing listing = {.count = 0};
    TRY(gcs_lanes_wait_idle(gcs->lanes, cancel));
    TRY(gcs_api_list(gcs->client, folder, false, 0, cancel, &listing));
    for (size_t i = 0; i < listing.count; i++) {
        const struct gcs_object *object = &listing.objects[i];
        if (strstr(object->name + strlen(folder), GCS_PART_MARK) != NULL)
            error_free(gcs_api_delete(gcs->client, object->name, object->generation, cancel));
    }
    return cancel_check(cancel);
}

static struct error *
storage_gcs_put(struct storage *storage, struct cancel *cancel, const char *directory,
                const char *name, const char *object, const void *data, size_t size)
{
    struct storage_gcs *gcs = gcs_of(storage);
    char id[GCS_UPLOAD_ID_BYTES];
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *folder = path_of(gcs, directory, name, NULL);
    CLEANUP(freep) char *path = path_of(gcs, directory, name, object);
    CLEANUP(gcs_object_done) struct gcs_object made = {.name = NULL};
    bool is_last = strcmp(object, MANIFEST_NAME) == 0;
    gcs_upload_id_make(id);
    if (is_last)
        TRY(sweep(gcs, cancel, folder));
    TRY(gcs_upload(gcs->client, path, id, data, size, cancel, &made));
    forget_listing(gcs);
    if (!is_last)
        return NULL;
    /* Complete: the claim has served, and does no harm where it cannot go. */
    CLEANUP(freep) char *owner = path_of(gcs, directory, name, OWNER_NAME);
    error_free(gcs_api_delete(gcs->client, owner, 0, cancel));
    return NULL;
}

/* ---- Reading ---- */
static struct error *
storage_gcs_open_range(struct storage *storage, struct cancel *cancel, const char *directory,
                       const char *name, const char *object, uint64_t offset, uint64_t size,
                       struct storage_reader **ret_reader)
{
    struct storage_gcs *gcs = gcs_of(storage);
    CLEANUP(gcs_object_done) struct gcs_object found = {.name = NULL};
    TRY(cancel_check(cancel));
    TRY(look_up(gcs, cancel, directory, name, object, &found));
    struct storage_reader *reader = xcalloc(1, sizeof(*reader));
    reader->reader = gcs_reader_new(gcs->client, gcs->lanes, &found, offset, size, cancel);
    *ret_reader = reader;
    return NULL;
}

static struct error *
storage_gcs_open_read(struct storage *storage, struct cancel *cancel, const char *directory,
                      const char *name, const char *object, struct storage_reader **ret_reader)
{
    return storage_gcs_open_range(storage, cancel, directory, name, object, 0, UINT64_MAX,
                                  ret_reader);
}

static struct error *
storage_gcs_read(struct storage_reader *reader, void *data, size_t size, size_t *ret_size)
{
    return gcs_reader_read(reader->reader, data, size, ret_size);
}

static void
storage_gcs_close_read(struct storage_reader *reader)
{
    gcs_reader_free(reader->reader);
    free(reader);
}

static struct error *
storage_gcs_size(struct storage *storage, struct cancel *cancel, const char *directory,
                 const char *name, const char *object, uint64_t *ret_size)
{
    CLEANUP(gcs_object_done) struct gcs_object found = {.name = NULL};
    TRY(cancel_check(cancel));
    TRY(look_up(gcs_of(storage), cancel, directory, name, object, &found));
    *ret_size = found.size_bytes;
    return NULL;
}

/* ---- Removing ---- */
struct removal {
    struct gcs_client *client;
    const struct gcs_listing *listing;
};

static struct error *
remove_object(size_t item, void *worker, struct cancel *cancel, void *data)
{
    const struct removal *removal = data;
    (void)worker;
    return gcs_api_delete(removal->client, removal->listing->objects[item].name, 0, cancel);
}

static struct error *
storage_gcs_remove(struct storage *storage, struct cancel *cancel, const char *directory,
                   const char *name)
{
    struct storage_gcs *gcs = gcs_of(storage);
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, NULL));
    CLEANUP(freep) char *folder = path_of(gcs, directory, name, NULL);
    CLEANUP(freep) char *manifest = path_of(gcs, directory, name, MANIFEST_NAME);
    CLEANUP(gcs_listing_done) struct gcs_listing listing = {.count = 0};
    forget_listing(gcs);
    TRY(gcs_api_list(gcs->client, folder, false, 0, cancel, &listing));
    if (listing.count == 0)
        return error_new(ERROR_NOT_FOUND, "backup '%s' does not exist in '%s'", name, directory);
    /* Without its MANIFEST a half-removed backup is an incomplete one, not a broken one. */
    if (gcs_listing_find(&listing, manifest) != NULL)
        TRY(gcs_api_delete(gcs->client, manifest, 0, cancel));
    struct removal removal = {gcs->client, &listing};
    const struct pipeline pipeline = {
        .threads = GCS_LANES, .item_count = listing.count, .run = remove_object, .data = &removal};
    return pipeline_run(&pipeline, cancel);
}

static void
storage_gcs_free(struct storage *storage)
{
    struct storage_gcs *gcs = gcs_of(storage);
    gcs_lanes_free(gcs->lanes);
    gcs_client_free(gcs->client);
    gcs_listing_done(&gcs->listing);
    pthread_mutex_destroy(&gcs->lock);
    free(gcs->listed_folder);
    free(gcs->root);
    free(gcs);
}

const struct storage_interface storage_gcs_interface = {
    .name = "gcs",
    .list = storage_gcs_list,
    .start = storage_gcs_start,
    .open_write = storage_gcs_open_write,
    .write = storage_gcs_write,
    .close_write = storage_gcs_close_write,
    .abort_write = storage_gcs_abort_write,
    .put = storage_gcs_put,
    .open_read = storage_gcs_open_read,
    .open_range = storage_gcs_open_range,
    .read = storage_gcs_read,
    .close_read = storage_gcs_close_read,
    .size = storage_gcs_size,
    .remove = storage_gcs_remove,
    .probe_write = storage_gcs_probe_write,
    .probe_read = storage_gcs_probe_read,
    .probe_delete = storage_gcs_probe_delete,
    .checks = &storage_gcs_checks,
    .free = storage_gcs_free,
};
