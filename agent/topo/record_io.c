#include "agent/topo/record_io.h"

#include <stdlib.h>
#include <string.h>

struct error *
record_decode(const char *path, const struct topo_value *value,
              const ProtobufCMessageDescriptor *descriptor, void *ret_message)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, NULL, value->size_bytes, value->data);
    if (message == NULL)
        return error_new(ERROR_DATA_LOSS, "topology file '%s' cannot be decoded as %s", path,
                         descriptor->name);
    memcpy(ret_message, &message, sizeof(message)); /* any message type: no aliasing cast */
    return NULL;
}

struct error *
record_read(struct topo_conn *conn, struct cancel *cancel, const char *path,
            const ProtobufCMessageDescriptor *descriptor, void *ret_message, int64_t *ret_version)
{
    CLEANUP(topo_value_done) struct topo_value value = {0};
    TRY(topo_get(conn, cancel, path, &value));
    TRY(record_decode(path, &value, descriptor, ret_message));
    if (ret_version != NULL)
        *ret_version = value.version;
    return NULL;
}

static uint8_t *
packed(const ProtobufCMessage *message, size_t *ret_size)
{
    *ret_size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = xmalloc(*ret_size + 1);
    protobuf_c_message_pack(message, data);
    return data;
}

struct error *
record_create(struct topo_conn *conn, struct cancel *cancel, const char *path,
              const ProtobufCMessage *message)
{
    size_t size;
    CLEANUP(freep) uint8_t *data = packed(message, &size);
    return topo_create(conn, cancel, path, data, size, NULL);
}

struct error *
record_write(struct topo_conn *conn, struct cancel *cancel, const char *path,
             const ProtobufCMessage *message, int64_t version)
{
    size_t size;
    CLEANUP(freep) uint8_t *data = packed(message, &size);
    return topo_update(conn, cancel, path, data, size, version, NULL);
}

static ProtobufCMessage *
empty_message(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = xcalloc(1, descriptor->sizeof_message);
    descriptor->message_init(message);
    return message;
}

static struct error *
change_once(struct topo_conn *conn, struct cancel *cancel, const char *path,
            const ProtobufCMessageDescriptor *descriptor, bool may_create, record_change change,
            void *data)
{
    CLEANUP(record_freep) ProtobufCMessage *message = NULL;
    int64_t version = TOPO_ANY_VERSION;
    struct error *error = record_read(conn, cancel, path, descriptor, &message, &version);
    bool is_missing = error_is(error, ERROR_NOT_FOUND);
    if (error != NULL && !(is_missing && may_create))
        return error;
    error_free(error);
    if (is_missing)
        message = empty_message(descriptor);
    if (!change(message, data))
        return NULL;
    return is_missing ? record_create(conn, cancel, path, message)
                      : record_write(conn, cancel, path, message, version);
}

struct error *
record_change_loop(struct topo_conn *conn, struct cancel *cancel, const char *path,
                   const ProtobufCMessageDescriptor *descriptor, bool may_create,
                   record_change change, void *data)
{
    for (;;) {
        struct error *error = change_once(conn, cancel, path, descriptor, may_create, change, data);
        bool is_race =
            error_is(error, ERROR_ABORTED) || (may_create && error_is(error, ERROR_ALREADY_EXISTS));
        if (!is_race)
            return error;
        error_free(error);
        TRY(cancel_check(cancel));
    }
}

struct error *
record_name_missing(struct error *take_error, const char *format, ...)
{
    if (!error_is(take_error, ERROR_NOT_FOUND))
        return take_error;
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *text = xvasprintf(format, arguments);
    va_end(arguments);
    str_replace(&take_error->message, text);
    return take_error;
}

struct error *
record_ignore_missing(struct error *take_error)
{
    if (!error_is(take_error, ERROR_NOT_FOUND))
        return take_error;
    error_free(take_error);
    return NULL;
}

/* ---- Fields of messages ---- */

void
record_freep(void *pointer_to_message)
{
    ProtobufCMessage *message;
    memcpy(&message, pointer_to_message, sizeof(message));
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
    memset(pointer_to_message, 0, sizeof(message));
}

void
record_set_string(char **field, const char *text)
{
    char *copy = str_is_empty(text) ? (char *)protobuf_c_empty_string : xstrdup(text);
    if (*field != protobuf_c_empty_string)
        free(*field);
    *field = copy;
}

void
record_set_alias(Topodata__TabletAlias **field, const struct tablet_alias *alias)
{
    record_freep(field);
    if (tablet_alias_is_zero(alias))
        return;
    *field = xmalloc(sizeof(**field));
    topodata__tablet_alias__init(*field);
    record_set_string(&(*field)->cell, alias->cell);
    (*field)->uid = alias->uid;
}

void
record_set_time(Vttime__Time **field, int64_t wall_ns)
{
    record_freep(field);
    if (wall_ns == 0)
        return;
    *field = xmalloc(sizeof(**field));
    vttime__time__init(*field);
    (*field)->seconds = wall_ns / 1000000000;
    (*field)->nanoseconds = (int32_t)(wall_ns % 1000000000);
}

int64_t
record_time_ns(const Vttime__Time *time)
{
    return time == NULL ? 0 : time->seconds * 1000000000 + time->nanoseconds;
}

int32_t
tablet_port(const Topodata__Tablet *tablet, const char *name)
{
    for (size_t i = 0; i < tablet->n_port_map; i++) {
        if (strcmp(tablet->port_map[i]->key, name) == 0)
            return tablet->port_map[i]->value;
    }
    return 0;
}

char *
tablet_database_name(const Topodata__Tablet *tablet)
{
    if (!str_is_empty(tablet->db_name_override))
        return xstrdup(tablet->db_name_override);
    return xasprintf("vt_%s", tablet->keyspace);
}
