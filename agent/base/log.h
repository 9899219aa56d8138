/* The log: one JSON object per line on stderr, or text on a terminal. Any thread.
 *
 * INFO is what one would tell a colleague, WARN says what we do about it, ERROR means that someone
 * must act. Libraries return errors instead of logging. */
#ifndef VTAGENT_BASE_LOG_H
#define VTAGENT_BASE_LOG_H

#include <stdbool.h>

#include "agent/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

void log_init(enum log_level least, enum log_format format);
/* Written as "tablet" in every line from now on; call before other threads start. */
void log_set_tablet(const char *alias);

void log_write(enum log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Logs "<text>: <error>" once and frees the error. NULL error: nothing. */
void log_error_take(enum log_level level, const char *component, struct error *take_error,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

#define LOG_DEBUG(component, ...) log_write(LOG_LEVEL_DEBUG, component, __VA_ARGS__)
#define LOG_INFO(component, ...) log_write(LOG_LEVEL_INFO, component, __VA_ARGS__)
#define LOG_WARN(component, ...) log_write(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define LOG_ERROR(component, ...) log_write(LOG_LEVEL_ERROR, component, __VA_ARGS__)

struct error *log_level_parse(const char *text, enum log_level *ret_level) ERROR_MUST_CHECK;

#endif
