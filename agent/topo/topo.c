#include "agent/topo/topo.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/topo/backend.h"

void
topo_value_done(struct topo_value *value)
{
    free(value->data);
    *value = (struct topo_value){0};
}

void
topo_files_add(struct topo_files *files, const char *path, const void *data, size_t size,
               int64_t version)
{
    files->items = xreallocarray(files->items, files->count + 1, sizeof(*files->items));
    files->items[files->count++] = (struct topo_file){
        .path = xstrdup(path),
        .value = {.data = xmemdup(data, size), .size_bytes = size, .version = version},
    };
}

void
topo_files_done(struct topo_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        topo_value_done(&files->items[i].value);
    }
    free(files->items);
    *files = (struct topo_files){0};
}

struct error *
topo_error_not_found(const char *path)
{
    return error_new(ERROR_NOT_FOUND, "topology has no '%s'", path);
}

struct error *
topo_error_exists(const char *path)
{
    return error_new(ERROR_ALREADY_EXISTS, "topology already has '%s'", path);
}

struct error *
topo_error_changed(const char *path)
{
    return error_new(ERROR_ABORTED, "topology file '%s' was changed by somebody else", path);
}

/* One slash between parts, none at the ends: else two spellings would name two keys. */
static struct error *
check_path(const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || path[0] == '/' || path[length - 1] == '/' || strstr(path, "//") != NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "'%s' is not a topology path", path);
    return NULL;
}

struct error *
topo_get(struct topo_conn *conn, struct cancel *cancel, const char *path,
         struct topo_value *ret_value)
{
    TRY(check_path(path));
    return conn->backend->get(conn, cancel, path, ret_value);
}

struct error *
topo_create(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
            size_t size, int64_t *ret_version)
{
    TRY(check_path(path));
    int64_t version = 0;
    TRY(conn->backend->create(conn, cancel, path, data, size, &version));
    if (ret_version != NULL)
        *ret_version = version;
    return NULL;
}

struct error *
topo_update(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
            size_t size, int64_t version, int64_t *ret_version)
{
    TRY(check_path(path));
    int64_t new_version = 0;
    TRY(conn->backend->update(conn, cancel, path, data, size, version, &new_version));
    if (ret_version != NULL)
        *ret_version = new_version;
    return NULL;
}

struct error *
topo_delete(struct topo_conn *conn, struct cancel *cancel, const char *path, int64_t version)
{
    TRY(check_path(path));
    return conn->backend->remove(conn, cancel, path, version);
}

static struct error *
list_below(struct topo_conn *conn, struct cancel *cancel, const char *path, bool wants_values,
           struct topo_files *ret_files)
{
    if (path[0] == '\0')
        return conn->backend->list(conn, cancel, "", wants_values, ret_files);
    TRY(check_path(path));
    CLEANUP(freep) char *prefix = xasprintf("%s/", path);
    return conn->backend->list(conn, cancel, prefix, wants_values, ret_files);
}

struct error *
topo_list_directory(struct topo_conn *conn, struct cancel *cancel, const char *path,
                    struct strv *ret_names)
{
    CLEANUP(topo_files_done) struct topo_files files = {0};
    TRY(list_below(conn, cancel, path, false, &files));
    if (files.count == 0)
        return topo_error_not_found(path);
    size_t skip = path[0] == '\0' ? 0 : strlen(path) + 1;
    for (size_t i = 0; i < files.count; i++) {
        const char *rest = files.items[i].path + skip;
        CLEANUP(freep) char *name = xstrndup(rest, strcspn(rest, "/"));
        /* Sorted keys can still interleave: "a", "a-b/x", "a/y". */
        if (!strv_contains(ret_names, name))
            strv_add(ret_names, name);
    }
    strv_sort(ret_names);
    return NULL;
}

struct error *
topo_read_tree(struct topo_conn *conn, struct cancel *cancel, const char *path,
               struct topo_files *ret_files)
{
    return list_below(conn, cancel, path, true, ret_files);
}

static void
append_json_field(struct buffer *json, const char *name, const char *value)
{
    buffer_appendf(json, "  \"%s\": ", name);
    buffer_append_json_string(json, value);
    buffer_append_text(json, ",\n");
}

static char *
current_user_name(void)
{
    char space[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(getuid(), &entry, space, sizeof(space), &found) != 0 || found == NULL)
        return xasprintf("%u", (unsigned)getuid());
    return xstrdup(found->pw_name);
}

/* The JSON that Vitess's tools show for a lock. */
static char *
lock_contents(const char *action)
{
    char host[256] = "unknown";
    if (gethostname(host, sizeof(host) - 1) != 0)
        (void)snprintf(host, sizeof(host), "unknown");
    char now[32];
    clock_format_rfc3339(clock_wall_ns(), now);
    CLEANUP(freep) char *user = current_user_name();
    struct buffer json = BUFFER_INIT;
    buffer_append_text(&json, "{\n");
    append_json_field(&json, "Action", action);
    append_json_field(&json, "HostName", host);
    append_json_field(&json, "UserName", user);
    append_json_field(&json, "Time", now);
    buffer_append_text(&json, "  \"Options\": {},\n  \"Status\": \"Running\"\n}");
    return buffer_take(&json);
}

struct error *
topo_lock(struct topo_conn *conn, struct cancel *cancel, const char *path, const char *action,
          struct topo_lock **ret_lock)
{
    CLEANUP(topo_files_done) struct topo_files files = {0};
    TRY(list_below(conn, cancel, path, false, &files));
    if (files.count == 0)
        return topo_error_not_found(path);
    CLEANUP(freep) char *contents = lock_contents(action);
    return error_wrap(conn->backend->lock(conn, cancel, path, contents, ret_lock), "lock '%s'",
                      path);
}

struct error *
topo_lock_check(struct topo_lock *lock, struct cancel *cancel)
{
    return lock->conn->backend->lock_check(lock, cancel);
}

void
topo_unlock(struct topo_lock *lock)
{
    if (lock != NULL)
        lock->conn->backend->unlock(lock);
}

void
topo_unlockp(struct topo_lock **lock)
{
    topo_unlock(*lock);
    *lock = NULL;
}

struct error *
topo_watch(struct topo_conn *conn, struct cancel *cancel, const char *path,
           topo_watch_function on_value, void *data)
{
    TRY(check_path(path));
    return conn->backend->watch(conn, cancel, path, on_value, data);
}

struct error *
topo_lease_grant(struct topo_conn *conn, struct cancel *cancel, int64_t ttl_seconds,
                 int64_t *ret_lease)
{
    int64_t ttl_ms = 0;
    return conn->backend->lease_grant(conn, cancel, ttl_seconds, ret_lease, &ttl_ms);
}

struct error *
topo_lease_renew(struct topo_conn *conn, struct cancel *cancel, int64_t lease)
{
    return conn->backend->lease_renew(conn, cancel, lease);
}

struct error *
topo_lease_put(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
               size_t size, int64_t lease)
{
    TRY(check_path(path));
    return conn->backend->put_leased(conn, cancel, path, data, size, lease);
}

struct error *
topo_lease_revoke(struct topo_conn *conn, struct cancel *cancel, int64_t lease)
{
    return conn->backend->lease_revoke(conn, cancel, lease);
}

void
topo_conn_free(struct topo_conn *conn)
{
    if (conn != NULL)
        conn->backend->free(conn);
}
