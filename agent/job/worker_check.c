/* Looking at a stored backup. */
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/job/backup_line.h"
#include "agent/job/space.h"
#include "agent/job/worker_private.h"
#include "backup/list.h"
#include "backup/manifest.h"

#ifndef VTAGENT_VERSION
#define VTAGENT_VERSION "unknown"
#endif

static struct error *
write_verdict(struct job_worker *worker, enum verdict_mode mode, const char *problem)
{
    const struct worker_options *in = worker->options;
    CLEANUP(verdict_done)
    struct verdict verdict = {
        .time_ns = clock_wall_ns(),
        .mode = mode,
        .is_good = str_is_empty(problem),
        .problem = xstrdup(problem),
        .alias = xstrdup(in->alias),
        .server_version = xstrdup(in->mysql_version),
        .program = xstrdup("vtagent " VTAGENT_VERSION),
    };
    return verdict_write(worker->storage, worker->output->cancel, worker->directory, in->name,
                         &verdict);
}

struct error *
worker_record(struct job_worker *worker)
{
    enum verdict_mode mode;
    TRY(verdict_mode_parse(worker->options->verify, &mode));
    return write_verdict(worker, mode, worker->options->problem);
}

static struct error *
compare(struct job_worker *worker, const struct manifest *manifest, enum verdict_mode mode)
{
    const struct backup_verify_options options = worker_verify_options(
        worker, mode == VERDICT_FULL ? BACKUP_VERIFY_FULL : BACKUP_VERIFY_SIZE);
    return backup_verify(worker->storage, manifest, &options, worker->output->cancel);
}

struct error *
worker_read_back(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    enum verdict_mode mode;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    TRY(verdict_mode_parse(in->verify, &mode));
    TRY(restore_open(worker->storage, in->keyspace, in->shard, in->name, worker->output->cancel,
                     &manifest));
    return compare(worker, manifest, mode);
}

/* ---- Completing ---- */

static struct error *
remove_damaged(struct job_worker *worker, struct error *take_error)
{
    struct error *removal = worker->storage->interface->remove(
        worker->storage, worker->output->cancel, worker->directory, worker->options->name);
    return error_first(error_wrap(take_error, "the backup was stored wrongly and is removed"),
                       removal);
}

/* That it was looked at is worth noting, but a note that cannot be made is no reason to fail it. */
static void
note_verdict(struct job_worker *worker, enum verdict_mode mode)
{
    CLEANUP(error_freep) struct error *problem = write_verdict(worker, mode, "");
    if (problem != NULL)
        worker_output_log(worker->output, LINE_WARNING, problem->message);
}

/* What is not as it was written is never listed: the MANIFEST comes after the reading. */
struct error *
worker_publish(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    struct cancel *cancel = worker->output->cancel;
    enum verdict_mode mode = VERDICT_SIZE;
    bool is_verified = !str_is_empty(in->verify) && !str_equal(in->verify, "none");
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    TRY(backup_read_draft(in->draft, in->name, &manifest));
    if (is_verified)
        TRY(verdict_mode_parse(in->verify, &mode));
    struct error *error = is_verified ? compare(worker, manifest, mode) : NULL;
    if (error_is(error, ERROR_DATA_LOSS))
        return remove_damaged(worker, error);
    TRY(error);
    TRY(backup_publish(worker->storage, manifest, in->unavailable_ms, cancel));
    if (is_verified)
        note_verdict(worker, mode);
    return NULL;
}

/* ---- Finding ---- */

struct error *
worker_look(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    struct cancel *cancel = worker->output->cancel;
    CLEANUP(freep) char *newest = NULL;
    CLEANUP(backup_list_done) struct backup_list list = {.items = NULL};
    TRY(backup_find_newest(worker->storage, in->keyspace, in->shard, cancel, &newest));
    if (str_equal(newest, in->name))
        return NULL;
    TRY(backup_list_read(worker->storage, in->keyspace, in->shard, NEWEST_LOOKED_AT, cancel,
                         &list));
    for (size_t i = 0; i < list.count; i++) {
        CLEANUP(freep) char *line = backup_line_print(&list.items[i]);
        worker_output_result(worker->output, "backup", line);
    }
    worker_output_result(worker->output, "name", newest);
    return NULL;
}

