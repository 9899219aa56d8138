#include "agent/supervisor/layout.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"

#define FOLDER_MODE 0755

static char *
below(const struct layout *layout, const char *name)
{
    return xasprintf("%s/%s", layout->directory, name);
}

static char *
tablet_directory(const char *root, uint32_t uid, const char *tablet_dir)
{
    if (str_is_empty(tablet_dir))
        return xasprintf("%s/vt_%010u", root, uid);
    if (tablet_dir[0] == '/')
        return xstrdup(tablet_dir);
    return xasprintf("%s/%s", root, tablet_dir);
}

void
layout_init(struct layout *layout, const char *root, uint32_t uid, const char *tablet_dir,
            const char *socket, const char *control_socket)
{
    *layout = (struct layout){.root = xstrdup(root), .uid = uid};
    layout->directory = tablet_directory(root, uid, tablet_dir);
    layout->data = below(layout, "data");
    layout->innodb_data = below(layout, "innodb/data");
    layout->innodb_logs = below(layout, "innodb/logs");
    layout->bin_logs = below(layout, "bin-logs");
    layout->relay_logs = below(layout, "relay-logs");
    layout->tmp = below(layout, "tmp");
    layout->my_cnf = below(layout, "my.cnf");
    layout->socket = str_is_empty(socket) ? below(layout, "mysql.sock") : xstrdup(socket);
    layout->pid_file = below(layout, "mysql.pid");
    layout->error_log = below(layout, "error.log");
    layout->slow_log = below(layout, "slow-query.log");
    layout->general_log = below(layout, "general.log");
    layout->control_socket =
        str_is_empty(control_socket) ? below(layout, "mysqlctl.sock") : xstrdup(control_socket);
    layout->lock_file = below(layout, "supervisor.lock");
    layout->initialise_marker = below(layout, "initialise_in_progress");
    layout->initialise_directory = below(layout, "initialise");
    layout->restore_marker = below(layout, "restore_in_progress");
}

void
layout_done(struct layout *layout)
{
    char **const owned[] = {&layout->root,
                            &layout->directory,
                            &layout->data,
                            &layout->innodb_data,
                            &layout->innodb_logs,
                            &layout->bin_logs,
                            &layout->relay_logs,
                            &layout->tmp,
                            &layout->my_cnf,
                            &layout->socket,
                            &layout->pid_file,
                            &layout->error_log,
                            &layout->slow_log,
                            &layout->general_log,
                            &layout->control_socket,
                            &layout->lock_file,
                            &layout->initialise_marker,
                            &layout->initialise_directory,
                            &layout->restore_marker};
    for (size_t i = 0; i < ARRAY_LENGTH(owned); i++) {
        free(*owned[i]);
        *owned[i] = NULL;
    }
}

static char *
user_name(uid_t uid)
{
    struct passwd entry, *found = NULL;
    char memory[4096];
    if (getpwuid_r(uid, &entry, memory, sizeof(memory), &found) == 0 && found != NULL)
        return xasprintf("'%s' (%u)", found->pw_name, uid);
    return xasprintf("%u", uid);
}

static struct error *
check_writable(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return error_from_errno(errno, "look at '%s'", path);
    if (!S_ISDIR(status.st_mode))
        return error_new(ERROR_FAILED_PRECONDITION, "'%s' is not a folder", path);
    if (access(path, W_OK | X_OK) == 0)
        return NULL;
    CLEANUP(freep) char *owner = user_name(status.st_uid);
    CLEANUP(freep) char *me = user_name(geteuid());
    return error_new(ERROR_PERMISSION_DENIED,
                     "'%s' belongs to user %s and is not writable for %s: chown it, run this "
                     "program as its owner, or set VTDATAROOT to another folder",
                     path, owner, me);
}

/* A server changes modes of files in its data folder, so writable is not enough: it must be ours.
 */
static struct error *
check_owner(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return error_from_errno(errno, "look at '%s'", path);
    if (status.st_uid == geteuid())
        return check_writable(path);
    CLEANUP(freep) char *owner = user_name(status.st_uid);
    CLEANUP(freep) char *me = user_name(geteuid());
    return error_new(ERROR_PERMISSION_DENIED,
                     "'%s' belongs to user %s, but this program runs as %s: run it as %s, or "
                     "chown -R the folder",
                     path, owner, me, owner);
}

static struct error *
make_root(const struct layout *layout)
{
    if (!file_exists(layout->root)) {
        struct error *error = file_make_directories(layout->root, FOLDER_MODE);
        if (error != NULL)
            return error_wrap(error, "VTDATAROOT: create the folder beforehand or set VTDATAROOT "
                                     "to one that this user can write");
    }
    if (!file_exists(layout->directory)) {
        TRY(check_writable(layout->root));
        TRY(file_make_directories(layout->directory, FOLDER_MODE));
    }
    return check_owner(layout->directory);
}

/* The tablet's top folder of this name, or a link to its place on the disk mounted at <root>/name.
 */
static struct error *
make_top(const struct layout *layout, const char *name)
{
    CLEANUP(freep) char *path = below(layout, name);
    struct stat status;
    if (lstat(path, &status) == 0)
        return NULL;
    CLEANUP(freep) char *disk = xasprintf("%s/%s", layout->root, name);
    if (!file_is_directory(disk))
        return file_make_directories(path, FOLDER_MODE);
    CLEANUP(freep) char *target = xasprintf("%s/vt_%010u", disk, layout->uid);
    TRY(file_make_directories(target, FOLDER_MODE));
    if (symlink(target, path) != 0)
        return error_from_errno(errno, "link '%s' to '%s'", path, target);
    return NULL;
}

struct error *
layout_create(const struct layout *layout)
{
    static const char *const tops[] = {"data", "innodb", "bin-logs", "relay-logs"};
    TRY(make_root(layout));
    for (size_t i = 0; i < ARRAY_LENGTH(tops); i++)
        TRY(make_top(layout, tops[i]));
    const char *const folders[] = {layout->data,     layout->innodb_data, layout->innodb_logs,
                                   layout->bin_logs, layout->relay_logs,  layout->tmp};
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        if (!file_exists(folders[i]))
            TRY(file_make_directories(folders[i], FOLDER_MODE));
        TRY(check_owner(folders[i]));
    }
    return NULL;
}

static struct error *
empty_folder(const char *path)
{
    CLEANUP(freep) char *real = realpath(path, NULL);
    if (real == NULL)
        return errno == ENOENT ? NULL : error_from_errno(errno, "resolve '%s'", path);
    TRY(file_remove_tree(real));
    return file_make_directories(real, FOLDER_MODE);
}

struct error *
layout_wipe(const struct layout *layout)
{
    const char *const folders[] = {layout->data,     layout->innodb_data, layout->innodb_logs,
                                   layout->bin_logs, layout->relay_logs,  layout->tmp};
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++)
        TRY(empty_folder(folders[i]));
    return NULL;
}

struct error *
layout_inspect(const struct layout *layout, enum layout_data *ret_data)
{
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    TRY(file_list(layout->data, &names));
    size_t count = names.count;
    if (strv_contains(&names, "lost+found"))
        count--;
    if (count == 0)
        *ret_data = LAYOUT_DATA_EMPTY;
    else
        *ret_data = strv_contains(&names, "mysql") || strv_contains(&names, "mysql.ibd")
                        ? LAYOUT_DATA_SERVER
                        : LAYOUT_DATA_OTHER;
    return NULL;
}
