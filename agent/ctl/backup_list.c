/* GetBackups. */
#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/backup_private.h"
#include "agent/ctl/print.h"
#include "agent/ctl/progress.h"

#define NS_PER_MS 1000000

/* ---- For people ---- */

/* "812 B", "1.4 GB"; caller frees. */
static char *
size_text(uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)bytes;
    size_t unit = 0;
    if (bytes < 1000)
        return xasprintf("%" PRIu64 " B", bytes);
    for (size /= 1000; size >= 999.95 && unit + 1 < ARRAY_LENGTH(units); unit++)
        size /= 1000;
    return xasprintf("%.1f %s", size, units[unit]);
}

static char *
age_text(int64_t time_ns, int64_t now_ns)
{
    if (time_ns == 0)
        return xstrdup("-");
    return now_ns >= time_ns ? progress_duration((now_ns - time_ns) / NS_PER_MS)
                             : xstrdup("in the future");
}

static const char *
state_text(const struct backup_summary *backup)
{
    switch (backup->state) {
    case BACKUP_INCOMPLETE:
        return "incomplete";
    case BACKUP_UNREADABLE:
        return "unreadable";
    case BACKUP_COMPLETE:
    default:
        return backup->is_incremental ? "incremental" : "complete";
    }
}

static char *
milliseconds_text(int64_t milliseconds)
{
    if (milliseconds < 0)
        return xstrdup("-");
    return milliseconds < 10000 ? xasprintf("%.3fs", (double)milliseconds / 1000)
                                : progress_duration(milliseconds);
}

/* How a server was seen to start on it. */
static const char *
proof_text(const struct backup_summary *backup)
{
    if (backup->verdict.mode == VERDICT_RESTORE)
        return backup->verdict.has_failed ? "failed" : "restore";
    return backup->proof[0] != '\0' ? backup->proof : "-";
}

static char *
verdict_text(const struct backup_summary *backup, int64_t now_ns)
{
    const struct verdict_sum *verdict = &backup->verdict;
    if (verdict->mode == VERDICT_NONE)
        return xstrdup(backup->problem[0] != '\0' ? backup->problem : "-");
    CLEANUP(freep) char *age = age_text(verdict->time_ns, now_ns);
    return verdict->has_failed ? xasprintf("FAILED (%s ago): %s", age, verdict->problem)
                               : xasprintf("%s (%s ago)", verdict_mode_name(verdict->mode), age);
}

static const char *
or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void
add_row(struct table *table, const struct backup_summary *backup, int64_t now_ns)
{
    CLEANUP(freep) char *age = age_text(backup->time_ns, now_ns);
    CLEANUP(freep)
    char *size = backup->state == BACKUP_COMPLETE ? size_text(backup->stored_bytes) : xstrdup("-");
    CLEANUP(freep) char *took = milliseconds_text(backup->duration_ms);
    CLEANUP(freep) char *down = milliseconds_text(backup->unavailable_ms);
    CLEANUP(freep) char *verdict = verdict_text(backup, now_ns);
    CLEANUP(freep)
    char *engine = backup->state != BACKUP_COMPLETE ? xstrdup("-")
                   : str_is_empty(backup->engine)
                       ? xstrdup(backup->method)
                       : xasprintf("%s/%s", backup->method, backup->engine);
    table_add(table, backup->name, state_text(backup), age, size, took, engine,
              or_dash(backup->quiesce_mode), down, proof_text(backup), verdict, NULL);
}

void
backup_print_table(const struct backup_list *list, int64_t now_ns, FILE *stream)
{
    CLEANUP(table_done) struct table table = {0};
    table_add(&table, "NAME", "STATE", "AGE", "SIZE", "TOOK", "ENGINE", "QUIESCE", "DOWN", "PROVEN",
              "VERIFIED", NULL);
    for (size_t i = 0; i < list->count; i++)
        add_row(&table, &list->items[i], now_ns);
    table_print(&table, stream);
}

/* ---- For machines: Vitess's mysqlctl.BackupInfo, and what we know besides as "vtagent" ---- */

static const char *
status_name(const struct backup_summary *backup)
{
    if (backup->state == BACKUP_INCOMPLETE)
        return "INCOMPLETE";
    if (backup->state == BACKUP_UNREADABLE || backup->verdict.has_failed)
        return "INVALID";
    return backup->verdict.mode >= VERDICT_FULL ? "VALID" : "COMPLETE";
}

static void
add_text(struct buffer *json, const char *key, const char *value)
{
    buffer_appendf(json, ",\n        \"%s\": ", key);
    buffer_append_json_string(json, value);
}

static void
add_number(struct buffer *json, const char *key, int64_t number)
{
    buffer_appendf(json, ",\n        \"%s\": %" PRId64, key, number);
}

