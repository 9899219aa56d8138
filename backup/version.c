/* Who may restore what: Vitess's rules for MySQL and Percona (backup-restore 2.5). MariaDB upgrades
 * from a clean shutdown of any older version by itself, and goes back within a series. */
#include <stdio.h>
#include <string.h>

#include "backup/manifest.h"

enum version_flavor { VERSION_MYSQL, VERSION_PERCONA, VERSION_MARIADB };
static const char *const flavor_names[] = {"mysql", "percona", "mariadb"};

struct version {
    enum version_flavor flavor;
    int major, minor, patch;
};

static bool
parse(const char *text, struct version *ret_version)
{
    struct version version = {.flavor = VERSION_MYSQL};
    if (strstr(text, "Percona") != NULL)
        version.flavor = VERSION_PERCONA;
    else if (strcasestr(text, "mariadb") != NULL)
        version.flavor = VERSION_MARIADB;
    for (const char *at = strstr(text, "Ver "); at != NULL; at = strstr(at + 1, "Ver ")) {
        if (sscanf(at, "Ver %d.%d.%d", &version.major, &version.minor, &version.patch) == 3) {
            *ret_version = version;
            return true;
        }
    }
    return false;
}

static int
series(const struct version *version)
{
    return version->major * 1000 + version->minor;
}

static bool
is_at_least(const struct version *a, int major, int minor, int patch)
{
    struct version b = {.major = major, .minor = minor};
    return series(a) != series(&b) ? series(a) > series(&b) : a->patch >= patch;
}

/* 5.7 to 8.0 to 8.4: one step up. */
static bool
is_next_long_term_series(const struct version *from, const struct version *to)
{
    static const int long_term[] = {5007, 8000, 8004};
    for (size_t i = 0; i + 1 < ARRAY_LENGTH(long_term); i++) {
        if (series(from) == long_term[i] && series(to) == long_term[i + 1])
            return true;
    }
    return false;
}

static const char *
mysql_objection(const struct version *from, const struct version *to, bool is_upgrade_safe)
{
    if (series(from) != series(to)) {
        if (!is_next_long_term_series(from, to))
            return "that is not the next long-term series";
        return is_upgrade_safe ? NULL : "the backup is not upgrade-safe";
    }
    if (is_at_least(from, 8, 0, 35) && is_at_least(to, 8, 0, 35))
        return NULL;
    if (to->patch < from->patch)
        return "that would be a downgrade";
    return is_upgrade_safe ? NULL : "the backup is not upgrade-safe";
}

static const char *
mariadb_objection(const struct version *from, const struct version *to)
{
    return series(to) >= series(from) ? NULL : "that would be a downgrade";
}

static bool
is_equal(const struct version *a, const struct version *b)
{
    return a->flavor == b->flavor && series(a) == series(b) && a->patch == b->patch;
}

char *
manifest_version_text(const char *version, const char *version_comment)
{
    return xasprintf("Ver %s %s", version, version_comment);
}

bool
manifest_version_is_same(const struct manifest *manifest, const char *server_version)
{
    struct version from, to;
    if (strcmp(manifest->mysql_version, server_version) == 0)
        return server_version[0] != '\0';
    return parse(manifest->mysql_version, &from) && parse(server_version, &to) &&
           is_equal(&from, &to);
}

struct error *
manifest_check_version(const struct manifest *manifest, const char *server_version)
{
    const char *written = manifest->mysql_version;
    if (written[0] == '\0' || server_version[0] == '\0' || strcmp(written, server_version) == 0)
        return NULL;
    struct version from, to;
    if (!parse(written, &from))
        return error_new(ERROR_FAILED_PRECONDITION, "server version '%s' cannot be read", written);
    if (!parse(server_version, &to))
        return error_new(ERROR_FAILED_PRECONDITION, "server version '%s' cannot be read",
                         server_version);
    const char *objection;
    if (from.flavor != to.flavor)
        objection = "that is another server";
    else if (is_equal(&from, &to))
        objection = NULL;
    else if (from.flavor == VERSION_MARIADB)
        objection = mariadb_objection(&from, &to);
    else
        objection = mysql_objection(&from, &to, manifest->is_upgrade_safe);
    if (objection == NULL)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION, "written by %s %d.%d.%d, we run %s %d.%d.%d: %s",
                     flavor_names[from.flavor], from.major, from.minor, from.patch,
                     flavor_names[to.flavor], to.major, to.minor, to.patch, objection);
}
