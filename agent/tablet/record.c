#include "agent/tablet/record.h"

#include <stdlib.h>
#include <string.h>

#define NANOSECONDS 1000000000LL

/* protobuf-c's own empty string is static: it may be neither freed nor mistaken for ours. */
static void
set_text(char **field, const char *text)
{
    char *old = *field;
    *field = str_is_empty(text) ? (char *)(uintptr_t)protobuf_c_empty_string : xstrdup(text);
    if (old != protobuf_c_empty_string)
        free(old);
}

static void
set_time(Vttime__Time **field, int64_t time_ns)
{
    if (*field != NULL)
        vttime__time__free_unpacked(*field, NULL);
    *field = NULL;
    if (time_ns == 0)
        return;
    Vttime__Time *time = xmalloc(sizeof(*time));
    vttime__time__init(time);
    time->seconds = time_ns / NANOSECONDS;
    time->nanoseconds = (int32_t)(time_ns % NANOSECONDS);
    *field = time;
}

static void
set_alias(Topodata__TabletAlias **field, const struct tablet_alias *alias)
{
    if (*field == NULL) {
        *field = xmalloc(sizeof(**field));
        topodata__tablet_alias__init(*field);
    }
    set_text(&(*field)->cell, alias->cell);
    (*field)->uid = alias->uid;
}

static void
clear_ports(Topodata__Tablet *record)
{
    for (size_t i = 0; i < record->n_port_map; i++)
        protobuf_c_message_free_unpacked(&record->port_map[i]->base, NULL);
    free(record->port_map);
    record->port_map = NULL;
    record->n_port_map = 0;
}

static void
add_port(Topodata__Tablet *record, const char *name, int port)
{
    if (port <= 0)
        return;
    Topodata__Tablet__PortMapEntry *entry = xmalloc(sizeof(*entry));
    topodata__tablet__port_map_entry__init(entry);
    set_text(&entry->key, name);
    entry->value = port;
    record->port_map =
        xreallocarray(record->port_map, record->n_port_map + 1, sizeof(*record->port_map));
    record->port_map[record->n_port_map++] = entry;
}

static void
set_tags(Topodata__Tablet *record, const struct strv *names, const struct strv *values)
{
    for (size_t i = 0; i < record->n_tags; i++)
        protobuf_c_message_free_unpacked(&record->tags[i]->base, NULL);
    free(record->tags);
    record->tags = NULL;
    record->n_tags = 0;
    if (names == NULL || names->count == 0)
        return;
    record->tags = xcalloc(names->count, sizeof(*record->tags));
    for (size_t i = 0; i < names->count; i++) {
        Topodata__Tablet__TagsEntry *entry = xmalloc(sizeof(*entry));
        topodata__tablet__tags_entry__init(entry);
        set_text(&entry->key, names->items[i]);
        set_text(&entry->value, values->items[i]);
        record->tags[record->n_tags++] = entry;
    }
}

static void
set_addresses(Topodata__Tablet *record, const struct tablet_facts *facts)
{
    bool is_stopped = facts->shutdown_time_ns != 0;
    clear_ports(record);
    set_text(&record->hostname, is_stopped ? "" : facts->hostname);
    set_text(&record->mysql_hostname, is_stopped ? "" : facts->mysql_hostname);
    set_time(&record->tablet_start_time, is_stopped ? 0 : facts->start_time_ns);
    set_time(&record->tablet_shutdown_time, facts->shutdown_time_ns);
    record->mysql_port = facts->mysql_port;
    if (is_stopped)
        return;
    add_port(record, "grpc", facts->grpc_port);
    add_port(record, "vt", facts->http_port);
}

struct error *
tablet_record_fill(Topodata__Tablet *record, const struct tablet_facts *facts)
{
    CLEANUP(freep) char *shard = NULL;
    Topodata__KeyRange *range = NULL;
    TRY(shard_name_parse(facts->shard, &shard, &range));
    if (record->key_range != NULL)
        topodata__key_range__free_unpacked(record->key_range, NULL);
    record->key_range = range;
    set_alias(&record->alias, facts->alias);
    set_text(&record->keyspace, facts->keyspace);
    set_text(&record->shard, shard);
    set_text(&record->db_name_override, facts->database_override);
    set_addresses(record, facts);
    set_tags(record, facts->tag_names, facts->tag_values);
    record->type = facts->type;
    set_time(&record->primary_term_start_time, facts->term_start_ns);
    record->default_conn_collation = facts->collation;
    return NULL;
}

struct error *
tablet_record_new(const struct tablet_facts *facts, Topodata__Tablet **ret_record)
{
    Topodata__Tablet *record = xmalloc(sizeof(*record));
    topodata__tablet__init(record);
    struct error *error = tablet_record_fill(record, facts);
    if (error != NULL) {
        topodata__tablet__free_unpacked(record, NULL);
        return error;
    }
    *ret_record = record;
    return NULL;
}

void
tablet_record_freep(Topodata__Tablet **record)
{
    if (*record != NULL)
        topodata__tablet__free_unpacked(*record, NULL);
    *record = NULL;
}

static uint8_t *
pack(const Topodata__Tablet *record, size_t *ret_size)
{
    *ret_size = topodata__tablet__get_packed_size(record);
    uint8_t *bytes = xmalloc(*ret_size + 1);
    topodata__tablet__pack(record, bytes);
    return bytes;
}

Topodata__Tablet *
tablet_record_copy(const Topodata__Tablet *record)
{
    size_t size;
    CLEANUP(freep) uint8_t *bytes = pack(record, &size);
    return topodata__tablet__unpack(NULL, size, bytes);
}

bool
tablet_record_equal(const Topodata__Tablet *a, const Topodata__Tablet *b)
{
    size_t a_size, b_size;
    CLEANUP(freep) uint8_t *a_bytes = pack(a, &a_size);
    CLEANUP(freep) uint8_t *b_bytes = pack(b, &b_size);
    return a_size == b_size && memcmp(a_bytes, b_bytes, a_size) == 0;
}

int32_t
tablet_record_port(const Topodata__Tablet *record, const char *name)
{
    for (size_t i = 0; i < record->n_port_map; i++) {
        if (str_equal(record->port_map[i]->key, name))
            return record->port_map[i]->value;
    }
    return 0;
}

bool
tablet_record_is_ours(const Topodata__Tablet *record, const char *hostname, int http_port)
{
    return str_equal(record->hostname, hostname) &&
           tablet_record_port(record, "vt") == (http_port > 0 ? http_port : 0);
}

int64_t
tablet_time_ns(const Vttime__Time *time)
{
    return time == NULL ? 0 : time->seconds * NANOSECONDS + time->nanoseconds;
}

uint32_t
tablet_collation_of(const char *charset, bool is_mariadb)
{
    static const struct {
        const char *charset;
        uint32_t mysql, mariadb;
    } numbers[] = {
        {"utf8mb4", 255, 45}, {"utf8mb3", 33, 33}, {"utf8", 33, 33},
        {"latin1", 8, 8},     {"ascii", 11, 11},   {"binary", 63, 63},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (str_equal(numbers[i].charset, charset))
            return is_mariadb ? numbers[i].mariadb : numbers[i].mysql;
    }
    return is_mariadb ? numbers[0].mariadb : numbers[0].mysql;
}
