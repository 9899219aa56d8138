/* What a topology store implements; private to the folder. Paths were checked by topo.c. */
#ifndef VTAGENT_TOPO_BACKEND_H
#define VTAGENT_TOPO_BACKEND_H

#include "agent/topo/topo.h"

struct topo_backend {
    struct error *(*get)(struct topo_conn *conn, struct cancel *cancel, const char *path,
                         struct topo_value *ret_value);
    struct error *(*create)(struct topo_conn *conn, struct cancel *cancel, const char *path,
                            const void *data, size_t size, int64_t *ret_version);
    /* version TOPO_ANY_VERSION: plain put. */
    struct error *(*update)(struct topo_conn *conn, struct cancel *cancel, const char *path,
                            const void *data, size_t size, int64_t version, int64_t *ret_version);
    struct error *(*remove)(struct topo_conn *conn, struct cancel *cancel, const char *path,
                            int64_t version);
    /* Appends all files whose path starts with `prefix` ("" or "dir/"), sorted by path; values are
     * empty unless wants_values. */
    struct error *(*list)(struct topo_conn *conn, struct cancel *cancel, const char *prefix,
                          bool wants_values, struct topo_files *ret_files);
    /* The folder is known to be non-empty. */
    struct error *(*lock)(struct topo_conn *conn, struct cancel *cancel, const char *path,
                          const char *contents, struct topo_lock **ret_lock);
    struct error *(*lock_check)(struct topo_lock *lock, struct cancel *cancel);
    void (*unlock)(struct topo_lock *lock);
    struct error *(*watch)(struct topo_conn *conn, struct cancel *cancel, const char *path,
                           topo_watch_function on_value, void *data);
    /* See topo_lease_*. */
    struct error *(*lease_grant)(struct topo_conn *conn, struct cancel *cancel, int64_t ttl_seconds,
                                 int64_t *ret_lease, int64_t *ret_ttl_ms);
    struct error *(*lease_renew)(struct topo_conn *conn, struct cancel *cancel, int64_t lease);
    struct error *(*lease_revoke)(struct topo_conn *conn, struct cancel *cancel, int64_t lease);
    struct error *(*put_leased)(struct topo_conn *conn, struct cancel *cancel, const char *path,
                                const void *data, size_t size, int64_t lease);
    void (*free)(struct topo_conn *conn);
};

/* First member of every store's own connection and lock. */
struct topo_conn {
    const struct topo_backend *backend;
};
struct topo_lock {
    struct topo_conn *conn;
};

void topo_files_add(struct topo_files *files, const char *path, const void *data, size_t size,
                    int64_t version);

/* The errors of topo.h with one wording for all stores. */
struct error *topo_error_not_found(const char *path) ERROR_MUST_CHECK;
struct error *topo_error_exists(const char *path) ERROR_MUST_CHECK;
struct error *topo_error_changed(const char *path) ERROR_MUST_CHECK;

#endif
