/* The store for tests: the same rules as etcd's (one revision counter, versions are revisions,
 * locks are files), in a sorted array under a mutex. Waiting looks every 10 ms: nobody waits long
 * in a test, and a cancel needs no hook. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/topo/backend.h"

#define MEMORY_POLL_MS 10

struct memory_conn {
    struct topo_conn base;
    pthread_mutex_t mutex;
    struct topo_files files; /* sorted by path */
    int64_t revision, lease;
};

struct memory_lock {
    struct topo_lock base;
    char *directory, *path;
    int64_t version;
};

static struct memory_conn *
memory_of(struct topo_conn *conn)
{
    return (struct memory_conn *)conn;
}

/* Index of the path, or where it belongs. */
static size_t
memory_find(const struct memory_conn *memory, const char *path, bool *ret_exists)
{
    size_t low = 0, high = memory->files.count;
    *ret_exists = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(memory->files.items[middle].path, path);
        if (order == 0)
            *ret_exists = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t
memory_put(struct memory_conn *memory, const char *path, const void *data, size_t size)
{
    bool exists;
    size_t at = memory_find(memory, path, &exists);
    memory->revision++;
    if (exists) {
        struct topo_value *value = &memory->files.items[at].value;
        uint8_t *copy = xmemdup(data, size);
        free(value->data);
        *value = (struct topo_value){copy, size, memory->revision};
        return memory->revision;
    }
    topo_files_add(&memory->files, path, data, size, memory->revision);
    struct topo_file *items = memory->files.items;
    struct topo_file added = items[memory->files.count - 1];
    memmove(items + at + 1, items + at, (memory->files.count - 1 - at) * sizeof(*items));
    items[at] = added;
    return memory->revision;
}

static void
memory_drop(struct memory_conn *memory, size_t at)
{
    struct topo_file *items = memory->files.items;
    free(items[at].path);
    topo_value_done(&items[at].value);
    memory->files.count--;
    memmove(items + at, items + at + 1, (memory->files.count - at) * sizeof(*items));
    memory->revision++;
}

static struct error *
memory_get(struct topo_conn *conn, struct cancel *cancel, const char *path,
           struct topo_value *ret_value)
{
    TRY(cancel_check(cancel));
    struct memory_conn *memory = memory_of(conn);
    pthread_mutex_lock(&memory->mutex);
    bool exists;
    size_t at = memory_find(memory, path, &exists);
    if (exists) {
        const struct topo_value *value = &memory->files.items[at].value;
        *ret_value = *value;
        ret_value->data = xmemdup(value->data, value->size_bytes);
    }
    pthread_mutex_unlock(&memory->mutex);
    return exists ? NULL : topo_error_not_found(path);
}

static struct error *
memory_create(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
              size_t size, int64_t *ret_version)
{
    TRY(cancel_check(cancel));
    struct memory_conn *memory = memory_of(conn);
    pthread_mutex_lock(&memory->mutex);
    bool exists;
    (void)memory_find(memory, path, &exists);
    if (!exists)
        *ret_version = memory_put(memory, path, data, size);
    pthread_mutex_unlock(&memory->mutex);
    return exists ? topo_error_exists(path) : NULL;
}

static struct error *
memory_update(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
              size_t size, int64_t version, int64_t *ret_version)
{
    TRY(cancel_check(cancel));
    struct memory_conn *memory = memory_of(conn);
    pthread_mutex_lock(&memory->mutex);
    bool exists;
    size_t at = memory_find(memory, path, &exists);
    bool matches =
        version == TOPO_ANY_VERSION || (exists && memory->files.items[at].value.version == version);
    if (matches)
        *ret_version = memory_put(memory, path, data, size);
    pthread_mutex_unlock(&memory->mutex);
    return matches ? NULL : topo_error_changed(path);
}

static struct error *
memory_remove(struct topo_conn *conn, struct cancel *cancel, const char *path, int64_t version)
{
    TRY(cancel_check(cancel));
    struct memory_conn *memory = memory_of(conn);
    pthread_mutex_lock(&memory->mutex);
    bool exists;
    size_t at = memory_find(memory, path, &exists);
    bool matches =
        exists && (version == TOPO_ANY_VERSION || memory->files.items[at].value.version == version);
    if (matches)
        memory_drop(memory, at);
    pthread_mutex_unlock(&memory->mutex);
    if (matches)
        return NULL;
    return exists ? topo_error_changed(path) : topo_error_not_found(path);
}

static struct error *
memory_list(struct topo_conn *conn, struct cancel *cancel, const char *prefix, bool wants_values,
            struct topo_files *ret_files)
{
    TRY(cancel_check(cancel));
    struct memory_conn *memory = memory_of(conn);
    pthread_mutex_lock(&memory->mutex);
    bool exists;
    for (size_t i = memory_find(memory, prefix, &exists); i < memory->files.count; i++) {
        const struct topo_file *file = &memory->files.items[i];
        if (!str_starts_with(file->path, prefix))
            break;
        topo_files_add(ret_files, file->path, file->value.data,
                       wants_values ? file->value.size_bytes : 0, file->value.version);
    }
    pthread_mutex_unlock(&memory->mutex);
    return NULL;
}

/* ---- Locks ---- */

static bool
memory_lock_is_first(const struct memory_lock *lock, bool *ret_is_there)
{
    struct memory_conn *memory = memory_of(lock->base.conn);
    CLEANUP(freep) char *prefix = xasprintf("%s/locks/", lock->directory);
    bool is_first = true;
    pthread_mutex_lock(&memory->mutex);
    (void)memory_find(memory, lock->path, ret_is_there);
    bool exists;
    for (size_t i = memory_find(memory, prefix, &exists); i < memory->files.count; i++) {
        const struct topo_file *file = &memory->files.items[i];
        if (!str_starts_with(file->path, prefix))
            break;
        if (file->value.version < lock->version)
            is_first = false;
    }
    pthread_mutex_unlock(&memory->mutex);
    return is_first;
}

static void
memory_unlock(struct topo_lock *base)
{
    struct memory_lock *lock = (struct memory_lock *)base;
    struct memory_conn *memory = memory_of(base->conn);
    pthread_mutex_lock(&memory->mutex);
    bool exists;
    size_t at = memory_find(memory, lock->path, &exists);
    if (exists)
        memory_drop(memory, at);
    pthread_mutex_unlock(&memory->mutex);
    free(lock->directory);
    free(lock->path);
    free(lock);
}

static struct error *
memory_lock(struct topo_conn *conn, struct cancel *cancel, const char *path, const char *contents,
            struct topo_lock **ret_lock)
{
    struct memory_conn *memory = memory_of(conn);
    struct memory_lock *lock = xcalloc(1, sizeof(*lock));
    lock->base.conn = conn;
    lock->directory = xstrdup(path);
    pthread_mutex_lock(&memory->mutex);
    lock->path = xasprintf("%s/locks/%lld", path, (long long)memory->revision + 1);
    lock->version = memory_put(memory, lock->path, contents, strlen(contents));
    pthread_mutex_unlock(&memory->mutex);

    bool is_there;
    while (!memory_lock_is_first(lock, &is_there)) {
        struct error *error = cancel_sleep_ms(cancel, MEMORY_POLL_MS);
        if (error != NULL) {
            memory_unlock(&lock->base);
            return error;
        }
    }
    *ret_lock = &lock->base;
    return NULL;
}

static struct error *
memory_lock_check(struct topo_lock *base, struct cancel *cancel)
{
    TRY(cancel_check(cancel));
    const struct memory_lock *lock = (const struct memory_lock *)base;
    bool is_there;
    (void)memory_lock_is_first(lock, &is_there);
    if (!is_there)
        return error_new(ERROR_ABORTED, "the lock on '%s' was lost", lock->directory);
    return NULL;
}

static struct error *
memory_watch(struct topo_conn *conn, struct cancel *cancel, const char *path,
             topo_watch_function on_value, void *data)
{
    int64_t seen = -1;
    for (;;) {
        struct topo_value value = {0};
        struct error *error = memory_get(conn, cancel, path, &value);
        int64_t version = error == NULL ? value.version : 0;
        bool is_gone = error_is(error, ERROR_NOT_FOUND);
        if (error != NULL && !is_gone)
            return error;
        error_free(error);
        if (version != seen)
            on_value(is_gone ? NULL : &value, data);
        seen = version;
        topo_value_done(&value);
        TRY(cancel_sleep_ms(cancel, MEMORY_POLL_MS));
    }
}

/* ---- Leases: they do not end by themselves here ---- */

static struct error *
memory_lease_grant(struct topo_conn *conn, struct cancel *cancel, int64_t ttl_seconds,
                   int64_t *ret_lease, int64_t *ret_ttl_ms)
{
    TRY(cancel_check(cancel));
    *ret_lease = ++memory_of(conn)->lease;
    *ret_ttl_ms = ttl_seconds * 1000;
    return NULL;
}

static struct error *
memory_lease_renew(struct topo_conn *conn, struct cancel *cancel, int64_t lease)
{
    TRY(cancel_check(cancel));
    return lease == memory_of(conn)->lease ? NULL
                                           : error_new(ERROR_NOT_FOUND, "the lease has ended");
}

static struct error *
memory_lease_revoke(struct topo_conn *conn, struct cancel *cancel, int64_t lease)
{
    (void)conn;
    (void)lease;
    return cancel_check(cancel);
}

static struct error *
memory_put_leased(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
                  size_t size, int64_t lease)
{
    TRY(memory_lease_renew(conn, cancel, lease));
    int64_t version = 0;
    return memory_update(conn, cancel, path, data, size, TOPO_ANY_VERSION, &version);
}

static void
memory_free(struct topo_conn *conn)
{
    struct memory_conn *memory = memory_of(conn);
    topo_files_done(&memory->files);
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

struct topo_conn *
topo_memory_new(void)
{
    static const struct topo_backend backend = {
        .get = memory_get,
        .create = memory_create,
        .update = memory_update,
        .remove = memory_remove,
        .list = memory_list,
        .lock = memory_lock,
        .lock_check = memory_lock_check,
        .unlock = memory_unlock,
        .watch = memory_watch,
        .lease_grant = memory_lease_grant,
        .lease_renew = memory_lease_renew,
        .lease_revoke = memory_lease_revoke,
        .put_leased = memory_put_leased,
        .free = memory_free,
    };
    struct memory_conn *memory = xcalloc(1, sizeof(*memory));
    memory->base.backend = &backend;
    pthread_mutex_init(&memory->mutex, NULL);
    return &memory->base;
}
