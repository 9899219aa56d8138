#include "backup/backup.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"

#define MYCNF_LIMIT_BYTES (1u << 20)
#define DEFAULT_DATA_FILE "ibdata1"

/* The settings that matter, in the order in which later ones win. */
struct mycnf_values {
    char *datadir, *innodb_data, *innodb_log, *log_bin, *relay_log, *relay_index, *relay_info;
    char *data_file_path, *undo;
};

static void
values_done(struct mycnf_values *values)
{
    free(values->datadir);
    free(values->innodb_data);
    free(values->innodb_log);
    free(values->log_bin);
    free(values->relay_log);
    free(values->relay_index);
    free(values->relay_info);
    free(values->data_file_path);
    free(values->undo);
}

static char *
trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    text[length] = '\0';
    if (length >= 2 && (text[0] == '"' || text[0] == '\'') && text[length - 1] == text[0]) {
        text[length - 1] = '\0';
        text++;
    }
    return text;
}

static bool
is_server_section(const char *line)
{
    static const char *const sections[] = {"[mysqld]", "[server]", "[mariadb]", "[mariadbd]"};
    for (size_t i = 0; i < ARRAY_LENGTH(sections); i++) {
        if (strncasecmp(line, sections[i], strlen(sections[i])) == 0)
            return true;
    }
    return false;
}

static void
take_setting(struct mycnf_values *values, const char *key, const char *value)
{
    const struct {
        const char *key;
        char **target;
    } settings[] = {
        {"datadir", &values->datadir},
        {"innodb_data_home_dir", &values->innodb_data},
        {"innodb_log_group_home_dir", &values->innodb_log},
        {"log_bin", &values->log_bin},
        {"relay_log", &values->relay_log},
        {"relay_log_index", &values->relay_index},
        {"relay_log_info_file", &values->relay_info},
        {"innodb_data_file_path", &values->data_file_path},
        {"innodb_undo_directory", &values->undo},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        if (strcasecmp(key, settings[i].key) == 0)
            str_replace(settings[i].target, value);
    }
}

static void
read_line(struct mycnf_values *values, char *line, bool *is_ours)
{
    line = trim(line);
    if (*line == '[')
        *is_ours = is_server_section(line);
    if (!*is_ours || *line == '#' || *line == ';' || *line == '[' || *line == '!')
        return;
    char *comment = strstr(line, " #");
    if (comment != NULL)
        *comment = '\0';
    char *equal = strchr(line, '=');
    if (equal == NULL)
        return;
    *equal = '\0';
    char *key = trim(line);
    for (char *at = key; *at != '\0'; at++) {
        if (*at == '-')
            *at = '_';
    }
    const char *name = strncasecmp(key, "loose_", 6) == 0 ? key + 6 : key;
    take_setting(values, name, trim(equal + 1));
}

/* Relative paths are below the datadir, as the server sees it; unset ones are the default. */
static char *
resolve(const char *datadir, const char *value, const char *fallback)
{
    const char *path = str_is_empty(value) ? fallback : value;
    if (path == NULL)
        return NULL;
    while (str_starts_with(path, "./"))
        path += 2;
    char *full;
    if (path[0] == '/')
        full = xstrdup(path);
    else if (path[0] == '\0' || strcmp(path, ".") == 0)
        full = xstrdup(datadir);
    else
        full = xasprintf("%s/%s", datadir, path);
    size_t length = strlen(full);
    while (length > 1 && full[length - 1] == '/')
        full[--length] = '\0';
    return full;
}

static char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static void
take_data_file_names(struct strv *names, const char *path_setting)
{
    CLEANUP(strv_done) struct strv files = {.items = NULL};
    strv_split(&files, str_is_empty(path_setting) ? DEFAULT_DATA_FILE : path_setting, ';');
    for (size_t i = 0; i < files.count; i++)
        strv_add_take(names, xstrndup(files.items[i], strcspn(files.items[i], ":")));
}

