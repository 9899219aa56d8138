#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "backup/backup.h"
#include "backup/manifest.h"

struct error *
restore_read(struct storage *storage, const char *keyspace, const char *shard, const char *name,
             struct cancel *cancel, struct manifest **ret_manifest)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(storage_get(storage, cancel, directory, name, MANIFEST_NAME, MANIFEST_LIMIT_BYTES, &text));
    struct manifest *manifest;
    TRY(manifest_parse(buffer_text(&text), text.length_bytes, &manifest));
    str_replace(&manifest->backup_name, name);
    str_replace(&manifest->keyspace, keyspace);
    str_replace(&manifest->shard, shard);
    *ret_manifest = manifest;
    return NULL;
}

#define LOOK_AGAIN_MS 500

/* A backup that another machine has just completed may look incomplete from here. */
static struct error *
await_manifest(struct storage *storage, const char *keyspace, const char *shard, const char *name,
               struct cancel *cancel, bool *ret_may_come)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    int64_t hidden_ms = 0;
    *ret_may_come = false;
    if (storage->interface->hidden_ms != NULL)
        TRY(storage->interface->hidden_ms(storage, cancel, directory, name, &hidden_ms));
    if (hidden_ms == 0)
        return NULL;
    *ret_may_come = true;
    return cancel_sleep_ms(cancel, hidden_ms < LOOK_AGAIN_MS ? hidden_ms : LOOK_AGAIN_MS);
}

struct error *
restore_open(struct storage *storage, const char *keyspace, const char *shard, const char *name,
             struct cancel *cancel, struct manifest **ret_manifest)
{
    for (;;) {
        bool may_come = false;
        struct error *error = restore_read(storage, keyspace, shard, name, cancel, ret_manifest);
        if (!error_is(error, ERROR_NOT_FOUND))
            return error;
        struct error *problem = await_manifest(storage, keyspace, shard, name, cancel, &may_come);
        if (problem == NULL && !may_come)
            return error;
        error_free(error);
        TRY(problem);
    }
}

/* An error that speaks of this one backup, not of the storage. */
static bool
is_about_the_backup(const struct error *error)
{
    return error_is(error, ERROR_NOT_FOUND) || error_is(error, ERROR_INVALID_ARGUMENT) ||
           error_is(error, ERROR_RESOURCE_EXHAUSTED);
}

/* The last byte of a second belongs to it: names and BackupTime have no fraction. */
static struct error *
check_time(const struct manifest *manifest, int64_t not_after_ns)
{
    int64_t time_ns;
    if (not_after_ns == 0)
        return NULL;
    if (manifest->backup_time[0] == '\0')
        return error_new(ERROR_FAILED_PRECONDITION, "it has no BackupTime");
    TRY(clock_parse_rfc3339(manifest->backup_time, &time_ns));
    if (time_ns > not_after_ns)
        return error_new(ERROR_FAILED_PRECONDITION, "it is newer than asked for (%s)",
                         manifest->backup_time);
    return NULL;
}

static struct error *
check_usable(const struct manifest *manifest, int64_t not_after_ns, const char *server_version)
{
    if (manifest->backup_method[0] != '\0' && strcmp(manifest->backup_method, "builtin") != 0)
        return error_new(ERROR_FAILED_PRECONDITION, "engine '%s' is not supported",
                         manifest->backup_method);
    if (manifest->is_incremental || manifest->from_position[0] != '\0')
        return error_new(ERROR_FAILED_PRECONDITION, "it is incremental");
    if (manifest->position[0] == '\0')
        return error_new(ERROR_FAILED_PRECONDITION, "it has no position");
    if (manifest->entry_count == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "it has no files");
    TRY(check_time(manifest, not_after_ns));
    return manifest_check_version(manifest, server_version);
}

static void
note(struct strv *notes, const char *name, const struct error *error)
{
    if (notes != NULL)
        strv_addf(notes, "backup '%s' is skipped: %s", name,
                  error_is(error, ERROR_NOT_FOUND) ? "it is incomplete: no MANIFEST"
                                                   : error->message);
}

/* *ret_manifest stays NULL when this one cannot be used. */
static struct error *
try_backup(struct storage *storage, const char *keyspace, const char *shard, const char *name,
           int64_t not_after_ns, const char *server_version, struct cancel *cancel,
           struct strv *ret_notes, struct manifest **ret_manifest)
{
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    CLEANUP(error_freep)
    struct error *error = restore_read(storage, keyspace, shard, name, cancel, &manifest);
    if (error != NULL && !is_about_the_backup(error)) {
        struct error *wrapped = error_wrap(error, "read the MANIFEST of backup '%s'", name);
        error = NULL;
        return wrapped;
    }
    if (error == NULL)
        error = check_usable(manifest, not_after_ns, server_version);
    if (error != NULL) {
        note(ret_notes, name, error);
        return NULL;
    }
    *ret_manifest = manifest;
    manifest = NULL;
    return NULL;
}

struct error *
restore_choose(struct storage *storage, const char *keyspace, const char *shard,
               int64_t not_after_ns, const char *server_version, struct cancel *cancel,
               struct strv *ret_notes, struct manifest **ret_manifest)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(storage->interface->list(storage, cancel, directory, &names));
    if (names.count == 0)
        return error_new(ERROR_NOT_FOUND, "no backup of '%s'", directory);
    for (size_t i = names.count; i-- > 0;) {
        struct manifest *manifest = NULL;
        TRY(try_backup(storage, keyspace, shard, names.items[i], not_after_ns, server_version,
                       cancel, ret_notes, &manifest));
        if (manifest != NULL) {
            *ret_manifest = manifest;
            return NULL;
        }
    }
    return error_new(ERROR_FAILED_PRECONDITION,
                     "no complete backup of '%s': none of the %zu there can be used", directory,
                     names.count);
}
