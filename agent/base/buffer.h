/* A growing byte buffer with a hard limit. `data` is always NUL-terminated once something was
 * appended (the NUL is not counted). Not thread-safe. */
#ifndef VTAGENT_BASE_BUFFER_H
#define VTAGENT_BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

#include "agent/base/error.h"

struct buffer {
    char *data;
    size_t length_bytes;
    size_t capacity_bytes;
};

#define BUFFER_INIT                                                                                \
    {                                                                                              \
        .data = NULL                                                                               \
    }

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char character);
void buffer_appendf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "text" with \" \\ \n \uXXXX as JSON wants them, quotes included. Bytes that are not UTF-8 become
 * U+FFFD. */
void buffer_append_json_string(struct buffer *buffer, const char *text);
/* Bytes of the UTF-8 character that a text begins with; 0 if it is none. */
size_t utf8_length(const unsigned char *text);
void buffer_reserve(struct buffer *buffer, size_t extra);
void buffer_clear(struct buffer *buffer);
char *buffer_take(struct buffer *buffer); /* the text, "" if empty; caller frees; buffer is empty */
const char *buffer_text(const struct buffer *buffer); /* never NULL */
void buffer_done(struct buffer *buffer);

#endif
