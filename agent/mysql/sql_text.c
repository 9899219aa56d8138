#include <string.h>

#include "agent/base/buffer.h"
#include "agent/mysql/db.h"

static void
append_quoted_char(struct buffer *buffer, char character)
{
    switch (character) {
    case '\0':
        buffer_append_text(buffer, "\\0");
        break;
    case '\n':
        buffer_append_text(buffer, "\\n");
        break;
    case '\r':
        buffer_append_text(buffer, "\\r");
        break;
    case '\032':
        buffer_append_text(buffer, "\\Z");
        break;
    case '\'':
    case '"':
    case '\\':
        buffer_append_char(buffer, '\\');
        buffer_append_char(buffer, character);
        break;
    default:
        buffer_append_char(buffer, character);
    }
}

char *
db_quote(const char *text, size_t length_bytes)
{
    struct buffer buffer = BUFFER_INIT;
    buffer_reserve(&buffer, length_bytes + 3);
    buffer_append_char(&buffer, '\'');
    for (size_t i = 0; i < length_bytes; i++)
        append_quoted_char(&buffer, text[i]);
    buffer_append_char(&buffer, '\'');
    return buffer_take(&buffer);
}

char *
db_quote_name(const char *name)
{
    struct buffer buffer = BUFFER_INIT;
    buffer_append_char(&buffer, '`');
    for (; *name != '\0'; name++) {
        if (*name == '`')
            buffer_append_char(&buffer, '`');
        buffer_append_char(&buffer, *name);
    }
    buffer_append_char(&buffer, '`');
    return buffer_take(&buffer);
}

/* Past the closing quote, or at the end of the text. A doubled quote reads as two texts side by
 * side, which counts the same. */
static const char *
skip_quoted(const char *text)
{
    char quote = *text++;
    while (*text != '\0' && *text != quote) {
        if (*text == '\\' && quote != '`' && text[1] != '\0')
            text++;
        text++;
    }
    return *text != '\0' ? text + 1 : text;
}

static const char *
skip_line(const char *text)
{
    text += strcspn(text, "\n");
    return text;
}

static const char *
skip_block_comment(const char *text)
{
    const char *end = strstr(text + 2, "*/");
    return end != NULL ? end + 2 : text + strlen(text);
}

static bool
is_blank(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

static bool
is_line_comment(const char *text)
{
    if (*text == '#')
        return true;
    return text[0] == '-' && text[1] == '-' &&
           (text[2] == '\0' || is_blank(text[2]) || (unsigned char)text[2] < 0x20);
}

/* Comments that servers execute: what is inside counts as text of the statement. */
static bool
is_executed_comment(const char *text)
{
    return strncmp(text, "/*!", 3) == 0 || strncmp(text, "/*M!", 4) == 0;
}

struct scanner {
    const char *next;
    bool is_in_executed_comment;
    bool has_content; /* since the last semicolon, more than layout */
};

static void
scan_token(struct scanner *scanner)
{
    const char *text = scanner->next;
    if (is_line_comment(text)) {
        scanner->next = skip_line(text);
    } else if (is_executed_comment(text)) {
        scanner->is_in_executed_comment = true;
        scanner->next = strchr(text, '!') + 1;
    } else if (scanner->is_in_executed_comment && strncmp(text, "*/", 2) == 0) {
        scanner->is_in_executed_comment = false;
        scanner->next = text + 2;
    } else if (strncmp(text, "/*", 2) == 0) {
        scanner->next = skip_block_comment(text);
    } else if (is_blank(*text)) {
        scanner->next = text + 1;
    } else {
        scanner->has_content = true;
        bool is_quote = *text == '\'' || *text == '"' || *text == '`';
        scanner->next = is_quote ? skip_quoted(text) : text + 1;
    }
}

size_t
db_count_statements(const char *sql)
{
    struct scanner scanner = {.next = sql};
    size_t count = 0;
    while (*scanner.next != '\0') {
        if (*scanner.next == ';') {
            count += scanner.has_content ? 1 : 0;
            scanner.has_content = false;
            scanner.next++;
        } else {
            scan_token(&scanner);
        }
    }
    return count + (scanner.has_content ? 1 : 0);
}
