#include "agent/handlers/message.h"

#include <stdlib.h>
#include <string.h>

void *
message_new(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = xcalloc(1, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    return message;
}

void *
message_copy(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    CLEANUP(freep) uint8_t *packed = xmalloc(size + 1);
    protobuf_c_message_pack(message, packed);
    return protobuf_c_message_unpack(message->descriptor, NULL, size, packed);
}

/* Length of the UTF-8 sequence at `text`, 0 when it is none. */
static size_t
utf8_sequence(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead, least_second, most_second;
        size_t length;
    } shapes[] = {
        {0x80, 0x00, 0, 0, 1},       {0xe0, 0xc0, 0x80, 0xbf, 2}, {0xff, 0xe0, 0xa0, 0xbf, 3},
        {0xff, 0xed, 0x80, 0x9f, 3}, {0xf0, 0xe0, 0x80, 0xbf, 3}, {0xff, 0xf0, 0x90, 0xbf, 4},
        {0xff, 0xf4, 0x80, 0x8f, 4}, {0xf8, 0xf0, 0x80, 0xbf, 4},
    };
    if (text[0] == 0xc0 || text[0] == 0xc1 || text[0] > 0xf4)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        if ((text[0] & shapes[i].mask) != shapes[i].lead)
            continue;
        if (shapes[i].length == 1)
            return 1;
        if (text[1] < shapes[i].least_second || text[1] > shapes[i].most_second)
            return 0;
        for (size_t k = 2; k < shapes[i].length; k++)
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        return shapes[i].length;
    }
    return 0;
}

char *
message_text(const char *text)
{
    char *copy = xstrdup(text == NULL ? "" : text);
    for (size_t i = 0; copy[i] != '\0';) {
        size_t length = utf8_sequence((const unsigned char *)copy + i);
        if (length == 0)
            copy[i] = '?';
        i += length == 0 ? 1 : length;
    }
    return copy;
}

char *
message_bytes_text(const ProtobufCBinaryData *bytes)
{
    return xstrndup(bytes->len == 0 ? "" : (const char *)bytes->data, bytes->len);
}

void
message_texts(const struct strv *texts, size_t *ret_count, char ***ret_items)
{
    *ret_count = texts->count;
    if (texts->count == 0)
        return;
    *ret_items = xcalloc(texts->count, sizeof(**ret_items));
    for (size_t i = 0; i < texts->count; i++)
        (*ret_items)[i] = message_text(texts->items[i]);
}

Vttime__Time *
message_time(int64_t wall_ns)
{
    Vttime__Time *time = message_new(&vttime__time__descriptor);
    time->seconds = wall_ns / 1000000000;
    time->nanoseconds = (int32_t)(wall_ns % 1000000000);
    return time;
}

int64_t
message_time_ns(const Vttime__Time *time)
{
    if (time == NULL || time->seconds > INT64_MAX / 1000000000 - 1 || time->seconds < 0)
        return 0;
    return time->seconds * 1000000000 + time->nanoseconds;
}

int64_t
message_duration_ms(const Vttime__Duration *duration)
{
    const int64_t most_seconds = 315576000000;
    if (duration == NULL)
        return 0;
    int64_t seconds = duration->seconds;
    if (seconds > most_seconds)
        seconds = most_seconds;
    if (seconds < -most_seconds)
        seconds = -most_seconds;
    return seconds * 1000 + duration->nanos / 1000000;
}

void
message_append(size_t *count, void *items, void *take_message)
{
    void **array;
    memcpy(&array, items, sizeof(array));
    /* Doubling: the array is full whenever its count is a power of two. */
    if ((*count & (*count - 1)) == 0)
        array = xreallocarray(array, *count == 0 ? 1 : *count * 2, sizeof(*array));
    array[(*count)++] = take_message;
    memcpy(items, &array, sizeof(array));
}

void
message_map_add(const ProtobufCMessageDescriptor *descriptor, size_t *count, void *entries,
                const char *key, const char *value)
{
    struct message_map_entry *entry = message_new(descriptor);
    entry->key = message_text(key);
    entry->value = message_text(value);
    message_append(count, entries, entry);
}
