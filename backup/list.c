#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "backup/backup.h"
#include "backup/manifest.h"

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
read_manifest(struct backup_summary *summary, const struct manifest *manifest)
{
    summary->is_complete = true;
    str_replace(&summary->method,
                manifest->backup_method[0] == '\0' ? "builtin" : manifest->backup_method);
    str_replace(&summary->engine, manifest->skips_compress ? "none" : manifest->compression_engine);
    str_replace(&summary->position, manifest->position);
    str_replace(&summary->mysql_version, manifest->mysql_version);
    if (manifest->tablet_alias[0] != '\0')
        str_replace(&summary->alias, manifest->tablet_alias);
    if (manifest->backup_time[0] != '\0')
        error_free(clock_parse_rfc3339(manifest->backup_time, &summary->time_ns));
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

static struct error *
summarize(struct storage *storage, const char *keyspace, const char *shard, struct cancel *cancel,
          struct backup_summary *summary)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    read_name(summary);
    struct error *error = restore_open(storage, keyspace, shard, summary->name, cancel, &manifest);
    if (error != NULL && cancel_is_requested(cancel))
        return error;
    if (error != NULL) {
        str_replace(&summary->problem,
                    error_is(error, ERROR_NOT_FOUND) ? "no MANIFEST" : error->message);
        error_free(error);
        return NULL;
    }
    read_manifest(summary, manifest);
    measure(storage, summary, directory, manifest, cancel);
    return cancel_check(cancel);
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
    };
}

struct error *
backup_list_read(struct storage *storage, const char *keyspace, const char *shard,
                 struct cancel *cancel, struct backup_list *ret_list)
{
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(storage->interface->list(storage, cancel, directory, &names));
    CLEANUP(backup_list_done) struct backup_list list = {.items = NULL};
    list.items = xcalloc(names.count + 1, sizeof(*list.items));
    for (; list.count < names.count; list.count++)
        summary_init(&list.items[list.count], names.items[list.count]);
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
    }
    free(list->items);
    *list = (struct backup_list){.items = NULL};
}
