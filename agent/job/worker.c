#include "agent/job/worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/job/worker_private.h"
#include "backup/manifest.h"

void
worker_on_progress(uint64_t done, uint64_t total, const char *text, void *data)
{
    const struct job_worker *worker = data;
    worker_output_progress(worker->output, done, total, text);
}

static void
report_bytes(const struct job_worker *worker, const char *key, uint64_t bytes)
{
    CLEANUP(freep) char *text = xasprintf("%" PRIu64, bytes);
    worker_output_result(worker->output, key, text);
}

static struct error *
back_up(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    bool has_image = !str_is_empty(in->image);
    uint64_t resumed_bytes = 0;
    if (has_image)
        backup_directories_use_image(&worker->directories, in->image);
    const struct backup_take_options options = {
        .keyspace = in->keyspace,
        .shard = in->shard,
        .alias = in->alias,
        .position = in->position,
        .purged_position = in->purged_position,
        .server_uuid = in->server_uuid,
        .mysql_version = in->mysql_version,
        .hostname = in->hostname,
        .quiesce_mode = has_image ? "freeze" : "stop",
        .state = has_image ? in->state : "clean",
        .proof = in->proof,
        .unavailable_ms = in->unavailable_ms,
        .is_upgrade_safe = in->is_upgrade_safe,
        .concurrency = (int)in->concurrency,
        .compression = in->compression,
        .compression_level = (int)in->compression_level,
        .start_time_ns = in->start_time_ns,
        .chunk_bytes = (uint64_t)in->chunk_bytes,
        .max_memory_bytes = (uint64_t)in->max_memory_bytes,
        .rate_bytes_per_second = (uint64_t)in->rate_bytes_per_second,
        .allows_corrupt_pages = in->allows_corrupt_pages,
        .progress_path = str_is_empty(in->progress) ? NULL : in->progress,
        .resumes = in->resumes,
        .resumed_bytes = &resumed_bytes,
        .draft_path = str_is_empty(in->draft) ? NULL : in->draft,
        .on_progress = worker_on_progress,
        .progress_data = worker,
    };
    CLEANUP(freep) char *name = NULL;
    TRY(backup_take(worker->storage, &worker->directories, &options, worker->output->cancel,
                    &name));
    worker_output_result(worker->output, "name", name);
    report_bytes(worker, "resumed_bytes", resumed_bytes);
    return NULL;
}

static struct error *
remove_incomplete(struct job_worker *worker)
{
    const struct storage_interface *interface = worker->storage->interface;
    struct cancel *cancel = worker->output->cancel;
    uint64_t size;
    struct error *error = interface->size(worker->storage, cancel, worker->directory,
                                          worker->options->name, MANIFEST_NAME, &size);
    if (error == NULL) {
        worker_output_log(worker->output, LINE_INFO, "the backup is complete: it stays");
        return NULL;
    }
    if (!error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error);
    error = interface->remove(worker->storage, cancel, worker->directory, worker->options->name);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return NULL;
    }
    return error;
}

struct backup_verify_options
worker_verify_options(struct job_worker *worker, enum backup_verify_mode mode)
{
    return (struct backup_verify_options){
        .mode = mode,
        .concurrency = (int)worker->options->concurrency,
        .rate_bytes_per_second = (uint64_t)worker->options->rate_bytes_per_second,
        .on_progress = worker_on_progress,
        .progress_data = worker,
    };
}

/* Found after the deletion, damage would cost the present data too. */
static struct error *
read_before_restore(struct job_worker *worker, const struct manifest *manifest)
{
    const struct backup_verify_options options = worker_verify_options(worker, BACKUP_VERIFY_FULL);
    if (str_is_empty(worker->options->verify))
        return NULL;
    return backup_verify(worker->storage, manifest, &options, worker->output->cancel);
}

static struct error *
check_restore(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    CLEANUP(strv_done) struct strv notes = {.items = NULL};
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    struct error *error =
        restore_choose(worker->storage, in->keyspace, in->shard, in->not_after_ns,
                       in->mysql_version, worker->output->cancel, &notes, &manifest);
    for (size_t i = 0; i < notes.count; i++)
        worker_output_log(worker->output, LINE_WARNING, notes.items[i]);
    TRY(error);
    TRY(backup_directories_check(&worker->directories));
    TRY(restore_check(worker->storage, manifest, &worker->directories, worker->output->cancel));
    TRY(read_before_restore(worker, manifest));
    worker_output_result(worker->output, "name", manifest->backup_name);
    worker_output_result(worker->output, "position", manifest->position);
    worker_output_result(worker->output, "version", manifest->mysql_version);
    worker_output_result(worker->output, "same_version",
                         manifest_version_is_same(manifest, in->mysql_version) ? "yes" : "no");
    return NULL;
}

/* The server is down: what is found is still so when the copying begins. */
static struct error *
match(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    struct backup_verify_options options = worker_verify_options(worker, BACKUP_VERIFY_FULL);
    options.present = &worker->directories;
    options.kept_path = in->kept;
    TRY(restore_open(worker->storage, in->keyspace, in->shard, in->name, worker->output->cancel,
                     &manifest));
    return backup_verify(worker->storage, manifest, &options, worker->output->cancel);
}

