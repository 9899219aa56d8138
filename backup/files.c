#include "backup/files.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/file.h"
#include "backup/manifest.h"

#define REDO_FOLDER "#innodb_redo"

static const char *const log_patterns[] = {"ib_logfile*"};
/* Redo log files in reserve: nothing is in them, and a server that misses them makes new ones. */
static const char *const reserve_patterns[] = {"#ib_redo*_tmp"};
static const char *const temporary_patterns[] = {"ibtmp*", "*.pid", "*.sock", "*.lock"};
static const char *const shared_innodb_patterns[] = {"ibdata*", "ib_buffer_pool", "*.dblwr"};
static const char *const root_patterns[] = {"undo_*", "undo[0-9]*",       "*.ibu",
                                            "*.ibd",  "aria_log_control", "aria_log.*"};
static const char *const database_patterns[] = {"db.opt", "*.frm", "*.ibd", "*.sdi", "*.sst"};

#define MATCHES(name, patterns) matches_any(name, patterns, ARRAY_LENGTH(patterns))
static bool
matches_any(const char *name, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    }
    return false;
}

/* A missing path is zeros; what cannot be looked at must not be taken for one that is not there, or
 * files would be left out silently. */
static struct error *
look_at(const char *path, struct stat *ret_status)
{
    *ret_status = (struct stat){.st_mode = 0};
    if (path == NULL || stat(path, ret_status) == 0 || errno == ENOENT || errno == ENOTDIR)
        return NULL;
    return error_from_errno(errno, "look at '%s'", path);
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino != 0 && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Which of a server's directories are one. */
struct layout {
    const struct backup_directories *directories;
    struct stat data, innodb_data, innodb_log, binary_log, redo;
    bool data_is_shared; /* InnoDB's files lie among the databases */
};

static struct error *
read_layout(const struct backup_directories *directories, struct layout *layout)
{
    CLEANUP(freep) char *redo = xasprintf("%s/" REDO_FOLDER, directories->innodb_log);
    layout->directories = directories;
    TRY(look_at(directories->data, &layout->data));
    TRY(look_at(directories->innodb_data, &layout->innodb_data));
    TRY(look_at(directories->innodb_log, &layout->innodb_log));
    TRY(look_at(directories->binary_log, &layout->binary_log));
    TRY(look_at(redo, &layout->redo));
    layout->data_is_shared = is_same(&layout->innodb_data, &layout->data);
    return NULL;
}

/* Adds it if it is a regular file, or a link to one. */
static struct error *
add_file(struct backup_files *files, const char *base, const char *directory, const char *folder,
         const char *file)
{
    CLEANUP(freep) char *name = folder == NULL ? xstrdup(file) : xasprintf("%s/%s", folder, file);
    CLEANUP(freep) char *path = xasprintf("%s/%s", directory, name);
    struct stat status;
    if (stat(path, &status) != 0)
        return error_from_errno(errno, "look at '%s'", path);
    if (!S_ISREG(status.st_mode))
        return NULL;
    if (files->count == MANIFEST_ENTRIES_MOST)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "more than %u files in '%s'",
                         MANIFEST_ENTRIES_MOST, directory);
    if (files->count == files->capacity) {
        files->capacity = files->capacity == 0 ? 64 : files->capacity * 2;
        files->items = xreallocarray(files->items, files->capacity, sizeof(*files->items));
    }
    files->items[files->count++] = (struct backup_file){
        .base = base, .name = name, .path = path, .size_bytes = (uint64_t)status.st_size};
    files->total_bytes += (uint64_t)status.st_size;
    name = path = NULL;
    return NULL;
}

static bool
is_innodb_data_name(const struct backup_directories *directories, const char *name)
{
    return MATCHES(name, shared_innodb_patterns) ||
           strv_contains(&directories->data_file_names, name);
}

static struct error *
add_innodb_data(struct backup_files *files, const struct layout *layout)
{
    const struct backup_directories *directories = layout->directories;
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(file_list(directories->innodb_data, &names));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        /* Of its own the folder holds nothing but InnoDB's files, whatever their names. */
        bool is_wanted = layout->data_is_shared
                             ? is_innodb_data_name(directories, name)
                             : !MATCHES(name, temporary_patterns) && !MATCHES(name, log_patterns);
        if (is_wanted)
            TRY(add_file(files, "InnoDBData", directories->innodb_data, NULL, name));
    }
    return NULL;
}

