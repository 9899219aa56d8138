/* Taking a backup: the files of a stopped server, in chunks that all threads share; objects are
 * numbered in the MANIFEST's order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/clock.h"
#include "backup/pipeline.h"
#include "backup/take.h"

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
    rate_init(&take->rate, take->options->rate_bytes_per_second);
    take->directory = xasprintf("%s/%s", take->options->keyspace, take->options->shard);
    take->name = backup_name(take->options->start_time_ns, take->options->alias);
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
    TRY(storage->interface->start(storage, cancel, take.directory, take.name));
    struct error *error = copy_all(&take, cancel);
    for (size_t i = 0; error != NULL && i < take.files.count; i++)
        take_object_abort(&take, &take.objects[i]);
    if (error != NULL)
        return remove_failed(&take, error);
    *ret_name = take.name;
    take.name = NULL;
    return NULL;
}
