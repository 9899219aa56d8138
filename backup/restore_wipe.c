#include <string.h>

#include "agent/base/file.h"
#include "backup/backup.h"
#include "backup/manifest.h"
#include "backup/tree.h"

/* The last guard before files are deleted: a my.cnf with a typing error must not cost a machine. */
static struct error *
check_directory(const char *path)
{
    static const char *const refused[] = {"/",    "/bin",  "/boot", "/dev",     "/etc",     "/home",
                                          "/lib", "/proc", "/root", "/run",     "/sbin",    "/sys",
                                          "/tmp", "/usr",  "/var",  "/var/lib", "/var/log", "/vt"};
    if (path[0] != '/')
        return error_new(ERROR_FAILED_PRECONDITION, "'%s' is not an absolute path", path);
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        if (strcmp(path, refused[i]) == 0)
            return error_new(ERROR_FAILED_PRECONDITION, "'%s' is not a server's data directory",
                             path);
    }
    return NULL;
}

char *
restore_path(const struct backup_directories *directories, const struct manifest_entry *entry)
{
    return xasprintf("%s/%s", backup_directories_of_base(directories, entry->base), entry->name);
}

static struct error *
list_files(const struct backup_directories *directories, const struct manifest *manifest,
           struct strv *files)
{
    for (size_t i = 0; manifest != NULL && i < manifest->entry_count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        if (backup_directories_of_base(directories, entry->base) == NULL ||
            !manifest_name_is_safe(entry->name))
            return error_new(ERROR_INVALID_ARGUMENT, "file '%s/%s' has no place", entry->base,
                             entry->name);
        if (entry->has_crc64)
            strv_add_take(files, restore_path(directories, entry));
    }
    strv_sort(files);
    return NULL;
}

static struct error *
wipe(const struct backup_directories *directories, const struct manifest *keep)
{
    CLEANUP(strv_done) struct strv files = {.items = NULL};
    TRY(check_directory(directories->data));
    TRY(check_directory(directories->innodb_data));
    TRY(check_directory(directories->innodb_log));
    TRY(list_files(directories, keep, &files));
    if (directories->log_bin != NULL)
        TRY(tree_remove_prefixed(directories->log_bin));
    if (directories->relay_log != NULL)
        TRY(tree_remove_prefixed(directories->relay_log));
    if (directories->relay_log_index != NULL)
        TRY(file_remove(directories->relay_log_index));
    if (directories->relay_log_info != NULL)
        TRY(file_remove(directories->relay_log_info));
    TRY(tree_empty(directories->innodb_log, directories->mycnf, &files));
    TRY(tree_empty(directories->innodb_data, directories->mycnf, &files));
    return tree_empty(directories->data, directories->mycnf, &files);
}

struct error *
restore_wipe(const struct backup_directories *directories, const struct manifest *keep)
{
    return error_wrap(wipe(directories, keep), "delete the present data");
}
