#include "agent/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"

static struct error *
error_make(enum error_code code, char *take_message)
{
    struct error *error = xcalloc(1, sizeof(*error));
    error->code = code;
    error->message = take_message;
    return error;
}

struct error *
error_new(enum error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = xvasprintf(format, arguments);
    va_end(arguments);
    return error_make(code, message);
}

static enum error_code
code_of_errno(int value)
{
    switch (value) {
    case ENOENT:
        return ERROR_NOT_FOUND;
    case EEXIST:
        return ERROR_ALREADY_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_PERMISSION_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
        return ERROR_RESOURCE_EXHAUSTED;
    case ECONNREFUSED:
    case ECONNRESET:
    case EAGAIN:
    case ESTALE:
        return ERROR_UNAVAILABLE;
    case ETIMEDOUT:
        return ERROR_DEADLINE_EXCEEDED;
    default:
        return ERROR_UNKNOWN;
    }
}

struct error *
error_from_errno(int errno_value, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *what = xvasprintf(format, arguments);
    va_end(arguments);
    char reason[128];
    const char *text = strerror_r(errno_value, reason, sizeof(reason));
    return error_make(code_of_errno(errno_value), xasprintf("%s: %s", what, text));
}

/* Source: Vitess's map from server errors to codes (tablet-manager-rpc 2.0.6). */
enum error_code
error_code_of_mysql(int mysql_errno)
{
    static const struct {
        int mysql_errno;
        enum error_code code;
    } rows[] = {
        {1037, ERROR_RESOURCE_EXHAUSTED}, {1038, ERROR_RESOURCE_EXHAUSTED},
        {1040, ERROR_RESOURCE_EXHAUSTED}, {1041, ERROR_RESOURCE_EXHAUSTED},
        {1021, ERROR_RESOURCE_EXHAUSTED}, {1114, ERROR_RESOURCE_EXHAUSTED},
        {1203, ERROR_RESOURCE_EXHAUSTED}, {1205, ERROR_DEADLINE_EXCEEDED},
        {2006, ERROR_UNAVAILABLE},        {1053, ERROR_UNAVAILABLE},
        {2002, ERROR_UNAVAILABLE},        {2003, ERROR_UNAVAILABLE},
        {1146, ERROR_NOT_FOUND},          {1054, ERROR_NOT_FOUND},
        {1109, ERROR_NOT_FOUND},          {1032, ERROR_NOT_FOUND},
        {1094, ERROR_NOT_FOUND},          {1141, ERROR_NOT_FOUND},
        {1147, ERROR_NOT_FOUND},          {1176, ERROR_NOT_FOUND},
        {1044, ERROR_PERMISSION_DENIED},  {1045, ERROR_PERMISSION_DENIED},
        {1290, ERROR_CLUSTER_EVENT},      {1050, ERROR_ALREADY_EXISTS},
        {1062, ERROR_ALREADY_EXISTS},     {1213, ERROR_ABORTED},
        {1064, ERROR_INVALID_ARGUMENT},   {1049, ERROR_INVALID_ARGUMENT},
        {1193, ERROR_INVALID_ARGUMENT},   {1406, ERROR_INVALID_ARGUMENT},
        {2013, ERROR_CANCELED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (rows[i].mysql_errno == mysql_errno)
            return rows[i].code;
    }
    return ERROR_UNKNOWN;
}

struct error *
error_from_mysql(int mysql_errno, const char *sqlstate, const char *message)
{
    if (sqlstate == NULL || sqlstate[0] == '\0')
        sqlstate = "HY000";
    struct error *error =
        error_make(error_code_of_mysql(mysql_errno),
                   xasprintf("%s (errno %d) (sqlstate %s)", message, mysql_errno, sqlstate));
    error->mysql_errno = mysql_errno;
    snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate);
    return error;
}

struct error *
error_wrap(struct error *take_error, const char *format, ...)
{
    if (take_error == NULL)
        return NULL;
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *what = xvasprintf(format, arguments);
    va_end(arguments);
    char *message = xasprintf("%s: %s", what, take_error->message);
    free(take_error->message);
    take_error->message = message;
    return take_error;
}

struct error *
error_copy(const struct error *error)
{
    if (error == NULL)
        return NULL;
    struct error *copy = xmemdup(error, sizeof(*error));
    copy->message = xstrdup(error->message);
    return copy;
}

struct error *
error_first(struct error *take_first, struct error *take_second)
{
    if (take_first == NULL)
        return take_second;
    error_free(take_second);
    return take_first;
}

void
error_free(struct error *error)
{
    if (error == NULL)
        return;
    free(error->message);
    free(error);
}

void
error_freep(struct error **error)
{
    error_free(*error);
    *error = NULL;
}

bool
error_is(const struct error *error, enum error_code code)
{
    return error != NULL && error->code == code;
}

const char *
error_code_name(enum error_code code)
{
    static const char *const names[] = {
        "OK",
        "CANCELED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
        "CLUSTER_EVENT",
    };
    return (size_t)code < ARRAY_LENGTH(names) ? names[code] : "UNKNOWN";
}
