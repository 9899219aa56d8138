/* Writing HTML: whatever comes from outside goes through html_text. */
#ifndef VTAGENT_WEB_HTML_H
#define VTAGENT_WEB_HTML_H

#include <stdint.h>

#include "agent/base/buffer.h"

/* Escaped, for text and for attributes in quotes; control characters and bytes that are not UTF-8
 * become U+FFFD, and so do characters that turn the direction of text. */
void html_text(struct buffer *html, const char *text);
/* `before` and `after` are HTML, the text between them is escaped. */
void html_add(struct buffer *html, const char *before, const char *text, const char *after);
void html_addf(struct buffer *html, const char *before, const char *after, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* One of the drawings of frame.c: "ok", "bad", "warn", "busy", "idle". */
void html_icon(struct buffer *html, const char *name);
/* <time> "3 min ago" with the whole time in UTC behind it; 0: a dash. */
void html_ago(struct buffer *html, int64_t time_ns, int64_t now_ns);
/* "3 min ago", "just now": for what was measured that long ago. */
const char *html_since(int64_t milliseconds, char text[48]);
/* Like health_duration, in whole seconds; negative counts as 0. */
const char *html_duration(int64_t milliseconds, char text[32]);
/* "812 B", "1.4 GB": for people. */
const char *html_size(uint64_t bytes, char text[32]);

#endif
