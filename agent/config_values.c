/* Values with a form of their own: tags, my.cnf, credentials, times of backups. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/config.h"

#define CREDENTIALS_LIMIT_BYTES (1u << 20)
#define MOST_TAGS 1000

static int
compare_pairs(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* `name` and its value go where the name is already, or to the end. */
static void
put_tag(struct strv *names, struct strv *values, const char *name, const char *value)
{
    for (size_t i = 0; i < names->count; i++) {
        if (str_equal(names->items[i], name)) {
            str_replace(&values->items[i], value);
            return;
        }
    }
    strv_add(names, name);
    strv_add(values, value);
}

static void
sort_tags(const struct strv *names, const struct strv *values, struct strv *ret_names,
          struct strv *ret_values)
{
    char **order = xcalloc(names->count + 1, sizeof(*order));
    memcpy(order, names->items, names->count * sizeof(*order));
    qsort(order, names->count, sizeof(*order), compare_pairs);
    for (size_t i = 0; i < names->count; i++) {
        size_t at = 0;
        while (names->items[at] != order[i])
            at++;
        strv_add(ret_names, names->items[at]);
        strv_add(ret_values, values->items[at]);
    }
    free(order);
}

struct error *
config_parse_tags(const struct strv *pairs, struct strv *ret_names, struct strv *ret_values)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    CLEANUP(strv_done) struct strv values = {.items = NULL};
    if (pairs->count > MOST_TAGS)
        return error_new(ERROR_INVALID_ARGUMENT, "--init-tags: more than %d tags", MOST_TAGS);
    for (size_t i = 0; i < pairs->count; i++) {
        const char *colon = strchr(pairs->items[i], ':');
        if (colon == NULL || colon == pairs->items[i])
            return error_new(ERROR_INVALID_ARGUMENT, "--init-tags: '%s' is not name:value",
                             pairs->items[i]);
        CLEANUP(freep)
        char *name = xstrndup(pairs->items[i], (size_t)(colon - pairs->items[i]));
        put_tag(&names, &values, name, colon + 1);
    }
    if (names.count > 0)
        sort_tags(&names, &values, ret_names, ret_values);
    return NULL;
}

/* ---- my.cnf ---- */

/* "name = value" when the line's name is this one ('_' equals '-'), else NULL. */
static char *
line_value(const char *line, const char *name)
{
    size_t i = 0;
    for (; name[i] != '\0'; i++) {
        char character = line[i] == '_' ? '-' : line[i];
        if (character != name[i])
            return NULL;
    }
    const char *at = line + i;
    at += strspn(at, " \t");
    if (*at != '=')
        return NULL;
    at++;
    at += strspn(at, " \t");
    size_t length = strcspn(at, "#\r\n");
    while (length > 0 && isspace((unsigned char)at[length - 1]))
        length--;
    bool is_quoted = length >= 2 && (at[0] == '"' || at[0] == '\'') && at[length - 1] == at[0];
    return is_quoted ? xstrndup(at + 1, length - 2) : xstrndup(at, length);
}

char *
config_mycnf_value(const char *text, const char *name)
{
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    strv_split(&lines, text, '\n');
    bool is_in_section = false;
    char *result = NULL;
    for (size_t i = 0; i < lines.count; i++) {
        if (lines.items[i][0] == '[') {
            is_in_section = str_starts_with(lines.items[i], "[mysqld]");
            continue;
        }
        char *found = is_in_section ? line_value(lines.items[i], name) : NULL;
        if (found != NULL) { /* the last one counts */
            free(result);
            result = found;
        }
    }
    return result;
}

/* ---- Credentials ---- */

static struct error *
take_password(const struct config *config, json_t *root, struct db_params *params)
{
    const json_t *list = json_object_get(root, params->user);
    if (list == NULL)
        return NULL;
    const char *password = json_string_value(json_array_get(list, 0));
    if (password == NULL)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s': user '%s' has no list with a password: expected {\"user\": "
                         "[\"password\"]}",
                         config->db_credentials_file, params->user);
    str_replace(&params->password, password);
    return NULL;
}

struct error *
config_read_credentials(const struct config *config, struct db_params *dba, struct db_params *app,
                        struct db_params *allprivs, struct db_params *repl)
{
    if (str_is_empty(config->db_credentials_file))
        return NULL;
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(error_wrap(file_read(config->db_credentials_file, CREDENTIALS_LIMIT_BYTES, &text),
                   "--db-credentials-file"));
    json_error_t where;
    json_t *root = json_loads(buffer_text(&text), 0, &where);
    if (root == NULL || !json_is_object(root)) {
        json_decref(root);
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s' is not a JSON object like {\"user\": "
                         "[\"password\"]}",
                         config->db_credentials_file);
    }
    struct db_params *all[] = {dba, app, allprivs, repl};
    struct error *error = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(all) && error == NULL; i++)
        error = take_password(config, root, all[i]);
    json_decref(root);
    return error;
}

/* ---- Times ---- */

struct error *
config_parse_backup_time(const char *text, int64_t *ret_time_ns)
{
    struct tm time = {0};
    const char *end = strptime(text, "%Y-%m-%d.%H%M%S", &time);
    if (end == NULL || *end != '\0')
        return clock_parse_rfc3339(text, ret_time_ns);
    *ret_time_ns = (int64_t)timegm(&time) * 1000000000;
    return NULL;
}
