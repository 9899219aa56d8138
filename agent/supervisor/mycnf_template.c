/* my.cnf templates as users of mysqlctld have them: places in double braces, and "if" blocks. */
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "agent/supervisor/mycnf.h"

/* Caller frees; NULL for a name that is not known. */
static char *
place_value(const char *name, const struct mycnf_inputs *inputs)
{
    const struct layout *layout = inputs->layout;
    const struct {
        const char *name, *value;
    } texts[] = {{"DataDir", layout->data},
                 {"InnodbDataHomeDir", layout->innodb_data},
                 {"InnodbLogGroupHomeDir", layout->innodb_logs},
                 {"SecureFilePriv", layout->tmp},
                 {"SocketFile", layout->socket},
                 {"GeneralLogPath", layout->general_log},
                 {"ErrorLogPath", layout->error_log},
                 {"SlowLogPath", layout->slow_log},
                 {"PidFile", layout->pid_file},
                 {"TmpDir", layout->tmp},
                 {"Path", layout->my_cnf}};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (strcmp(texts[i].name, name) == 0)
            return xstrdup(texts[i].value);
    }
    if (strcmp(name, "ServerID") == 0)
        return xasprintf("%u", inputs->server_id);
    if (strcmp(name, "MysqlPort") == 0)
        return xasprintf("%lld", (long long)inputs->port);
    if (strcmp(name, "BinLogPath") == 0)
        return xasprintf("%s/vt-%010u-bin", layout->bin_logs, layout->uid);
    if (strcmp(name, "RelayLogPath") == 0)
        return xasprintf("%s/vt-%010u-relay-bin", layout->relay_logs, layout->uid);
    if (strcmp(name, "RelayLogIndexPath") == 0)
        return xasprintf("%s/vt-%010u-relay-bin.index", layout->relay_logs, layout->uid);
    if (strcmp(name, "RelayLogInfoPath") == 0)
        return xasprintf("%s/relay-log.info", layout->relay_logs);
    if (strcmp(name, "MasterInfoFile") == 0)
        return xasprintf("%s/master.info", layout->directory);
    return NULL;
}

static struct error *
unknown_place(const char *name)
{
    return error_new(ERROR_INVALID_ARGUMENT, "my.cnf template: cannot fill '{{%s}}'", name);
}

/* The text between braces, without blanks and trim marks. */
static char *
place_name(const char *start, const char *end)
{
    while (start < end && (*start == ' ' || *start == '-'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '-'))
        end--;
    return xstrndup(start, (size_t)(end - start));
}

struct filling {
    const struct mycnf_inputs *inputs;
    struct buffer text;
    unsigned depth, hidden_depth; /* inside "if"; hidden since this depth, 0: not hidden */
};

static struct error *
fill_place(struct filling *filling, const char *name)
{
    if (strcmp(name, "end") == 0) {
        if (filling->depth == 0)
            return unknown_place(name);
        if (filling->hidden_depth == filling->depth)
            filling->hidden_depth = 0;
        filling->depth--;
        return NULL;
    }
    bool is_condition = str_starts_with(name, "if .");
    const char *field = is_condition ? name + 4 : name + 1;
    CLEANUP(freep)
    char *value = is_condition || name[0] == '.' ? place_value(field, filling->inputs) : NULL;
    if (value == NULL)
        return unknown_place(name);
    if (is_condition) {
        filling->depth++;
        if (value[0] == '\0' && filling->hidden_depth == 0)
            filling->hidden_depth = filling->depth;
    } else if (filling->hidden_depth == 0) {
        buffer_append_text(&filling->text, value);
    }
    return NULL;
}

static struct error *
fill_all(struct filling *filling, const char *template)
{
    const char *rest = template;
    const char *open;
    while ((open = strstr(rest, "{{")) != NULL) {
        if (filling->hidden_depth == 0)
            buffer_append(&filling->text, rest, (size_t)(open - rest));
        const char *close = strstr(open, "}}");
        if (close == NULL)
            return error_new(ERROR_INVALID_ARGUMENT, "my.cnf template: '{{' without '}}'");
        CLEANUP(freep) char *name = place_name(open + 2, close);
        TRY(fill_place(filling, name));
        rest = close + 2;
    }
    if (filling->depth > 0)
        return error_new(ERROR_INVALID_ARGUMENT, "my.cnf template: '{{if}}' without '{{end}}'");
    buffer_append_text(&filling->text, rest);
    return NULL;
}

struct error *
mycnf_fill_template(const char *template, const struct mycnf_inputs *inputs, char **ret_text)
{
    struct filling filling = {.inputs = inputs, .text = BUFFER_INIT};
    struct error *error = fill_all(&filling, template);
    if (error == NULL)
        *ret_text = buffer_take(&filling.text);
    buffer_done(&filling.text);
    return error;
}
