#include "backup/mount.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"

#define MOUNTINFO_LIMIT_BYTES (8u << 20)
#define CACHE_DEFAULT_MS 60000 /* acdirmax of nfs(5) */

/* Fields of a line of proc(5)'s mountinfo; the optional ones end with "-". */
enum { FIELD_FOLDER = 4, FIELD_OPTIONS = 5, FIELDS_LEAST = 10 };

void
mount_done(struct mount *mount)
{
    freep(&mount->folder);
    freep(&mount->type);
    freep(&mount->source);
    freep(&mount->options);
}

/* "\040" is a blank. */
static char *
unescape(const char *text)
{
    char *plain = xstrdup(text), *to = plain;
    for (const char *from = plain; *from != '\0'; to++) {
        bool is_code = from[0] == '\\' && strspn(from + 1, "01234567") >= 3;
        *to = is_code ? (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'))
                      : from[0];
        from += is_code ? 4 : 1;
    }
    *to = '\0';
    return plain;
}

static bool
holds(const char *folder, const char *path)
{
    size_t length = strlen(folder);
    if (strcmp(folder, "/") == 0)
        return true;
    return strncmp(folder, path, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The last one that is as deep as any covers the others. */
static void
take_line(const char *line, const char *path, struct mount *best)
{
    CLEANUP(strv_done) struct strv fields = {.items = NULL};
    strv_split(&fields, line, ' ');
    size_t dash = FIELD_OPTIONS + 1;
    while (dash < fields.count && strcmp(fields.items[dash], "-") != 0)
        dash++;
    if (fields.count < FIELDS_LEAST || dash + 3 >= fields.count)
        return;
    CLEANUP(freep) char *folder = unescape(fields.items[FIELD_FOLDER]);
    if (!holds(folder, path) || (best->folder != NULL && strlen(folder) < strlen(best->folder)))
        return;
    mount_done(best);
    best->folder = folder;
    folder = NULL;
    best->type = xstrdup(fields.items[dash + 1]);
    best->source = unescape(fields.items[dash + 2]);
    best->options = xasprintf("%s,%s", fields.items[FIELD_OPTIONS], fields.items[dash + 3]);
}

struct error *
mount_find_in(const char *text, const char *path, struct mount *ret_mount)
{
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    struct mount best = {.folder = NULL};
    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.count; i++)
        take_line(lines.items[i], path, &best);
    if (best.folder == NULL)
        return error_new(ERROR_NOT_FOUND, "no mount holds '%s'", path);
    *ret_mount = best;
    return NULL;
}

struct error *
mount_find(const char *path, struct mount *ret_mount)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read("/proc/self/mountinfo", MOUNTINFO_LIMIT_BYTES, &text));
    return mount_find_in(buffer_text(&text), path, ret_mount);
}

static const char *
find_option(const struct mount *mount, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = mount->options; at != NULL && *at != '\0';) {
        if (strncmp(at, name, length) == 0 && strchr(",=", at[length]) != NULL)
            return at + length;
        at = strchr(at, ',');
        at = at == NULL ? NULL : at + 1;
    }
    return NULL;
}

bool
mount_has_option(const struct mount *mount, const char *name)
{
    return find_option(mount, name) != NULL;
}

char *
mount_option(const struct mount *mount, const char *name)
{
    const char *at = find_option(mount, name);
    if (at == NULL || *at != '=')
        return NULL;
    return xstrndup(at + 1, strcspn(at + 1, ","));
}

bool
mount_is_network(const struct mount *mount)
{
    static const char *const types[] = {"nfs",    "nfs4", "cifs", "smb3",       "ceph", "glusterfs",
                                        "lustre", "fuse", "9p",   "fuse.sshfs", "afs",  "beegfs"};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        if (strcmp(mount->type, types[i]) == 0)
            return true;
    }
    return str_starts_with(mount->type, "fuse.");
}

int64_t
mount_cache_ms(const struct mount *mount)
{
    if (!mount_is_network(mount) || mount_has_option(mount, "noac"))
        return 0;
    CLEANUP(freep) char *most = mount_option(mount, "acdirmax");
    if (most == NULL)
        most = mount_option(mount, "actimeo");
    return most == NULL ? CACHE_DEFAULT_MS : (int64_t)strtoul(most, NULL, 10) * 1000;
}
