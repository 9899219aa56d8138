#include "agent/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/base/memory.h"

static struct {
    enum log_level least;
    bool is_text;
    char tablet[96];
} settings = {.least = LOG_LEVEL_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void
log_init(enum log_level least, enum log_format format)
{
    settings.least = least;
    settings.is_text =
        format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO));
}

void
log_set_tablet(const char *alias)
{
    snprintf(settings.tablet, sizeof(settings.tablet), "%s", alias);
}

static void
format_time(char text[40])
{
    int64_t now_ns = clock_wall_ns();
    time_t seconds = (time_t)(now_ns / 1000000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, 40 - length, ".%03dZ", (int)(now_ns / 1000000 % 1000));
}

static void
format_json(struct buffer *line, enum log_level level, const char *component, const char *message)
{
    char time_text[40];
    format_time(time_text);
    buffer_appendf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"component\":", time_text,
                   level_names[level]);
    buffer_append_json_string(line, component);
    if (settings.tablet[0] != '\0') {
        buffer_append_text(line, ",\"tablet\":");
        buffer_append_json_string(line, settings.tablet);
    }
    buffer_append_text(line, ",\"message\":");
    buffer_append_json_string(line, message);
    buffer_append_text(line, "}\n");
}

static void
write_line(enum log_level level, const char *component, const char *message)
{
    struct buffer line = BUFFER_INIT;
    if (settings.is_text) {
        char time_text[40];
        format_time(time_text);
        buffer_appendf(&line, "%s %-5s %s: %s\n", time_text, level_names[level], component,
                       message);
    } else {
        format_json(&line, level, component, message);
    }
    /* One write per line keeps lines of several threads and processes whole. */
    ssize_t ignored = write(STDERR_FILENO, line.data, line.length_bytes);
    (void)ignored;
    buffer_done(&line);
}

void
log_write(enum log_level level, const char *component, const char *format, ...)
{
    if (level < settings.least)
        return;
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *message = xvasprintf(format, arguments);
    va_end(arguments);
    write_line(level, component, message);
}

void
log_error_take(enum log_level level, const char *component, struct error *take_error,
               const char *format, ...)
{
    if (take_error == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *what = xvasprintf(format, arguments);
    va_end(arguments);
    log_write(level, component, "%s: %s", what, take_error->message);
    error_free(take_error);
}

struct error *
log_level_parse(const char *text, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_LENGTH(level_names); i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return NULL;
        }
    }
    if (strcasecmp(text, "warning") == 0) {
        *ret_level = LOG_LEVEL_WARN;
        return NULL;
    }
    return error_new(ERROR_INVALID_ARGUMENT,
                     "'%s' is not a log level: expected debug, info, warn or error", text);
}
