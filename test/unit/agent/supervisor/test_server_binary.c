#include <criterion/criterion.h>
#include <stdlib.h>

#include "agent/base/memory.h"
#include "agent/supervisor/server_binary.h"

static void
assert_version(const char *line, enum dialect_flavor flavor, const char *version)
{
    CLEANUP(server_binary_done) struct server_binary server = {.path = NULL};
    cr_assert_null(server_binary_parse(line, &server));
    cr_assert_eq(server.flavor, flavor);
    cr_assert_str_eq(server.version, version);
    cr_assert_str_eq(server.version_line, line);
}

Test(server_binary, versions_of_both_families)
{
    assert_version("/usr/sbin/mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server)",
                   DIALECT_MYSQL, "8.0.36");
    assert_version("/x/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", DIALECT_MYSQL,
                   "9.7.4");
    assert_version("mysqld  Ver 8.4.6 for Linux on aarch64 (MySQL Community Server - GPL)",
                   DIALECT_MYSQL, "8.4.6");
    assert_version("mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64",
                   DIALECT_MARIADB, "10.11.19");
    assert_version("mysqld  Ver 10.6.22-MariaDB for Linux on x86_64 (MariaDB Server)",
                   DIALECT_MARIADB, "10.6.22");
    assert_version("mariadbd from 11.8.3-MariaDB Ver 11.8.3-MariaDB for Linux", DIALECT_MARIADB,
                   "11.8.3");
}

Test(server_binary, other_texts_are_refused)
{
    static const char *const lines[] = {"", "bash: no such file", "Ver x.y.z", "Ver 8.0"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        CLEANUP(server_binary_done) struct server_binary server = {.path = NULL};
        CLEANUP(error_freep) struct error *error = server_binary_parse(lines[i], &server);
        cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
        cr_assert_null(server.version);
    }
}

Test(server_binary, versions_compare_by_number)
{
    struct server_binary server = {.major = 8, .minor = 0, .patch = 26};
    cr_assert(server_binary_is_at_least(&server, 8, 0, 26));
    cr_assert(server_binary_is_at_least(&server, 8, 0, 9));
    cr_assert(server_binary_is_at_least(&server, 5, 7, 44));
    cr_assert(!server_binary_is_at_least(&server, 8, 0, 27));
    cr_assert(!server_binary_is_at_least(&server, 8, 4, 0));
    cr_assert(!server_binary_is_at_least(&server, 9, 0, 0));
}

Test(server_binary, wrong_flavor_in_the_environment_is_refused)
{
    CLEANUP(server_binary_done) struct server_binary server = {.path = NULL};
    unsetenv("VT_MYSQL_ROOT");
    setenv("MYSQL_FLAVOR", "FilePos", 1);
    CLEANUP(error_freep) struct error *error = server_binary_find(&server);
    if (error_is(error, ERROR_NOT_FOUND)) /* no server on this machine */
        return;
    cr_assert_null(error);
    cr_assert_not_null(server.base_directory);
    CLEANUP(server_binary_done) struct server_binary other = {.path = NULL};
    setenv("MYSQL_FLAVOR", server.flavor == DIALECT_MARIADB ? "MySQL80" : "MariaDB103", 1);
    CLEANUP(error_freep) struct error *refusal = server_binary_find(&other);
    unsetenv("MYSQL_FLAVOR");
    if (other.flavor == server.flavor)
        cr_assert(error_is(refusal, ERROR_FAILED_PRECONDITION));
}