static struct error *
find_name(struct job_worker *worker, char **ret_name)
{
    const struct worker_options *in = worker->options;
    if (!str_is_empty(in->name)) {
        *ret_name = xstrdup(in->name);
        return NULL;
    }
    return backup_find_newest(worker->storage, in->keyspace, in->shard, worker->output->cancel,
                              ret_name);
}

/* A MANIFEST that cannot be read makes a backup as useless as a damaged object does. */
static struct error *
open_manifest(struct job_worker *worker, const char *name, struct manifest **ret_manifest)
{
    const struct worker_options *in = worker->options;
    struct error *error = restore_open(worker->storage, in->keyspace, in->shard, name,
                                       worker->output->cancel, ret_manifest);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return error_new(ERROR_FAILED_PRECONDITION,
                         "there is no complete backup '%s' in '%s': it has no MANIFEST", name,
                         worker->directory);
    }
    if (!error_is(error, ERROR_INVALID_ARGUMENT) && !error_is(error, ERROR_RESOURCE_EXHAUSTED))
        return error_wrap(error, "look at backup '%s'", name);
    error->code = ERROR_DATA_LOSS;
    return error_wrap(error, "backup '%s' is damaged", name);
}

static struct error *
check_is_known_kind(const struct manifest *manifest)
{
    bool is_builtin =
        manifest->backup_method[0] == '\0' || strcmp(manifest->backup_method, "builtin") == 0;
    if (!is_builtin)
        return error_new(ERROR_UNIMPLEMENTED,
                         "backup '%s' was made by engine '%s': only its own tools can check it",
                         manifest->backup_name, manifest->backup_method);
    if (manifest->entry_count == 0)
        return error_new(ERROR_DATA_LOSS, "backup '%s' is damaged: its MANIFEST names no files",
                         manifest->backup_name);
    return NULL;
}

struct error *
worker_find(struct job_worker *worker)
{
    CLEANUP(freep) char *name = NULL;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    TRY(find_name(worker, &name));
    worker_output_result(worker->output, "name", name);
    TRY(open_manifest(worker, name, &manifest));
    worker_output_result(worker->output, "position", manifest->position);
    worker_output_result(worker->output, "version", manifest->mysql_version);
    return check_is_known_kind(manifest);
}

/* ---- Restoring into a folder of its own ---- */

/* The server beside it must not run out of space, whatever the scratch takes. */
static struct error *
check_reserve(const struct manifest *manifest, const char *image)
{
    uint64_t needed = 0, free_bytes, total_bytes;
    for (size_t i = 0; i < manifest->entry_count; i++)
        needed += manifest->entries[i].plain_bytes;
    TRY(file_system_space(image, &free_bytes, &total_bytes));
    uint64_t left = free_bytes > needed ? free_bytes - needed : 0;
    if (!space_is_low(left, total_bytes))
        return NULL;
    return error_new(ERROR_RESOURCE_EXHAUSTED,
                     "the file system of '%s' has too little room for the backup: %llu MB are "
                     "free, it takes %llu MB",
                     image, (unsigned long long)(free_bytes >> 20),
                     (unsigned long long)(needed >> 20));
}

struct error *
worker_check_scratch(struct job_worker *worker)
{
    const struct worker_options *in = worker->options;
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    TRY(open_manifest(worker, in->name, &manifest));
    if (manifest->is_incremental || manifest->from_position[0] != '\0')
        return error_new(ERROR_FAILED_PRECONDITION,
                         "backup '%s' is incremental: it cannot be restored by itself", in->name);
    TRY(manifest_check_version(manifest, in->mysql_version));
    TRY(restore_check(worker->storage, manifest, &worker->directories, worker->output->cancel));
    return check_reserve(manifest, in->image);
}
