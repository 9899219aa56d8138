/* Errors: one type for the whole program.
 *
 * A function that can fail returns `struct error *`: NULL is success, anything else belongs to the
 * caller, who passes it up (TRY), adds what it was doing (error_wrap) or ends it (error_free).
 * Outputs named ret_* are untouched on failure. Libraries never log an error; the top does, once.
 *
 * Codes are gRPC's numbers, plus 17 (CLUSTER_EVENT), which vtgate's buffering looks for.
 * Text: lower case, no full stop, names in single quotes, and what to do about it. */
#ifndef VTAGENT_BASE_ERROR_H
#define VTAGENT_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

enum error_code {
    ERROR_OK = 0,
    ERROR_CANCELED = 1,
    ERROR_UNKNOWN = 2,
    ERROR_INVALID_ARGUMENT = 3,
    ERROR_DEADLINE_EXCEEDED = 4,
    ERROR_NOT_FOUND = 5,
    ERROR_ALREADY_EXISTS = 6,
    ERROR_PERMISSION_DENIED = 7,
    ERROR_RESOURCE_EXHAUSTED = 8,
    ERROR_FAILED_PRECONDITION = 9,
    ERROR_ABORTED = 10,
    ERROR_OUT_OF_RANGE = 11,
    ERROR_UNIMPLEMENTED = 12,
    ERROR_INTERNAL = 13,
    ERROR_UNAVAILABLE = 14,
    ERROR_DATA_LOSS = 15,
    ERROR_UNAUTHENTICATED = 16,
    ERROR_CLUSTER_EVENT = 17,
};

struct error {
    enum error_code code;
    int mysql_errno; /* 0 when the error does not come from a server */
    char sqlstate[6];
    char *message;
};

#define ERROR_MUST_CHECK __attribute__((warn_unused_result))

/* A new error; never NULL. */
struct error *error_new(enum error_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3))) ERROR_MUST_CHECK;

/* From an errno value: "<text>: No such file or directory", with the code that fits. */
struct error *error_from_errno(int errno_value, const char *format, ...)
    __attribute__((format(printf, 2, 3))) ERROR_MUST_CHECK;

/* From a server's error: "<message> (errno N) (sqlstate S)"; the code follows Vitess's map of errno
 * values (tablets' callers parse this very text). `sqlstate` NULL means HY000. */
struct error *error_from_mysql(int mysql_errno, const char *sqlstate,
                               const char *message) ERROR_MUST_CHECK;

/* The gRPC code that Vitess's tablets use for a server's errno. Any thread. */
enum error_code error_code_of_mysql(int mysql_errno);

/* Puts "<text>: " in front of the message; code and errno stay. Takes and returns `take_error`;
 * NULL stays NULL. */
struct error *error_wrap(struct error *take_error, const char *format, ...)
    __attribute__((format(printf, 2, 3))) ERROR_MUST_CHECK;

struct error *error_copy(const struct error *error) ERROR_MUST_CHECK;

/* Keeps the first of two errors (either may be NULL), frees the second. */
struct error *error_first(struct error *take_first, struct error *take_second) ERROR_MUST_CHECK;

void error_free(struct error *error);
void error_freep(struct error **error);

/* True when `error` is not NULL and has this code. */
bool error_is(const struct error *error, enum error_code code);

/* The name of a code, as gRPC writes it: "FAILED_PRECONDITION". Static text. */
const char *error_code_name(enum error_code code);

#define TRY(expression)                                                                            \
    do {                                                                                           \
        struct error *try_error_ = (expression);                                                   \
        if (try_error_ != NULL)                                                                    \
            return try_error_;                                                                     \
    } while (0)

#endif
