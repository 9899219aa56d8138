#include "backup/manifest_split.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static size_t
skip_spaces(const char *text, size_t size, size_t at)
{
    while (at < size && isspace((unsigned char)text[at]))
        at++;
    return at;
}

/* The offset behind the string that begins at `at`. */
static size_t
skip_string(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++) {
        if (text[at] == '\\')
            at++;
    }
    return at < size ? at + 1 : size;
}

/* From `at` to the first byte of `ends` that is in no string, object or array. */
static size_t
find_end(const char *text, size_t size, size_t at, const char *ends)
{
    size_t depth = 0;
    while (at < size) {
        char byte = text[at];
        if (byte == '"') {
            at = skip_string(text, size, at);
            continue;
        }
        if (depth == 0 && byte != '\0' && strchr(ends, byte) != NULL)
            return at;
        if (byte == '{' || byte == '[')
            depth++;
        else if ((byte == '}' || byte == ']') && depth > 0)
            depth--;
        at++;
    }
    return size;
}

/* Offset of the bracket that opens the array; size: there is none. */
static size_t
find_array(const char *text, size_t size, const char *key)
{
    size_t at = skip_spaces(text, size, 0);
    if (at == size || text[at] != '{')
        return size;
    while (at < size && text[at] != '}') {
        size_t name = skip_spaces(text, size, at + 1);
        if (name == size || text[name] != '"')
            return size;
        size_t name_end = skip_string(text, size, name);
        size_t value = skip_spaces(text, size, skip_spaces(text, size, name_end) + 1);
        bool is_key = name_end - name == strlen(key) + 2 &&
                      strncasecmp(text + name + 1, key, strlen(key)) == 0;
        if (is_key && value < size && text[value] == '[')
            return value;
        at = find_end(text, size, value, ",}");
    }
    return size;
}

bool
manifest_cut(const char *text, size_t size, const char *key, struct buffer *rest,
             struct manifest_slice *ret_elements)
{
    size_t open = find_array(text, size, key);
    if (open == size)
        return false;
    size_t close = find_end(text, size, open + 1, "]");
    if (close == size)
        return false;
    buffer_append(rest, text, open + 1);
    buffer_append(rest, text + close, size - close);
    *ret_elements = (struct manifest_slice){text + open + 1, close - open - 1};
    return true;
}

bool
manifest_next_element(struct manifest_slice *elements, struct manifest_slice *ret_element)
{
    if (elements->start == NULL)
        return false;
    size_t end = find_end(elements->start, elements->size, 0, ",");
    *ret_element = (struct manifest_slice){elements->start, end};
    if (end == elements->size)
        *elements = (struct manifest_slice){NULL, 0};
    else
        *elements = (struct manifest_slice){elements->start + end + 1, elements->size - end - 1};
    return true;
}

size_t
manifest_element_count(struct manifest_slice elements)
{
    struct manifest_slice element;
    size_t count = 0;
    if (elements.start == NULL || skip_spaces(elements.start, elements.size, 0) == elements.size)
        return 0;
    while (manifest_next_element(&elements, &element))
        count++;
    return count;
}
