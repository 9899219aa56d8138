#include "agent/base/buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"

void
buffer_reserve(struct buffer *buffer, size_t extra)
{
    size_t wanted = buffer->length_bytes + extra + 1;
    if (wanted <= buffer->capacity_bytes)
        return;
    size_t capacity = buffer->capacity_bytes == 0 ? 64 : buffer->capacity_bytes * 2;
    if (capacity < wanted)
        capacity = wanted;
    buffer->data = xrealloc(buffer->data, capacity);
    buffer->capacity_bytes = capacity;
}

void
buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    buffer_reserve(buffer, size);
    if (size != 0)
        memcpy(buffer->data + buffer->length_bytes, data, size);
    buffer->length_bytes += size;
    buffer->data[buffer->length_bytes] = '\0';
}

void
buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void
buffer_append_char(struct buffer *buffer, char character)
{
    buffer_append(buffer, &character, 1);
}

void
buffer_appendf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0) {
        buffer_reserve(buffer, (size_t)length);
        vsnprintf(buffer->data + buffer->length_bytes, (size_t)length + 1, format, again);
        buffer->length_bytes += (size_t)length;
    }
    va_end(again);
}

size_t
utf8_length(const unsigned char *text)
{
    size_t length = text[0] < 0x80                       ? 1
                    : text[0] >= 0xC2 && text[0] <= 0xDF ? 2
                    : text[0] >= 0xE0 && text[0] <= 0xEF ? 3
                    : text[0] >= 0xF0 && text[0] <= 0xF4 ? 4
                                                         : 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0;
    return length;
}

void
buffer_append_json_string(struct buffer *buffer, const char *text)
{
    buffer_append_char(buffer, '"');
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t length = utf8_length(at);
        if (*at == '"' || *at == '\\')
            buffer_appendf(buffer, "\\%c", *at);
        else if (*at == '\n')
            buffer_append_text(buffer, "\\n");
        else if (*at == '\t')
            buffer_append_text(buffer, "\\t");
        else if (*at < 0x20 || *at == 0x7F)
            buffer_appendf(buffer, "\\u%04x", *at);
        else if (length == 0)
            buffer_append_text(buffer, "\xEF\xBF\xBD");
        else
            buffer_append(buffer, at, length);
        at += length == 0 ? 1 : length;
    }
    buffer_append_char(buffer, '"');
}

void
buffer_clear(struct buffer *buffer)
{
    buffer->length_bytes = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

char *
buffer_take(struct buffer *buffer)
{
    char *text = buffer->data != NULL ? buffer->data : xstrdup("");
    *buffer = (struct buffer)BUFFER_INIT;
    return text;
}

const char *
buffer_text(const struct buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

void
buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer)BUFFER_INIT;
}
