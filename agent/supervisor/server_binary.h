/* The installed database server: where it is, which family, which version. */
#ifndef VTAGENT_SUPERVISOR_SERVER_BINARY_H
#define VTAGENT_SUPERVISOR_SERVER_BINARY_H

#include <stdbool.h>

#include "agent/base/error.h"
#include "agent/mysql/dialect.h"

struct server_binary {
    char *path;             /* of mysqld or mariadbd, links resolved */
    char *base_directory;   /* --basedir: the folder above its sbin, bin or libexec */
    char *plugin_directory; /* NULL: the server's built-in one */
    char *version_line;     /* as `mysqld --version` prints it */
    char *version;          /* "9.7.4", "10.11.19" */
    enum dialect_flavor flavor;
    int major, minor, patch;
};

/* Reads "… Ver 10.11.19-MariaDB-… for …" into flavor and version fields. */
struct error *server_binary_parse(const char *version_line,
                                  struct server_binary *server) ERROR_MUST_CHECK;
/* Looks in VT_MYSQL_ROOT/{sbin,libexec,bin}, or without that in PATH and /usr/sbin, and asks for
 * the version. MYSQL_FLAVOR decides which family is tried first and is checked against what was
 * found. */
struct error *server_binary_find(struct server_binary *server) ERROR_MUST_CHECK;
/* A program of the same installation, by name; NULL when there is none. Caller frees. */
char *server_binary_tool(const struct server_binary *server, const char *name);
bool server_binary_is_at_least(const struct server_binary *server, int major, int minor, int patch);
void server_binary_done(struct server_binary *server);

#endif
