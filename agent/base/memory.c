#include "agent/base/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *
checked(void *pointer, size_t size)
{
    if (pointer == NULL && size != 0) {
        static const char text[] = "vtagent: out of memory\n";
        ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)ignored;
        abort();
    }
    return pointer;
}

void *
xmalloc(size_t size)
{
    return checked(malloc(size), size);
}

void *
xcalloc(size_t count, size_t size)
{
    return checked(calloc(count, size), count * size);
}

void *
xrealloc(void *pointer, size_t size)
{
    return checked(realloc(pointer, size), size);
}

void *
xreallocarray(void *pointer, size_t count, size_t size)
{
    void *moved = reallocarray(pointer, count, size);
    return checked(moved, count == 0 || size == 0 ? 0 : 1);
}

char *
xstrdup(const char *text)
{
    return text == NULL ? NULL : checked(strdup(text), 1);
}

char *
xstrndup(const char *text, size_t length)
{
    return checked(strndup(text, length), 1);
}

void *
xmemdup(const void *data, size_t size)
{
    void *copy = xmalloc(size == 0 ? 1 : size);
    if (size != 0)
        memcpy(copy, data, size);
    return copy;
}

char *
xvasprintf(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    return checked(text, 1);
}

char *
xasprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = xvasprintf(format, arguments);
    va_end(arguments);
    return text;
}

void
freep(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;
    free(*pointer);
    *pointer = NULL;
}

void
closep(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

void
fclosep(void *pointer_to_stream)
{
    FILE **stream = pointer_to_stream;
    if (*stream != NULL)
        fclose(*stream);
    *stream = NULL;
}

void
closedirp(void *pointer_to_directory)
{
    DIR **directory = pointer_to_directory;
    if (*directory != NULL)
        closedir(*directory);
    *directory = NULL;
}

void
str_replace(char **target, const char *text)
{
    char *copy = xstrdup(text);
    free(*target);
    *target = copy;
}

void
str_fill(char *target, size_t size_bytes, const char *text)
{
    (void)snprintf(target, size_bytes, "%s", text != NULL ? text : "");
}

bool
str_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool
str_is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

bool
str_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
str_ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

void
strv_add_take(struct strv *vector, char *take_text)
{
    vector->items = xreallocarray(vector->items, vector->count + 2, sizeof(char *));
    vector->items[vector->count++] = take_text;
    vector->items[vector->count] = NULL;
}

void
strv_add(struct strv *vector, const char *text)
{
    strv_add_take(vector, xstrdup(text));
}

void
strv_addf(struct strv *vector, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    strv_add_take(vector, xvasprintf(format, arguments));
    va_end(arguments);
}

void
strv_split(struct strv *vector, const char *text, char separator)
{
    while (text != NULL && *text != '\0') {
        const char *end = strchrnul(text, separator);
        const char *start = text, *stop = end;
        while (start < stop && isspace((unsigned char)*start))
            start++;
        while (stop > start && isspace((unsigned char)stop[-1]))
            stop--;
        if (stop > start)
            strv_add_take(vector, xstrndup(start, (size_t)(stop - start)));
        text = *end == '\0' ? end : end + 1;
    }
}

bool
strv_contains(const struct strv *vector, const char *text)
{
    for (size_t i = 0; i < vector->count; i++) {
        if (strcmp(vector->items[i], text) == 0)
            return true;
    }
    return false;
}

static int
compare_items(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void
strv_sort(struct strv *vector)
{
    if (vector->count > 1)
        qsort(vector->items, vector->count, sizeof(char *), compare_items);
}

char *
strv_join(const struct strv *vector, const char *separator)
{
    size_t length = 1;
    for (size_t i = 0; i < vector->count; i++)
        length += strlen(vector->items[i]) + strlen(separator);
    char *text = xmalloc(length);
    char *end = text;
    for (size_t i = 0; i < vector->count; i++) {
        if (i != 0)
            end = stpcpy(end, separator);
        end = stpcpy(end, vector->items[i]);
    }
    *end = '\0';
    return text;
}

void
strv_done(struct strv *vector)
{
    for (size_t i = 0; i < vector->count; i++)
        free(vector->items[i]);
    free(vector->items);
    *vector = (struct strv){.items = NULL};
}
