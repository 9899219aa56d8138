/* Allocation that cannot fail (out of memory aborts: every size a peer controls has a limit of its
 * own), cleanup of locals, and string vectors. Any thread. */
#ifndef VTAGENT_BASE_MEMORY_H
#define VTAGENT_BASE_MEMORY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *pointer, size_t size);
void *xreallocarray(void *pointer, size_t count, size_t size);
char *xstrdup(const char *text); /* NULL gives NULL */
char *xstrndup(const char *text, size_t length);
void *xmemdup(const void *data, size_t size);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list arguments);

/* For CLEANUP: free the pointer behind the argument (`char **`), close the descriptor (`int *`, < 0
 * is nothing), close the stream (`FILE **`), close the directory (`DIR **`). */
void freep(void *pointer_to_pointer);
void closep(int *descriptor);
void fclosep(void *pointer_to_stream);
void closedirp(void *pointer_to_directory);

/* Replaces *target (freed) by a copy of text. */
void str_replace(char **target, const char *text);
/* Fills an array with a text, cut where it does not fit; NULL is "". */
#define STR_FILL(array, text) str_fill(array, sizeof(array), text)
void str_fill(char *target, size_t size_bytes, const char *text);
bool str_equal(const char *a, const char *b); /* NULL equals only NULL */
bool str_is_empty(const char *text);          /* NULL or "" */
bool str_starts_with(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);

/* NULL-terminated vector of strings, owned. */
struct strv {
    char **items; /* always NULL-terminated once something was added; NULL when empty */
    size_t count;
};
void strv_add(struct strv *vector, const char *text);
void strv_addf(struct strv *vector, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strv_add_take(struct strv *vector, char *take_text);
/* Splits at every `separator`; empty pieces are dropped, blanks around pieces too. */
void strv_split(struct strv *vector, const char *text, char separator);
bool strv_contains(const struct strv *vector, const char *text);
void strv_sort(struct strv *vector);
char *strv_join(const struct strv *vector, const char *separator); /* caller frees */
void strv_done(struct strv *vector);

#endif