static void
add_alias(struct buffer *json, const char *text)
{
    struct tablet_alias alias;
    struct error *error = tablet_alias_parse(text, &alias);
    buffer_append_text(json, ",\n      \"tablet_alias\": ");
    if (error == NULL) {
        buffer_append_text(json, "{\"cell\": ");
        buffer_append_json_string(json, alias.cell);
        buffer_appendf(json, ", \"uid\": %u}", (unsigned)alias.uid);
    } else {
        buffer_append_text(json, "null");
    }
    error_free(error);
}

static void
add_time(struct buffer *json, int64_t time_ns)
{
    buffer_append_text(json, ",\n      \"time\": ");
    if (time_ns != 0)
        buffer_appendf(json, "{\"seconds\": \"%" PRId64 "\", \"nanoseconds\": %" PRId64 "}",
                       time_ns / 1000000000, time_ns % 1000000000);
    else
        buffer_append_text(json, "null");
}

static void
add_details(struct buffer *json, const struct backup_summary *backup)
{
    const struct verdict_sum *verdict = &backup->verdict;
    char time[32] = "";
    if (verdict->mode != VERDICT_NONE)
        clock_format_rfc3339(verdict->time_ns, time);
    buffer_appendf(json, ",\n      \"vtagent\": {\n        \"incremental\": %s",
                   backup->is_incremental ? "true" : "false");
    add_text(json, "problem", backup->problem);
    add_text(json, "compression", backup->engine);
    add_text(json, "position", backup->position);
    add_text(json, "mysql_version", backup->mysql_version);
    add_number(json, "files", (int64_t)backup->file_count);
    add_number(json, "stored_bytes", (int64_t)backup->stored_bytes);
    add_number(json, "plain_bytes", (int64_t)backup->plain_bytes);
    add_number(json, "duration_ms", backup->duration_ms);
    add_text(json, "quiesce", backup->quiesce_mode);
    add_number(json, "unavailable_ms", backup->unavailable_ms);
    add_text(json, "proof", backup->proof);
    add_text(json, "check", verdict_mode_name(verdict->mode));
    add_text(json, "check_time", time);
    buffer_appendf(json, ",\n        \"check_failed\": %s", verdict->has_failed ? "true" : "false");
    add_text(json, "check_problem", verdict->problem);
    buffer_append_text(json, "\n      }");
}

static void
add_backup(struct buffer *json, const struct backup_summary *backup, const char *keyspace,
           const char *shard)
{
    buffer_append_text(json, "    {\n      \"name\": ");
    buffer_append_json_string(json, backup->name);
    buffer_appendf(json, ",\n      \"directory\": \"%s/%s\"", keyspace, shard);
    buffer_appendf(json, ",\n      \"keyspace\": \"%s\",\n      \"shard\": \"%s\"", keyspace,
                   shard);
    add_alias(json, backup->alias);
    add_time(json, backup->time_ns);
    buffer_append_text(json, ",\n      \"engine\": ");
    buffer_append_json_string(json, backup->method);
    buffer_appendf(json, ",\n      \"status\": \"%s\"", status_name(backup));
    add_details(json, backup);
    buffer_append_text(json, "\n    }");
}

void
backup_print_json(const struct backup_list *list, const char *keyspace, const char *shard,
                  FILE *stream)
{
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    buffer_append_text(&json, "{\n  \"backups\": [");
    for (size_t i = 0; i < list->count; i++) {
        buffer_append_text(&json, i == 0 ? "\n" : ",\n");
        add_backup(&json, &list->items[i], keyspace, shard);
    }
    buffer_append_text(&json, list->count > 0 ? "\n  ]\n}\n" : "]\n}\n");
    fputs(buffer_text(&json), stream);
}

/* ---- The verb ---- */

/* Names alone need no MANIFEST. */
static struct error *
print_names_of(struct ctl *ctl, struct storage *storage, const char *directory, size_t limit)
{
    CLEANUP(strv_done) struct strv names = {0};
    CLEANUP(strv_done) struct strv newest = {0};
    TRY(storage->interface->list(storage, ctl->cancel, directory, &names));
    size_t skip = limit > 0 && names.count > limit ? names.count - limit : 0;
    for (size_t i = skip; i < names.count; i++)
        strv_add(&newest, names.items[i]);
    print_names(ctl, &newest);
    return NULL;
}

struct error *
backup_get_backups(struct ctl *ctl)
{
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    CLEANUP(storage_freep) struct storage *storage = NULL;
    const struct ctl_options *options = &ctl->options;
    if (options->limit < 0)
        return ctl_wrong_use(ctl, "--limit must not be negative");
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
    TRY(backup_open_storage(ctl, false, &storage));
    size_t limit = (size_t)options->limit;
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    if (!options->is_detailed && !options->wants_json)
        return print_names_of(ctl, storage, directory, limit);
    CLEANUP(backup_list_done) struct backup_list list = {.items = NULL};
    TRY(backup_list_read(storage, keyspace, shard, limit, ctl->cancel, &list));
    if (options->wants_json)
        backup_print_json(&list, keyspace, shard, ctl->out);
    else
        backup_print_table(&list, clock_wall_ns(), ctl->out);
    return NULL;
}
