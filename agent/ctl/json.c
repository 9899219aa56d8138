#include "agent/ctl/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/topo/records.h"

static void
append_line(struct buffer *json, int indent)
{
    buffer_appendf(json, "\n%*s", indent, "");
}

void
json_append_bytes(struct buffer *json, const ProtobufCBinaryData *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buffer_append_char(json, '"');
    for (size_t i = 0; i < bytes->len; i += 3) {
        size_t left = bytes->len - i;
        uint32_t group = (uint32_t)bytes->data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes->data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes->data[i + 2] : 0;
        buffer_append_char(json, digits[group >> 18 & 63]);
        buffer_append_char(json, digits[group >> 12 & 63]);
        buffer_append_char(json, left > 1 ? digits[group >> 6 & 63] : '=');
        buffer_append_char(json, left > 2 ? digits[group & 63] : '=');
    }
    buffer_append_char(json, '"');
}

/* A type of tablet has two names each; ours is today's. */
static void
append_enum(struct buffer *json, const ProtobufCEnumDescriptor *descriptor, int value)
{
    if (descriptor == &topodata__tablet_type__descriptor) {
        CLEANUP(freep) char *name = xstrdup(tablet_type_name((Topodata__TabletType)value));
        for (char *at = name; *at != '\0'; at++)
            *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
        buffer_append_json_string(json, name);
        return;
    }
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(descriptor, value);
    if (found == NULL)
        buffer_appendf(json, "%d", value);
    else
        buffer_append_json_string(json, found->name);
}

static void
append_double(struct buffer *json, double value)
{
    if (isnan(value) || isinf(value))
        buffer_appendf(json, "\"%s\"", isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    else
        buffer_appendf(json, "%.17g", value);
}

static void
append_text(struct buffer *json, const void *member)
{
    const char *text;
    memcpy(&text, member, sizeof(text));
    buffer_append_json_string(json, text == NULL ? "" : text);
}

static void
append_scalar(struct buffer *json, const ProtobufCFieldDescriptor *field, const void *member,
              int indent)
{
    const ProtobufCMessage *message;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        buffer_appendf(json, "%" PRId32, *(const int32_t *)member);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        buffer_appendf(json, "%" PRIu32, *(const uint32_t *)member);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        buffer_appendf(json, "\"%" PRId64 "\"", *(const int64_t *)member);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        buffer_appendf(json, "\"%" PRIu64 "\"", *(const uint64_t *)member);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        append_double(json, (double)*(const float *)member);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        append_double(json, *(const double *)member);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        buffer_append_text(json, *(const protobuf_c_boolean *)member ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        append_enum(json, field->descriptor, *(const int *)member);
        break;
    case PROTOBUF_C_TYPE_STRING:
        append_text(json, member);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        json_append_bytes(json, member);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        memcpy(&message, member, sizeof(message));
        json_append_message(json, message, indent);
        break;
    }
}

static size_t
size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    }
    return 4;
}

/* protoc turns map<K, V> x into repeated XEntry {key = 1, value = 2}. */
static bool
is_map(const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    return str_ends_with(entry->name, "Entry") && entry->n_fields == 2 &&
           strcmp(entry->fields[0].name, "key") == 0 && strcmp(entry->fields[1].name, "value") == 0;
}

static void
append_map_entry(struct buffer *json, const ProtobufCMessage *entry, int indent)
{
    const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
    const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
    const char *start = (const char *)entry;
    if (key->type == PROTOBUF_C_TYPE_STRING) {
        append_text(json, start + key->offset);
    } else {
        buffer_append_char(json, '"');
        append_scalar(json, key, start + key->offset, indent);
        buffer_append_char(json, '"');
    }
    buffer_append_text(json, ": ");
    append_scalar(json, value, start + value->offset, indent);
}

static void
append_repeated(struct buffer *json, const ProtobufCMessage *message,
                const ProtobufCFieldDescriptor *field, int indent)
{
    const char *start = (const char *)message;
    size_t count = *(const size_t *)(const void *)(start + field->quantifier_offset);
    const char *items;
    memcpy(&items, start + field->offset, sizeof(items));
    bool is_object = is_map(field);
    buffer_append_char(json, is_object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_char(json, ',');
        append_line(json, indent + 2);
        const void *item = items + i * size_of(field->type);
        if (is_object) {
            const ProtobufCMessage *entry;
            memcpy(&entry, item, sizeof(entry));
            append_map_entry(json, entry, indent + 2);
        } else {
            append_scalar(json, field, item, indent + 2);
        }
    }
    if (count > 0)
        append_line(json, indent);
    buffer_append_char(json, is_object ? '}' : ']');
}

/* A member of a oneof that is not the one set. */
static bool
is_absent(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return false;
    const void *which = (const char *)message + field->quantifier_offset;
    return *(const uint32_t *)which != field->id;
}

void
json_append_message(struct buffer *json, const ProtobufCMessage *message, int indent)
{
    if (message == NULL) {
        buffer_append_text(json, "null");
        return;
    }
    buffer_append_char(json, '{');
    bool is_first = true;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (is_absent(message, field))
            continue;
        if (!is_first)
            buffer_append_char(json, ',');
        is_first = false;
        append_line(json, indent + 2);
        buffer_append_json_string(json, field->name);
        buffer_append_text(json, ": ");
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            append_repeated(json, message, field, indent + 2);
        else
            append_scalar(json, field, (const char *)message + field->offset, indent + 2);
    }
    if (!is_first)
        append_line(json, indent);
    buffer_append_char(json, '}');
}
