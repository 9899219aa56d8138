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

static bool
is_same_directory(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
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
add_innodb_data(struct backup_files *files, const struct backup_directories *directories)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(file_list(directories->innodb_data, &names));
    bool is_shared = is_same_directory(directories->innodb_data, directories->data);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        /* Of its own the folder holds nothing but InnoDB's files, whatever their names. */
        bool is_wanted = is_shared
                             ? is_innodb_data_name(directories, name)
                             : !MATCHES(name, temporary_patterns) && !MATCHES(name, log_patterns);
        if (is_wanted)
            TRY(add_file(files, "InnoDBData", directories->innodb_data, NULL, name));
    }
    return NULL;
}

static struct error *
add_innodb_log(struct backup_files *files, const struct backup_directories *directories)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    CLEANUP(freep) char *redo = xasprintf("%s/" REDO_FOLDER, directories->innodb_log);
    const char *folder = file_is_directory(redo) ? REDO_FOLDER : NULL;
    TRY(file_list(folder != NULL ? redo : directories->innodb_log, &names));
    bool is_own =
        folder != NULL || (!is_same_directory(directories->innodb_log, directories->data) &&
                           !is_same_directory(directories->innodb_log, directories->innodb_data));
    for (size_t i = 0; i < names.count; i++) {
        if (is_own ? !MATCHES(names.items[i], temporary_patterns)
                   : MATCHES(names.items[i], log_patterns))
            TRY(add_file(files, "InnoDBLog", directories->innodb_log, folder, names.items[i]));
    }
    return NULL;
}

static struct error *
add_data_root(struct backup_files *files, const struct backup_directories *directories,
              const struct strv *names)
{
    bool is_shared = is_same_directory(directories->innodb_data, directories->data);
    if (strv_contains(names, "mysql.ibd"))
        TRY(add_file(files, "Data", directories->data, NULL, "mysql.ibd"));
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        bool is_taken = is_shared && is_innodb_data_name(directories, name);
        if (strcmp(name, "mysql.ibd") != 0 && !is_taken && MATCHES(name, root_patterns))
            TRY(add_file(files, "Data", directories->data, NULL, name));
    }
    return NULL;
}

static bool
may_be_database(const struct backup_directories *directories, const char *name, const char *path)
{
    return name[0] != '.' && name[0] != '#' && strcmp(name, "lost+found") != 0 &&
           file_is_directory(path) && !is_same_directory(path, directories->innodb_data) &&
           !is_same_directory(path, directories->innodb_log) &&
           !is_same_directory(path, directories->binary_log);
}

static struct error *
add_database(struct backup_files *files, const struct backup_directories *directories,
             const char *database)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", directories->data, database);
    if (!may_be_database(directories, database, path))
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
    TRY(file_list(directories->data, &names));
    TRY(add_innodb_data(files, directories));
    TRY(add_innodb_log(files, directories));
    TRY(add_data_root(files, directories, &names));
    for (size_t i = 0; i < names.count; i++)
        TRY(add_database(files, directories, names.items[i]));
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
