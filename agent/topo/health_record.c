#include "agent/topo/health_record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"

#define OFFSET(member) offsetof(struct health_record, member)

struct text_member {
    const char *name;
    size_t offset;
};

static const struct text_member texts[] = {
    {"alias", OFFSET(alias)},
    {"keyspace", OFFSET(keyspace)},
    {"shard", OFFSET(shard)},
    {"type", OFFSET(type)},
    {"state", OFFSET(state)},
    {"cause", OFFSET(cause)},
    {"position", OFFSET(position)},
    {"source", OFFSET(source)},
    {"job", OFFSET(job)},
    {"vtagent", OFFSET(agent_version)},
    {"mysqld", OFFSET(server_version)},
};
static const struct text_member times[] = {
    {"time", OFFSET(time_ns)},
    {"term_start", OFFSET(term_start_ns)},
    {"backup_complete", OFFSET(backup_complete_ns)},
    {"backup_proven", OFFSET(backup_proven_ns)},
};

static char **
text_at(struct health_record *record, size_t offset)
{
    return (char **)(void *)((char *)record + offset);
}

static int64_t *
time_at(struct health_record *record, size_t offset)
{
    return (int64_t *)(void *)((char *)record + offset);
}

void
health_record_done(struct health_record *record)
{
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        free(*text_at(record, texts[i].offset));
    *record = (struct health_record){.lag_ms = -1};
}

static void
print_member(struct buffer *json, const char *name, const char *value)
{
    buffer_appendf(json, " \"%s\": ", name);
    buffer_append_json_string(json, value != NULL ? value : "");
    buffer_append_text(json, ",\n");
}

void
health_record_print(const struct health_record *const_record, struct buffer *json)
{
    struct health_record record = *const_record;
    buffer_append_text(json, "{\n");
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        print_member(json, texts[i].name, *text_at(&record, texts[i].offset));
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        char time[32] = "";
        int64_t time_ns = *time_at(&record, times[i].offset);
        if (time_ns != 0)
            clock_format_rfc3339(time_ns, time);
        print_member(json, times[i].name, time);
    }
    if (record.lag_ms >= 0)
        buffer_appendf(json, " \"lag_seconds\": %.3f,\n", (double)record.lag_ms / 1000);
    else
        buffer_append_text(json, " \"lag_seconds\": null,\n");
    buffer_appendf(json,
                   " \"disk_free_bytes\": %" PRIu64 ",\n \"disk_total_bytes\": %" PRIu64
                   ",\n \"serving\": %s\n}\n",
                   record.disk_free_bytes, record.disk_total_bytes,
                   record.is_serving ? "true" : "false");
}

static void
read_members(const json_t *root, struct health_record *record)
{
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        const char *text = json_string_value(json_object_get(root, texts[i].name));
        *text_at(record, texts[i].offset) = xstrdup(text != NULL ? text : "");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        const char *text = json_string_value(json_object_get(root, times[i].name));
        if (!str_is_empty(text))
            error_free(clock_parse_rfc3339(text, time_at(record, times[i].offset)));
    }
    const json_t *lag = json_object_get(root, "lag_seconds");
    record->lag_ms = json_is_number(lag) ? (int64_t)(json_number_value(lag) * 1000) : -1;
    record->disk_free_bytes =
        (uint64_t)json_integer_value(json_object_get(root, "disk_free_bytes"));
    record->disk_total_bytes =
        (uint64_t)json_integer_value(json_object_get(root, "disk_total_bytes"));
    record->is_serving = json_is_true(json_object_get(root, "serving"));
}

struct error *
health_record_parse(const void *json, size_t size, struct health_record *ret_record)
{
    json_t *root = json_loadb(json, size, 0, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return error_new(ERROR_DATA_LOSS, "the health document is no JSON object");
    }
    *ret_record = (struct health_record){.lag_ms = -1};
    read_members(root, ret_record);
    json_decref(root);
    return NULL;
}

char *
health_record_path(const struct tablet_alias *alias)
{
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(alias, text);
    return xasprintf("vtagent/%s/Health", text);
}

struct error *
topo_get_health(struct topo *topo, struct cancel *cancel, const struct tablet_alias *alias,
                struct health_record *ret_record)
{
    struct topo_conn *cell = NULL;
    CLEANUP(freep) char *path = health_record_path(alias);
    CLEANUP(topo_value_done) struct topo_value value = {0};
    TRY(topo_cell(topo, cancel, alias->cell, &cell));
    TRY(topo_get(cell, cancel, path, &value));
    return error_wrap(health_record_parse(value.data, value.size_bytes, ret_record), "'%s'", path);
}
