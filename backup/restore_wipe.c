#include <string.h>

#include "agent/base/file.h"
#include "backup/backup.h"
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

static struct error *
wipe(const struct backup_directories *directories)
{
    TRY(check_directory(directories->data));
    TRY(check_directory(directories->innodb_data));
    TRY(check_directory(directories->innodb_log));
    if (directories->log_bin != NULL)
        TRY(tree_remove_prefixed(directories->log_bin));
    if (directories->relay_log != NULL)
        TRY(tree_remove_prefixed(directories->relay_log));
    if (directories->relay_log_index != NULL)
        TRY(file_remove(directories->relay_log_index));
    if (directories->relay_log_info != NULL)
        TRY(file_remove(directories->relay_log_info));
    TRY(tree_empty(directories->innodb_log, directories->mycnf));
    TRY(tree_empty(directories->innodb_data, directories->mycnf));
    return tree_empty(directories->data, directories->mycnf);
}

struct error *
restore_wipe(const struct backup_directories *directories)
{
    return error_wrap(wipe(directories), "delete the present data");
}
