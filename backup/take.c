/* Taking a backup: the files of a stopped server, in chunks that all threads share; objects are
 * numbered in the MANIFEST's order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "backup/pipeline.h"
#include "backup/take_progress.h"

#define DRAFT_MODE 0600

char *
backup_name(int64_t start_time_ns, const char *alias)
{
    time_t seconds = (time_t)(start_time_ns / 1000000000LL);
    struct tm parts;
    char text[32];
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%d.%H%M%S", &parts);
    return xasprintf("%s.%s", text, alias);
}

static void
tick(void *data)
{
    struct take *take = data;
    if (take->options->on_progress == NULL)
        return;
    CLEANUP(freep)
    char *text =
        xasprintf("%zu of %zu files copied", atomic_load(&take->done_files), take->files.count);
    take->options->on_progress(atomic_load(&take->done_bytes), take->files.total_bytes, text,
                               take->options->progress_data);
}

static void
describe(struct manifest *manifest, const struct take *take)
{
    const struct backup_take_options *options = take->options;
    char time_text[32];
    clock_format_rfc3339(options->start_time_ns, time_text);
    str_replace(&manifest->backup_name, take->name);
    str_replace(&manifest->backup_method, "builtin");
    str_replace(&manifest->position, options->position);
    str_replace(&manifest->purged_position, options->purged_position);
    str_replace(&manifest->backup_time, time_text);
    str_replace(&manifest->server_uuid, options->server_uuid);
    str_replace(&manifest->tablet_alias, options->alias);
    str_replace(&manifest->hostname, options->hostname);
    str_replace(&manifest->keyspace, options->keyspace);
    str_replace(&manifest->shard, options->shard);
    str_replace(&manifest->mysql_version, options->mysql_version);
    str_replace(&manifest->compression_engine, take->codec->name);
    str_replace(&manifest->quiesce_mode,
                options->quiesce_mode != NULL ? options->quiesce_mode : "stop");
    str_replace(&manifest->state, options->state != NULL ? options->state : "clean");
    str_replace(&manifest->proof, options->proof != NULL ? options->proof : "");
    if (options->unavailable_ms > 0)
        manifest->unavailable_ms = options->unavailable_ms;
    manifest->is_upgrade_safe = options->is_upgrade_safe;
    manifest->skips_compress = take->codec == &codec_none;
    /* Vitess knows no engine "none": its own manifests name one and skip it. */
    if (manifest->skips_compress)
        str_replace(&manifest->compression_engine, codec_gzip.name);
    manifest->has_vtagent_details = true;
    for (size_t i = 0; i < take->files.empty_directories.count; i++)
        strv_add(&manifest->empty_directories, take->files.empty_directories.items[i]);
}

static struct error *
publish(struct take *take, struct cancel *cancel)
{
    char time_text[32];
    clock_format_rfc3339(clock_wall_ns(), time_text);
    str_replace(&take->manifest->finished_time, time_text);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    manifest_print(take->manifest, &text);
    /* What we could not read ourselves is no backup. */
    struct manifest *check;
    TRY(manifest_parse(text.data, text.length_bytes, &check));
    manifest_free(check);
    if (take->options->draft_path != NULL)
        return file_write_safely(take->options->draft_path, text.data, text.length_bytes,
                                 DRAFT_MODE);
    return take->storage->interface->put(take->storage, cancel, take->directory, take->name,
                                         MANIFEST_NAME, text.data, text.length_bytes);
}

static struct error *
copy_all(struct take *take, struct cancel *cancel)
{
    const struct pipeline pipeline = {.threads = take->options->concurrency,
                                      .item_count = take->item_count,
                                      .worker_new = take_worker_new,
                                      .worker_free = take_worker_free,
                                      .run = take_worker_run,
                                      .tick = tick,
                                      .data = take};
    TRY(pipeline_run(&pipeline, cancel));
    TRY(cancel_check(cancel));
    return error_wrap(publish(take, cancel), "write the MANIFEST");
}

/* A folder without a MANIFEST would block the bootstrap of a new shard: it goes, canceled or not.
 */
static struct error *
remove_failed(struct take *take, struct error *take_error)
{
    struct error *error =
        take->storage->interface->remove(take->storage, NULL, take->directory, take->name);
    if (error == NULL)
        return take_error;
    take_error =
        error_wrap(take_error, "backup '%s' failed and its folder could not be removed (%s)",
                   take->name, error->message);
    error_free(error);
    return take_error;
}

