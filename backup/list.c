#include "backup/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "backup/backup.h"
#include "backup/manifest.h"

#define NS_PER_MS 1000000

/* "2026-11-23.055542.zone1-0000000102": time and alias, when the name has that form. */
static void
read_name(struct backup_summary *summary)
{
    unsigned year, month, day, time;
    int used = 0;
    if (sscanf(summary->name, "%4u-%2u-%2u.%6u.%n", &year, &month, &day, &time, &used) != 4 ||
        used == 0)
        return;
    char text[64];
    snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02uZ", year, month, day, time / 10000,
             time / 100 % 100, time % 100);
    struct error *error = clock_parse_rfc3339(text, &summary->time_ns);
    if (error == NULL)
        str_replace(&summary->alias, summary->name + used);
    error_free(error);
}

static void
read_times(struct backup_summary *summary, const struct manifest *manifest)
{
    int64_t end_ns;
    if (manifest->backup_time[0] != '\0')
        error_free(clock_parse_rfc3339(manifest->backup_time, &summary->time_ns));
    if (manifest->finished_time[0] == '\0' || summary->time_ns == 0)
        return;
    struct error *error = clock_parse_rfc3339(manifest->finished_time, &end_ns);
    if (error == NULL && end_ns >= summary->time_ns)
        summary->duration_ms = (end_ns - summary->time_ns) / NS_PER_MS;
    error_free(error);
}

static void
read_manifest(struct backup_summary *summary, const struct manifest *manifest)
{
    summary->state = BACKUP_COMPLETE;
    str_replace(&summary->method,
                manifest->backup_method[0] == '\0' ? "builtin" : manifest->backup_method);
    str_replace(&summary->engine, manifest->skips_compress ? "none" : manifest->compression_engine);
    str_replace(&summary->position, manifest->position);
    str_replace(&summary->mysql_version, manifest->mysql_version);
    if (manifest->tablet_alias[0] != '\0')
        str_replace(&summary->alias, manifest->tablet_alias);
    read_times(summary, manifest);
    str_replace(&summary->quiesce_mode, manifest->quiesce_mode);
    str_replace(&summary->proof, manifest->proof);
    summary->unavailable_ms = manifest->unavailable_ms;
    summary->is_incremental = manifest->is_incremental || manifest->from_position[0] != '\0';
    summary->file_count = manifest->entry_count;
    for (size_t i = 0; i < manifest->entry_count; i++)
        summary->plain_bytes += manifest->entries[i].plain_bytes;
}

/* Vitess's manifests hold no sizes; then the objects are asked, and missing ones count nothing. */
static void
measure(struct storage *storage, struct backup_summary *summary, const char *directory,
        const struct manifest *manifest, struct cancel *cancel)
{
    for (size_t i = 0; i < manifest->entry_count && !cancel_is_requested(cancel); i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        uint64_t size = entry->stored_bytes;
        char object[24];
        snprintf(object, sizeof(object), "%zu", i);
        if (!entry->has_details)
            error_free(
                storage->interface->size(storage, cancel, directory, summary->name, object, &size));
        summary->stored_bytes += size;
    }
}

/* An error that speaks of this one backup, not of the storage. */
static bool
is_about_the_manifest(const struct error *error)
{
    return error_is(error, ERROR_INVALID_ARGUMENT) || error_is(error, ERROR_RESOURCE_EXHAUSTED) ||
           error_is(error, ERROR_PERMISSION_DENIED);
}

static struct error *
summarize(struct storage *storage, const char *keyspace, const char *shard, struct cancel *cancel,
          struct backup_summary *summary)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    read_name(summary);
    struct error *error = restore_read(storage, keyspace, shard, summary->name, cancel, &manifest);
    bool is_incomplete = error_is(error, ERROR_NOT_FOUND);
    if (error != NULL && !is_incomplete && !is_about_the_manifest(error))
        return error_wrap(error, "read the MANIFEST of backup '%s'", summary->name);
    if (error != NULL) {
        summary->state = is_incomplete ? BACKUP_INCOMPLETE : BACKUP_UNREADABLE;
        str_replace(&summary->problem, is_incomplete ? "no MANIFEST" : error->message);
        error_free(error);
    } else {
        read_manifest(summary, manifest);
        measure(storage, summary, directory, manifest, cancel);
    }
    TRY(cancel_check(cancel));
    if (is_incomplete)
        return NULL;
    verdict_sum_done(&summary->verdict);
    return verdict_read(storage, cancel, directory, summary->name, &summary->verdict);
}

static void
summary_init(struct backup_summary *summary, const char *name)
{
    *summary = (struct backup_summary){
        .name = xstrdup(name),
        .alias = xstrdup(""),
        .problem = xstrdup(""),
        .method = xstrdup(""),
        .engine = xstrdup(""),
        .position = xstrdup(""),
        .mysql_version = xstrdup(""),
        .quiesce_mode = xstrdup(""),
        .proof = xstrdup(""),
        .duration_ms = -1,
        .unavailable_ms = -1,
        .verdict = {.problem = xstrdup("")},
    };
}

struct error *
backup_list_read(struct storage *storage, const char *keyspace, const char *shard, size_t limit,
                 struct cancel *cancel, struct backup_list *ret_list)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(storage->interface->list(storage, cancel, directory, &names));
    CLEANUP(backup_list_done) struct backup_list list = {.items = NULL};
    list.items = xcalloc(names.count + 1, sizeof(*list.items));
    size_t skipped = limit > 0 && names.count > limit ? names.count - limit : 0;
    for (; list.count < names.count - skipped; list.count++)
        summary_init(&list.items[list.count], names.items[skipped + list.count]);
    for (size_t i = 0; i < list.count; i++)
        TRY(summarize(storage, keyspace, shard, cancel, &list.items[i]));
    *ret_list = list;
    list = (struct backup_list){.items = NULL};
    return NULL;
}

void
backup_list_done(struct backup_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct backup_summary *summary = &list->items[i];
        free(summary->name);
        free(summary->alias);
        free(summary->problem);
        free(summary->method);
        free(summary->engine);
        free(summary->position);
        free(summary->mysql_version);
        free(summary->quiesce_mode);
        free(summary->proof);
        verdict_sum_done(&summary->verdict);
    }
    free(list->items);
    *list = (struct backup_list){.items = NULL};
}

struct error *
backup_find_newest(struct storage *storage, const char *keyspace, const char *shard,
                   struct cancel *cancel, char **ret_name)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(storage->interface->list(storage, cancel, directory, &names));
    for (size_t i = names.count; i-- > 0;) {
        uint64_t size;
        struct error *error = storage->interface->size(storage, cancel, directory, names.items[i],
                                                       MANIFEST_NAME, &size);
        if (error == NULL) {
            *ret_name = xstrdup(names.items[i]);
            return NULL;
        }
        if (!error_is(error, ERROR_NOT_FOUND))
            return error_wrap(error, "look at backup '%s'", names.items[i]);
        error_free(error);
    }
    return error_new(ERROR_NOT_FOUND, "no complete backup of '%s'", directory);
}