static struct error *
resolve_all(const char *mycnf_path, const struct mycnf_values *values,
            struct backup_directories *ret)
{
    if (str_is_empty(values->datadir) || values->datadir[0] != '/')
        return error_new(ERROR_FAILED_PRECONDITION, "'%s' has no absolute datadir", mycnf_path);
    struct backup_directories found = {.mycnf = xstrdup(mycnf_path)};
    found.data = resolve("/", values->datadir, NULL);
    found.innodb_data = resolve(found.data, values->innodb_data, ".");
    found.innodb_log = resolve(found.data, values->innodb_log, ".");
    found.log_bin = resolve(found.data, values->log_bin, NULL);
    found.undo = resolve(found.data, values->undo, ".");
    found.relay_log = resolve(found.data, values->relay_log, NULL);
    found.relay_log_index = resolve(found.data, values->relay_index, NULL);
    found.relay_log_info = resolve(found.data, values->relay_info, NULL);
    found.binary_log = found.log_bin == NULL ? xstrdup(found.data) : folder_of(found.log_bin);
    take_data_file_names(&found.data_file_names, values->data_file_path);
    *ret = found;
    return NULL;
}

struct error *
backup_directories_read(const char *mycnf_path, struct backup_directories *ret)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read(mycnf_path, MYCNF_LIMIT_BYTES, &text));
    CLEANUP(values_done) struct mycnf_values values = {.datadir = NULL};
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    strv_split(&lines, buffer_text(&text), '\n');
    bool is_ours = true;
    for (size_t i = 0; i < lines.count; i++)
        read_line(&values, lines.items[i], &is_ours);
    return resolve_all(mycnf_path, &values, ret);
}

struct error *
backup_directories_check(const struct backup_directories *directories)
{
    if (strcmp(directories->undo, directories->data) == 0 ||
        strcmp(directories->undo, directories->innodb_data) == 0)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "innodb_undo_directory in '%s' is '%s', outside of the data: Vitess's format "
                     "has no place for undo tablespaces there, remove the setting and let the "
                     "server make them in '%s'",
                     directories->mycnf, directories->undo, directories->data);
}

/* What is outside of `folder` stays where it is. */
static void
move_below(char **path, const char *folder, const char *target)
{
    size_t length = strlen(folder);
    if (*path == NULL || strncmp(*path, folder, length) != 0 ||
        ((*path)[length] != '/' && (*path)[length] != '\0'))
        return;
    char *moved = xasprintf("%s%s", target, *path + length);
    free(*path);
    *path = moved;
}

void
backup_directories_use_image(struct backup_directories *directories, const char *image)
{
    CLEANUP(freep) char *data = directories->data;
    CLEANUP(freep) char *innodb_data = directories->innodb_data;
    CLEANUP(freep) char *innodb_log = directories->innodb_log;
    directories->data = xasprintf("%s/data", image);
    directories->innodb_data = strcmp(innodb_data, data) == 0 ? xstrdup(directories->data)
                                                              : xasprintf("%s/innodb/data", image);
    directories->innodb_log = strcmp(innodb_log, data) == 0 ? xstrdup(directories->data)
                              : strcmp(innodb_log, innodb_data) == 0
                                  ? xstrdup(directories->innodb_data)
                                  : xasprintf("%s/innodb/logs", image);
    char **const logs[] = {&directories->binary_log, &directories->log_bin, &directories->relay_log,
                           &directories->relay_log_index, &directories->relay_log_info};
    for (size_t i = 0; i < ARRAY_LENGTH(logs); i++)
        move_below(logs[i], data, directories->data);
}

const char *
backup_directories_of_base(const struct backup_directories *directories, const char *base)
{
    if (strcmp(base, "Data") == 0)
        return directories->data;
    if (strcmp(base, "InnoDBData") == 0)
        return directories->innodb_data;
    if (strcmp(base, "InnoDBLog") == 0)
        return directories->innodb_log;
    if (strcmp(base, "BinLog") == 0)
        return directories->binary_log;
    return NULL;
}

void
backup_directories_done(struct backup_directories *directories)
{
    free(directories->mycnf);
    free(directories->data);
    free(directories->innodb_data);
    free(directories->innodb_log);
    free(directories->binary_log);
    free(directories->log_bin);
    free(directories->relay_log);
    free(directories->relay_log_index);
    free(directories->relay_log_info);
    free(directories->undo);
    strv_done(&directories->data_file_names);
    *directories = (struct backup_directories){.data = NULL};
}