static void
take_done(struct take *take)
{
    take_progress_close(take);
    pthread_mutex_destroy(&take->progress.lock);
    take_plan_done(take);
    if (take->zeros != NULL)
        free(take->zeros->bytes);
    free(take->zeros);
    rate_done(&take->rate);
    pthread_mutex_destroy(&take->lock);
    pthread_cond_destroy(&take->has_spare);
    free(take->directory);
    free(take->name);
}

static void
take_init(struct take *take)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&take->has_spare, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&take->lock, NULL);
    pthread_mutex_init(&take->progress.lock, NULL);
    take->progress.descriptor = -1;
    rate_init(&take->rate, take->options->rate_bytes_per_second);
    take->directory = xasprintf("%s/%s", take->options->keyspace, take->options->shard);
    take->name = backup_name(take->options->start_time_ns, take->options->alias);
}

/* ---- What an earlier attempt has left ---- */
static bool
is_usable(const struct take *take, const struct take_file *object, uint64_t size)
{
    if (object->is_finished)
        return size == object->stored_bytes;
    return take->storage->interface->open_resume != NULL && size >= object->stored_bytes;
}

/* The storage has the last word. */
static struct error *
check_objects(struct take *take, struct cancel *cancel)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < take->files.count; i++) {
        struct take_file *object = &take->objects[i];
        char name[24];
        uint64_t size = 0;
        if (object->resumed_chunks == 0)
            continue;
        snprintf(name, sizeof(name), "%zu", object->index);
        struct error *error = take->storage->interface->size(take->storage, cancel, take->directory,
                                                             take->name, name, &size);
        bool is_there = error == NULL && is_usable(take, object, size);
        if (error != NULL && !error_is(error, ERROR_NOT_FOUND))
            return error;
        error_free(error);
        uint64_t file_bytes = take->files.items[object->index].size_bytes;
        uint64_t chunk_bytes = object->resumed_chunks * take->chunk_bytes;
        if (is_there)
            bytes += chunk_bytes < file_bytes ? chunk_bytes : file_bytes;
        else
            take_progress_reset(take, object);
    }
    if (take->options->resumed_bytes != NULL)
        *take->options->resumed_bytes = bytes;
    return NULL;
}

/* Killed after its last step. */
static struct error *
find_complete(struct take *take, struct cancel *cancel, bool *ret_is_complete)
{
    uint64_t size;
    struct error *error = take->storage->interface->size(take->storage, cancel, take->directory,
                                                         take->name, MANIFEST_NAME, &size);
    *ret_is_complete = error == NULL;
    if (!error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error);
    return NULL;
}

static struct error *
tolerate(struct error *take_error, enum error_code code)
{
    if (!error_is(take_error, code))
        return take_error;
    error_free(take_error);
    return NULL;
}

/* The backup's folder, with what can be gone on from or empty. */
static struct error *
begin(struct take *take, struct cancel *cancel, bool *ret_is_complete)
{
    const struct storage_interface *interface = take->storage->interface;
    if (!take->options->resumes)
        return interface->start(take->storage, cancel, take->directory, take->name);
    TRY(find_complete(take, cancel, ret_is_complete));
    if (*ret_is_complete)
        return NULL;
    if (!take->is_resumed)
        TRY(tolerate(interface->remove(take->storage, cancel, take->directory, take->name),
                     ERROR_NOT_FOUND));
    TRY(tolerate(interface->start(take->storage, cancel, take->directory, take->name),
                 ERROR_ALREADY_EXISTS));
    return check_objects(take, cancel);
}

struct error *
backup_take(struct storage *storage, const struct backup_directories *directories,
            const struct backup_take_options *options, struct cancel *cancel, char **ret_name)
{
    CLEANUP(take_done) struct take take = {.storage = storage, .options = options};
    CLEANUP(codec_stream_freep) struct codec_stream *probe = NULL;
    take_init(&take);
    TRY(codec_find(options->compression, &take.codec));
    TRY(codec_encoder_new(take.codec, options->compression_level, NULL, NULL, &probe));
    TRY(take_plan(&take, directories));
    describe(take.manifest, &take);
    take.is_resumed = take_progress_open(&take);
    bool is_complete = false;
    TRY(begin(&take, cancel, &is_complete));
    struct error *error = is_complete ? NULL : copy_all(&take, cancel);
    for (size_t i = 0; error != NULL && i < take.files.count; i++)
        take_object_abort(&take, &take.objects[i]);
    if (error != NULL)
        return remove_failed(&take, error);
    *ret_name = take.name;
    take.name = NULL;
    return NULL;
}