static struct error *
wipe(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    if (!str_is_empty(in->name))
        TRY(restore_open(worker->storage, in->keyspace, in->shard, in->name, worker->output->cancel,
                         &manifest));
    return restore_wipe(&worker->directories, manifest);
}

static struct error *
copy(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    uint64_t kept_bytes = 0, plain_bytes = 0;
    const struct restore_options options = {
        .concurrency = (int)in->concurrency,
        .rate_bytes_per_second = (uint64_t)in->rate_bytes_per_second,
        .on_progress = worker_on_progress,
        .progress_data = worker,
        .keeps_matching = in->keeps_matching,
        .kept_path = str_is_empty(in->kept) ? NULL : in->kept,
        .kept_bytes = &kept_bytes,
    };
    TRY(restore_open(worker->storage, in->keyspace, in->shard, in->name, worker->output->cancel,
                     &manifest));
    TRY(restore_copy(worker->storage, manifest, &worker->directories, &options,
                     worker->output->cancel));
    for (size_t i = 0; i < manifest->entry_count; i++)
        plain_bytes += manifest->entries[i].plain_bytes;
    report_bytes(worker, "plain_bytes", plain_bytes);
    report_bytes(worker, "kept_bytes", kept_bytes);
    return NULL;
}

/* The call that does not return belongs to one of our threads: all we can do is to say so. What is
 * killed from outside then writes no more. */
static void
on_stuck(const char *text, void *data)
{
    const struct job_worker *worker = data;
    worker_output_stuck(worker->output, text);
    _exit(1);
}

static struct error *
open_only(struct job_worker *worker)
{
    (void)worker;
    return NULL;
}

struct mode {
    const char *name;
    bool needs_storage, writes_storage, needs_directories;
    struct error *(*run)(struct job_worker *worker);
};
static const struct mode modes[] = {
    {"check-storage", true, true, true, worker_check_storage},
    {"doctor", false, false, false, worker_doctor},
    {"backup", true, true, true, back_up},
    {"publish", true, true, false, worker_publish},
    {"open", true, true, false, open_only},
    {"open-read", true, false, false, open_only},
    {"look", true, false, false, worker_look},
    {"find", true, true, false, worker_find},
    {"read-back", true, false, false, worker_read_back},
    {"record", true, true, false, worker_record},
    {"scratch-check", true, false, true, worker_check_scratch},
    {"remove-incomplete", true, true, false, remove_incomplete},
    {"restore-check", true, false, true, check_restore},
    {"restore-match", true, false, true, match},
    {"restore-wipe", true, false, true, wipe},
    {"restore-copy", true, false, true, copy},
};

struct error *
worker_open_storage(struct job_worker *worker, bool wants_write)
{
    const struct worker_options *in = worker->options;
    const struct storage_options options = {.implementation = in->storage_implementation,
                                            .file_root = in->file_root,
                                            .gcs_bucket = in->gcs_bucket,
                                            .gcs_root = in->gcs_root,
                                            .watch = {.timeout_ms = in->storage_timeout_ms,
                                                      .cancel = worker->output->cancel,
                                                      .on_stuck = on_stuck,
                                                      .data = worker}};
    return storage_open(&options, wants_write, &worker->storage);
}

/* What it took at most. */
static void
report_memory(const struct job_worker *worker)
{
    CLEANUP(buffer_done) struct buffer status = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read("/proc/self/status", 1 << 16, &status);
    const char *peak = error != NULL ? NULL : strstr(buffer_text(&status), "VmHWM:");
    if (peak != NULL)
        report_bytes(worker, "memory_bytes", strtoull(peak + strlen("VmHWM:"), NULL, 10) << 10);
}

static struct error *
run_mode(struct job_worker *worker, const struct mode *mode)
{
    const struct worker_options *in = worker->options;
    if (mode->needs_storage)
        TRY(worker_open_storage(worker, mode->writes_storage));
    if (mode->needs_directories)
        TRY(backup_directories_read(in->mycnf, &worker->directories));
    if (mode->needs_directories && !str_is_empty(in->image))
        backup_directories_use_image(&worker->directories, in->image);
    TRY(mode->run(worker));
    report_memory(worker);
    return NULL;
}

static void
worker_done(struct job_worker *worker)
{
    storage_free(worker->storage);
    backup_directories_done(&worker->directories);
    freep(&worker->directory);
}

struct error *
job_worker_run(const struct worker_options *options, const struct worker_output *output)
{
    CLEANUP(worker_done)
    struct job_worker worker = {.options = options,
                                .output = output,
                                .directory = xasprintf("%s/%s", options->keyspace, options->shard)};
    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        if (strcmp(modes[i].name, options->mode) == 0)
            return run_mode(&worker, &modes[i]);
    }
    return error_new(ERROR_INVALID_ARGUMENT, "unknown mode '%s'", options->mode);
}
