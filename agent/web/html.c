#include "agent/web/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/health/decide.h"

#define REPLACEMENT "\xEF\xBF\xBD"

static const char *
entity_of(unsigned char character)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
    case '\t':
        return " ";
    default:
        return character < 0x20 || character == 0x7F ? REPLACEMENT : NULL;
    }
}

/* U+0080 to U+009F are control characters; U+202A to U+202E and U+2066 to U+2069 turn text around.
 */
static bool
is_hostile(const unsigned char *at)
{
    if (at[0] == 0xC2 && at[1] < 0xA0)
        return true;
    if (at[0] != 0xE2)
        return false;
    return (at[1] == 0x80 && at[2] >= 0xAA && at[2] <= 0xAE) ||
           (at[1] == 0x81 && at[2] >= 0xA6 && at[2] <= 0xA9);
}

void
html_text(struct buffer *html, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t length = utf8_length(at);
        const char *entity = length == 0 || is_hostile(at) ? REPLACEMENT : entity_of(*at);
        if (entity != NULL)
            buffer_append_text(html, entity);
        else
            buffer_append(html, at, length);
        at += length == 0 ? 1 : length;
    }
}

void
html_add(struct buffer *html, const char *before, const char *text, const char *after)
{
    buffer_append_text(html, before);
    html_text(html, text);
    buffer_append_text(html, after);
}

void
html_addf(struct buffer *html, const char *before, const char *after, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *text = xvasprintf(format, arguments);
    va_end(arguments);
    html_add(html, before, text, after);
}

void
html_icon(struct buffer *html, const char *name)
{
    buffer_appendf(html, "<svg class=\"icon %s\" aria-hidden=\"true\"><use href=\"#%s\"/></svg>",
                   name, name);
}

const char *
html_duration(int64_t milliseconds, char text[32])
{
    if (milliseconds >= 9950)
        return health_duration(milliseconds, text);
    snprintf(text, 32, "%d s", milliseconds > 0 ? (int)(milliseconds / 1000) : 0);
    return text;
}

const char *
html_since(int64_t milliseconds, char text[48])
{
    char duration[32];
    if (milliseconds < 1000)
        snprintf(text, 48, "just now");
    else
        snprintf(text, 48, "%s ago", html_duration(milliseconds, duration));
    return text;
}

void
html_ago(struct buffer *html, int64_t time_ns, int64_t now_ns)
{
    char whole[32], ago[48];
    if (time_ns == 0) {
        buffer_append_text(html, "–");
        return;
    }
    clock_format_rfc3339(time_ns, whole);
    buffer_appendf(html, "<time datetime=\"%s\" title=\"%s\">%s</time>", whole, whole,
                   html_since((now_ns - time_ns) / 1000000, ago));
}

const char *
html_size(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)bytes;
    size_t unit = 0;
    if (bytes < 1000) {
        snprintf(text, 32, "%" PRIu64 " B", bytes);
        return text;
    }
    for (size /= 1000; size >= 999.5 && unit + 1 < ARRAY_LENGTH(units); unit++)
        size /= 1000;
    snprintf(text, 32, size < 9.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return text;
}
