#include "agent/supervisor/image_store.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/supervisor/mycnf.h"
#include "agent/supervisor/process.h"

#define FOLDER_MODE 0750
#define JOURNAL_LIMIT_BYTES (1u << 20)
#define NAME_MOST_BYTES 200
#define KILL_WAIT_MS 30000

/* ---- The server's folders ---- */

/* As the server sees it: relative ones are below the datadir. Caller frees. */
static char *
setting(const char *my_cnf_text, const char *key, const char *datadir, const char *fallback)
{
    CLEANUP(freep) char *value = my_cnf_text == NULL ? NULL : mycnf_value(my_cnf_text, key);
    const char *path = str_is_empty(value) ? fallback : value;
    while (str_starts_with(path, "./"))
        path += 2;
    char *full = path[0] == '/'                              ? xstrdup(path)
                 : path[0] == '\0' || strcmp(path, ".") == 0 ? xstrdup(datadir)
                                                             : xasprintf("%s/%s", datadir, path);
    size_t length = strlen(full);
    while (length > 1 && full[length - 1] == '/')
        full[--length] = '\0';
    return full;
}

static bool
is_inside(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

static struct error *
add_root(struct image_places *places, const char *source, const char *target)
{
    for (size_t i = 0; i < places->root_count; i++) {
        const char *other = places->roots[i].source;
        if (strcmp(other, source) == 0)
            return NULL;
        if (is_inside(source, other) || is_inside(other, source))
            return error_new(ERROR_FAILED_PRECONDITION,
                             "'%s' and '%s' lie in each other: no image can be made", source,
                             other);
    }
    places->roots[places->root_count++] = (struct image_root){.source = source, .target = target};
    return NULL;
}

static struct error *
check_undo(const struct image_places *places)
{
    const char *undo = places->undo;
    if (strcmp(undo, places->data) == 0 || strcmp(undo, places->innodb_data) == 0)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "innodb_undo_directory '%s' is none of the server's data folders: no image "
                     "can be made",
                     undo);
}

struct error *
image_places_read(const struct layout *layout, const char *my_cnf_text,
                  struct image_places *ret_places)
{
    CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
    /* What my.cnf does not name is the server's default, but for a layout without my.cnf. */
    bool has_file = my_cnf_text != NULL;
    places.data = setting(my_cnf_text, "datadir", layout->data, layout->data);
    places.innodb_data = setting(my_cnf_text, "innodb_data_home_dir", places.data,
                                 has_file ? places.data : layout->innodb_data);
    places.innodb_logs = setting(my_cnf_text, "innodb_log_group_home_dir", places.data,
                                 has_file ? places.data : layout->innodb_logs);
    places.undo = setting(my_cnf_text, "innodb_undo_directory", places.data, places.data);
    TRY(check_undo(&places));
    TRY(add_root(&places, places.data, "data"));
    TRY(add_root(&places, places.innodb_data, "innodb/data"));
    TRY(add_root(&places, places.innodb_logs, "innodb/logs"));
    *ret_places = places;
    places = (struct image_places){.root_count = 0};
    return NULL;
}

void
image_places_done(struct image_places *places)
{
    free(places->data);
    free(places->innodb_data);
    free(places->innodb_logs);
    free(places->undo);
    *places = (struct image_places){.root_count = 0};
}

/* ---- Images ---- */

static bool
is_safe_name(const char *name)
{
    return !str_is_empty(name) && name[0] != '.' && strchr(name, '/') == NULL &&
           strlen(name) <= NAME_MOST_BYTES;
}

struct error *
image_store_path(const struct layout *layout, const char *name, char **ret_path)
{
    if (!is_safe_name(name))
        return error_new(ERROR_INVALID_ARGUMENT, "'%.200s' is no name of an image",
                         name != NULL ? name : "");
    *ret_path = xasprintf("%s/" IMAGE_FOLDER_NAME "/%s", layout->directory, name);
    return NULL;
}

struct error *
image_store_probe(const struct layout *layout, const struct image_places *places)
{
    CLEANUP(freep) char *folder = xasprintf("%s/" IMAGE_FOLDER_NAME, layout->directory);
    CLEANUP(freep) char *target = xasprintf("%s/.probe", folder);
    TRY(file_make_directories(folder, FOLDER_MODE));
    for (size_t i = 0; i < places->root_count; i++)
        TRY(image_probe(places->roots[i].source, target));
    return NULL;
}

struct error *
image_store_drop(const struct layout *layout, const char *name)
{
    CLEANUP(freep) char *path = NULL;
    TRY(image_store_path(layout, name, &path));
    CLEANUP(freep) char *my_cnf = xasprintf("%s/my.cnf", path);
    TRY(process_kill_all(my_cnf, KILL_WAIT_MS));
    return error_wrap(file_remove_tree(path), "remove the image '%s'", name);
}

struct error *
image_store_make(const struct layout *layout, const struct image_places *places, const char *name,
                 char **ret_path)
{
    CLEANUP(freep) char *path = NULL;
    TRY(image_store_path(layout, name, &path));
    TRY(image_store_drop(layout, name));
    for (size_t i = 0; i < places->root_count; i++) {
        CLEANUP(freep) char *folder = xasprintf("%s/%s", path, places->roots[i].target);
        TRY(file_make_directories(folder, FOLDER_MODE));
    }
    *ret_path = path;
    path = NULL;
    return NULL;
}

char *
image_store_wanted(const char *journal_text)
{
    json_t *object = json_loads(journal_text, 0, NULL);
    const char *name = json_string_value(json_object_get(object, "image_name"));
    char *wanted = str_is_empty(name) ? NULL : xstrdup(name);
    json_decref(object);
    return wanted;
}

static char *
read_wanted(const struct layout *layout)
{
    CLEANUP(freep) char *path = xasprintf("%s/" IMAGE_JOURNAL_NAME, layout->directory);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep) struct error *error = file_read(path, JOURNAL_LIMIT_BYTES, &text);
    return error == NULL ? image_store_wanted(buffer_text(&text)) : NULL;
}

struct error *
image_store_clean(const struct layout *layout)
{
    CLEANUP(freep) char *folder = xasprintf("%s/" IMAGE_FOLDER_NAME, layout->directory);
    if (!file_exists(folder))
        return NULL;
    CLEANUP(freep) char *wanted = read_wanted(layout);
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(file_list(folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        if (str_equal(name, wanted)) {
            CLEANUP(freep) char *my_cnf = xasprintf("%s/%s/my.cnf", folder, name);
            TRY(process_kill_all(my_cnf, KILL_WAIT_MS));
            continue;
        }
        LOG_INFO("image", "removing the image '%s' that no job owns", name);
        TRY(image_store_drop(layout, name));
    }
    return NULL;
}
