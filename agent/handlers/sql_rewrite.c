#include "agent/handlers/sql_rewrite.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "agent/mysql/db.h"

#define DEFAULT_SIDECAR "_vt"

static const char *
skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* "allowZeroInDate", alone or "=true", "=1", among the directives up to the comment's end. */
static bool
directives_allow(const char *start, const char *end)
{
    static const char name[] = "allowZeroInDate";
    for (const char *at = start; at + strlen(name) <= end; at++) {
        if (strncasecmp(at, name, strlen(name)) != 0)
            continue;
        const char *value = skip_blanks(at + strlen(name));
        if (*value != '=')
            return true;
        value = skip_blanks(value + 1);
        return *value == '1' || strncasecmp(value, "true", 4) == 0;
    }
    return false;
}

bool
sql_allows_zero_in_date(const char *sql)
{
    for (const char *at = strstr(sql, "/*vt+"); at != NULL; at = strstr(at + 1, "/*vt+")) {
        const char *end = strstr(at, "*/");
        if (end == NULL)
            return false;
        if (directives_allow(at, end))
            return true;
    }
    return false;
}

/* The end of the quoted text or comment that begins here, or NULL. */
static const char *
end_of_opaque(const char *at)
{
    if (*at == '\'' || *at == '"') {
        const char *end = at + 1;
        while (*end != '\0' && *end != *at)
            end += *end == '\\' && end[1] != '\0' ? 2 : 1;
        return *end == '\0' ? end : end + 1;
    }
    if (at[0] == '#' || (at[0] == '-' && at[1] == '-' && isspace((unsigned char)at[2])))
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end == NULL ? at + strlen(at) : end + 2;
    }
    return NULL;
}

static bool
is_word(char character)
{
    return isalnum((unsigned char)character) || character == '_' || character == '$' ||
           (character & 0x80) != 0;
}

/* Length of a word or a backquoted name. */
static size_t
name_length(const char *at)
{
    if (*at == '`') {
        const char *end = strchr(at + 1, '`');
        return end == NULL ? strlen(at) : (size_t)(end - at) + 1;
    }
    size_t length = 0;
    while (is_word(at[length]))
        length++;
    return length;
}

static bool
is_sidecar_qualifier(const char *at, size_t length, char before)
{
    if (before == '.' || *skip_blanks(at + length) != '.')
        return false;
    return (length == strlen(DEFAULT_SIDECAR) && strncmp(at, DEFAULT_SIDECAR, length) == 0) ||
           (length == strlen("`_vt`") && strncmp(at, "`_vt`", length) == 0);
}

char *
sql_replace_sidecar(const char *sql, const char *sidecar)
{
    if (str_equal(sidecar, DEFAULT_SIDECAR))
        return xstrdup(sql);
    CLEANUP(freep) char *quoted = db_quote_name(sidecar);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    char before = ' ';
    for (const char *at = sql; *at != '\0';) {
        const char *end = end_of_opaque(at);
        size_t length = end != NULL ? (size_t)(end - at) : name_length(at);
        if (end == NULL && length > 0 && is_sidecar_qualifier(at, length, before))
            buffer_append_text(&text, quoted);
        else
            buffer_append(&text, at, length > 0 ? length : 1);
        at += length > 0 ? length : 1;
        before = at[-1];
    }
    return buffer_take(&text);
}
