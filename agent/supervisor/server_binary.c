#include "agent/supervisor/server_binary.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"

#define VERSION_WAIT_MS 60000
#define VERSION_LIMIT_BYTES 4096

static const char *const default_path = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:"
                                        "/usr/local/bin:/usr/libexec:/usr/local/mysql/bin";

struct error *
server_binary_parse(const char *version_line, struct server_binary *server)
{
    const char *text = strstr(version_line, "Ver ");
    int major, minor, patch;
    if (text == NULL || sscanf(text + 4, "%d.%d.%d", &major, &minor, &patch) != 3 || major < 0 ||
        minor < 0 || patch < 0)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "cannot read a version from '%.200s': is this a database server?",
                         version_line);
    server->major = major;
    server->minor = minor;
    server->patch = patch;
    server->flavor = strstr(version_line, "MariaDB") != NULL ? DIALECT_MARIADB : DIALECT_MYSQL;
    free(server->version);
    server->version = xasprintf("%d.%d.%d", major, minor, patch);
    str_replace(&server->version_line, version_line);
    return NULL;
}

/* The first executable file `name` in a colon-separated list of folders. */
static char *
find_in_path(const char *folders, const char *name)
{
    CLEANUP(strv_done) struct strv list = {.items = NULL};
    strv_split(&list, folders, ':');
    for (size_t i = 0; i < list.count; i++) {
        CLEANUP(freep) char *path = xasprintf("%s/%s", list.items[i], name);
        if (!file_is_directory(path) && access(path, X_OK) == 0)
            return xstrdup(path);
    }
    return NULL;
}

/* Where VT_MYSQL_ROOT is set nothing else will do: another server on this data could ruin it. */
static char *
find_program(const char *name)
{
    const char *root = getenv("VT_MYSQL_ROOT");
    if (!str_is_empty(root)) {
        CLEANUP(freep)
        char *folders = xasprintf("%s/sbin:%s/libexec:%s/bin:%s/scripts", root, root, root, root);
        return find_in_path(folders, name);
    }
    const char *path = getenv("PATH");
    char *found = str_is_empty(path) ? NULL : find_in_path(path, name);
    return found != NULL ? found : find_in_path(default_path, name);
}

static struct error *
check_flavor(const struct server_binary *server, const char *wanted)
{
    if (str_is_empty(wanted) || str_starts_with(wanted, "FilePos"))
        return NULL;
    bool wants_mariadb = str_starts_with(wanted, "MariaDB");
    if (wants_mariadb == (server->flavor == DIALECT_MARIADB))
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "MYSQL_FLAVOR is '%s', but '%s' is %s %s: correct MYSQL_FLAVOR or "
                     "VT_MYSQL_ROOT",
                     wanted, server->path, wants_mariadb ? "MySQL" : "MariaDB", server->version);
}

static struct error *
ask_version(struct server_binary *server)
{
    const char *const argv[] = {server->path, "--no-defaults", "--version", NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + VERSION_WAIT_MS);
    CLEANUP(buffer_done) struct buffer output = BUFFER_INIT;
    CLEANUP(buffer_done) struct buffer errors = BUFFER_INIT;
    struct child_status status;
    TRY(child_run(&options, NULL, VERSION_LIMIT_BYTES, cancel, &status, &output, &errors));
    if (status.is_signaled || status.exit_code != 0) {
        CLEANUP(freep) char *how = child_status_text(&status);
        return error_new(ERROR_FAILED_PRECONDITION, "'%s --version' %s: %s", server->path, how,
                         buffer_text(&errors));
    }
    CLEANUP(freep) char *line = buffer_take(&output);
    line[strcspn(line, "\r\n")] = '\0';
    return server_binary_parse(line, server);
}

/* An unpacked tree keeps its plugins beside itself, not where they were built for. */
static void
find_plugins(struct server_binary *server)
{
    static const char *const places[] = {"lib/mysql/plugin", "lib64/mysql/plugin", "lib/plugin",
                                         "lib64/plugin"};
    if (str_equal(server->base_directory, "/usr"))
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        CLEANUP(freep) char *path = xasprintf("%s/%s", server->base_directory, places[i]);
        if (file_is_directory(path)) {
            str_replace(&server->plugin_directory, path);
            return;
        }
    }
}

struct error *
server_binary_find(struct server_binary *server)
{
    const char *flavor = getenv("MYSQL_FLAVOR");
    bool wants_mariadb = flavor != NULL && str_starts_with(flavor, "MariaDB");
    CLEANUP(freep) char *found = find_program(wants_mariadb ? "mariadbd" : "mysqld");
    if (found == NULL)
        found = find_program(wants_mariadb ? "mysqld" : "mariadbd");
    if (found == NULL)
        return error_new(ERROR_NOT_FOUND,
                         "no mysqld or mariadbd in VT_MYSQL_ROOT ('%s') or PATH: install a server "
                         "or set VT_MYSQL_ROOT to the folder above its sbin or bin",
                         getenv("VT_MYSQL_ROOT") != NULL ? getenv("VT_MYSQL_ROOT") : "");
    server->path = realpath(found, NULL);
    if (server->path == NULL)
        server->path = xstrdup(found);
    CLEANUP(freep) char *above = xstrdup(server->path);
    server->base_directory = xstrdup(dirname(dirname(above)));
    TRY(ask_version(server));
    find_plugins(server);
    return check_flavor(server, flavor);
}

char *
server_binary_tool(const struct server_binary *server, const char *name)
{
    CLEANUP(freep)
    char *folders = xasprintf("%s/bin:%s/sbin:%s/scripts", server->base_directory,
                              server->base_directory, server->base_directory);
    char *found = find_in_path(folders, name);
    return found != NULL ? found : find_program(name);
}

bool
server_binary_is_at_least(const struct server_binary *server, int major, int minor, int patch)
{
    if (server->major != major)
        return server->major > major;
    if (server->minor != minor)
        return server->minor > minor;
    return server->patch >= patch;
}

void
server_binary_done(struct server_binary *server)
{
    free(server->path);
    free(server->base_directory);
    free(server->plugin_directory);
    free(server->version_line);
    free(server->version);
    *server = (struct server_binary){.path = NULL};
}