static struct error *
add_innodb_log(struct backup_files *files, const struct layout *layout)
{
    const struct backup_directories *directories = layout->directories;
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    CLEANUP(freep) char *redo = xasprintf("%s/" REDO_FOLDER, directories->innodb_log);
    const char *folder = S_ISDIR(layout->redo.st_mode) ? REDO_FOLDER : NULL;
    TRY(file_list(folder != NULL ? redo : directories->innodb_log, &names));
    bool is_own = folder != NULL || (!is_same(&layout->innodb_log, &layout->data) &&
                                     !is_same(&layout->innodb_log, &layout->innodb_data));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        if (MATCHES(name, reserve_patterns))
            continue;
        if (is_own ? !MATCHES(name, temporary_patterns) : MATCHES(name, log_patterns))
            TRY(add_file(files, "InnoDBLog", directories->innodb_log, folder, name));
    }
    return NULL;
}

static struct error *
add_data_root(struct backup_files *files, const struct layout *layout, const struct strv *names)
{
    const struct backup_directories *directories = layout->directories;
    if (strv_contains(names, "mysql.ibd"))
        TRY(add_file(files, "Data", directories->data, NULL, "mysql.ibd"));
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        bool is_taken = layout->data_is_shared && is_innodb_data_name(directories, name);
        if (strcmp(name, "mysql.ibd") != 0 && !is_taken && MATCHES(name, root_patterns))
            TRY(add_file(files, "Data", directories->data, NULL, name));
    }
    return NULL;
}

static struct error *
may_be_database(const struct layout *layout, const char *name, const char *path, bool *ret_may_be)
{
    struct stat status;
    *ret_may_be = false;
    if (name[0] == '.' || name[0] == '#' || strcmp(name, "lost+found") == 0)
        return NULL;
    TRY(look_at(path, &status));
    *ret_may_be = S_ISDIR(status.st_mode) && !is_same(&status, &layout->innodb_data) &&
                  !is_same(&status, &layout->innodb_log) && !is_same(&status, &layout->binary_log);
    return NULL;
}

static struct error *
add_database(struct backup_files *files, const struct layout *layout, const char *database)
{
    const struct backup_directories *directories = layout->directories;
    CLEANUP(freep) char *path = xasprintf("%s/%s", directories->data, database);
    bool may_be = false;
    TRY(may_be_database(layout, database, path, &may_be));
    if (!may_be)
        return NULL;
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(file_list(path, &names));
    if (names.count == 0)
        strv_add(&files->empty_directories, database);
    bool is_database = false;
    for (size_t i = 0; i < names.count && !is_database; i++)
        is_database = MATCHES(names.items[i], database_patterns);
    for (size_t i = 0; i < names.count && is_database; i++)
        TRY(add_file(files, "Data", directories->data, database, names.items[i]));
    return NULL;
}

static struct error *
add_all(struct backup_files *files, const struct backup_directories *directories)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    struct layout layout;
    TRY(read_layout(directories, &layout));
    TRY(file_list(directories->data, &names));
    TRY(add_innodb_data(files, &layout));
    TRY(add_innodb_log(files, &layout));
    TRY(add_data_root(files, &layout, &names));
    for (size_t i = 0; i < names.count; i++)
        TRY(add_database(files, &layout, names.items[i]));
    if (files->count == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "no database files in '%s'", directories->data);
    return NULL;
}

struct error *
backup_files_select(const struct backup_directories *directories, struct backup_files *ret_files)
{
    struct backup_files files = {.items = NULL};
    struct error *error = add_all(&files, directories);
    if (error != NULL) {
        backup_files_done(&files);
        return error_wrap(error, "select files to back up");
    }
    *ret_files = files;
    return NULL;
}

void
backup_files_done(struct backup_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].name);
        free(files->items[i].path);
    }
    free(files->items);
    strv_done(&files->empty_directories);
    *files = (struct backup_files){.items = NULL};
}
