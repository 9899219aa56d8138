#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "agent/supervisor/init_sql.h"

struct splitter {
    const char *at;
    size_t line;
    char delimiter[16];
    struct buffer statement;
    size_t statement_line; /* 0: nothing but blanks so far */
    struct init_sql_script *script;
};

static void
take_char(struct splitter *splitter)
{
    if (splitter->statement_line == 0 && !isspace((unsigned char)*splitter->at))
        splitter->statement_line = splitter->line;
    if (splitter->statement_line != 0)
        buffer_append_char(&splitter->statement, *splitter->at);
    if (*splitter->at == '\n')
        splitter->line++;
    splitter->at++;
}

static void
end_statement(struct splitter *splitter)
{
    struct init_sql_script *script = splitter->script;
    if (splitter->statement_line != 0) {
        script->statements =
            xreallocarray(script->statements, script->count + 1, sizeof(*script->statements));
        script->statements[script->count++] = (struct init_sql_statement){
            .text = buffer_take(&splitter->statement), .line = splitter->statement_line};
    }
    buffer_clear(&splitter->statement);
    splitter->statement_line = 0;
}

static bool
is_line_comment(const char *at)
{
    return at[0] == '#' ||
           (at[0] == '-' && at[1] == '-' && (at[2] == '\0' || isspace((unsigned char)at[2])));
}

/* Plain comments go; those that servers execute (with '!') stay as part of the statement. */
static struct error *
pass_block_comment(struct splitter *splitter)
{
    size_t start = splitter->line;
    bool is_code = splitter->at[2] == '!' || splitter->at[2] == '+' || splitter->at[2] == 'M';
    const char *end = strstr(splitter->at + 2, "*/");
    if (end == NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "line %zu: comment without end", start);
    for (end += 2; splitter->at < end;) {
        if (is_code) {
            take_char(splitter);
            continue;
        }
        if (*splitter->at == '\n')
            splitter->line++;
        splitter->at++;
    }
    return NULL;
}

static struct error *
take_quoted(struct splitter *splitter)
{
    size_t start = splitter->line;
    char quote = *splitter->at;
    take_char(splitter);
    while (*splitter->at != '\0' && *splitter->at != quote) {
        if (*splitter->at == '\\' && quote != '`' && splitter->at[1] != '\0')
            take_char(splitter);
        take_char(splitter);
    }
    if (*splitter->at == '\0')
        return error_new(ERROR_INVALID_ARGUMENT, "line %zu: quote %c without end", start, quote);
    take_char(splitter);
    return NULL;
}

/* "DELIMITER //" on a line of its own is the client's, not the server's. */
static bool
pass_delimiter_line(struct splitter *splitter)
{
    if (splitter->statement_line != 0 || strncasecmp(splitter->at, "delimiter ", 10) != 0)
        return false;
    const char *word = splitter->at + 10;
    word += strspn(word, " \t");
    size_t length = strcspn(word, " \t\r\n");
    if (length == 0 || length >= sizeof(splitter->delimiter))
        return false;
    memcpy(splitter->delimiter, word, length);
    splitter->delimiter[length] = '\0';
    splitter->at += strcspn(splitter->at, "\n");
    return true;
}

static struct error *
step(struct splitter *splitter)
{
    const char *at = splitter->at;
    size_t delimiter_length = strlen(splitter->delimiter);
    if (strncmp(at, splitter->delimiter, delimiter_length) == 0) {
        end_statement(splitter);
        splitter->at += delimiter_length;
    } else if (is_line_comment(at)) {
        splitter->at += strcspn(at, "\n");
    } else if (at[0] == '/' && at[1] == '*') {
        return pass_block_comment(splitter);
    } else if (*at == '\'' || *at == '"' || *at == '`') {
        return take_quoted(splitter);
    } else if (!pass_delimiter_line(splitter)) {
        take_char(splitter);
    }
    return NULL;
}

struct error *
init_sql_split(const char *text, struct init_sql_script *script)
{
    struct splitter splitter = {
        .at = text, .line = 1, .delimiter = ";", .statement = BUFFER_INIT, .script = script};
    struct error *error = NULL;
    while (error == NULL && *splitter.at != '\0')
        error = step(&splitter);
    if (error == NULL)
        end_statement(&splitter);
    else
        init_sql_script_done(script);
    buffer_done(&splitter.statement);
    return error;
}

void
init_sql_script_done(struct init_sql_script *script)
{
    for (size_t i = 0; i < script->count; i++)
        free(script->statements[i].text);
    free(script->statements);
    *script = (struct init_sql_script){.count = 0};
}
