/* The topology store: files with versions, below a root, in etcd (or in memory, for tests).
 * Blocking; any thread but the loop's and the pump's. Source: Vitess's etcd2 topology (key layout,
 * compare- and-swap, locks). */
#ifndef VTAGENT_TOPO_TOPO_H
#define VTAGENT_TOPO_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/base/memory.h"
#include "agent/rpc/rpc.h"

/* One connection: a root in one etcd cluster. */
struct topo_conn;
struct topo_value {
    uint8_t *data;
    size_t size_bytes;
    int64_t version; /* mod_revision */
};
void topo_value_done(struct topo_value *value);

/* Errors: NOT_FOUND (no such file), ALREADY_EXISTS, ABORTED (version differs: read again),
 * UNAVAILABLE / DEADLINE_EXCEEDED (etcd away). Paths are relative: "keyspaces/ks/Keyspace". */
struct error *topo_get(struct topo_conn *conn, struct cancel *cancel, const char *path,
                       struct topo_value *ret_value) ERROR_MUST_CHECK;
struct error *topo_create(struct topo_conn *conn, struct cancel *cancel, const char *path,
                          const void *data, size_t size, int64_t *ret_version) ERROR_MUST_CHECK;
#define TOPO_ANY_VERSION 0
/* version TOPO_ANY_VERSION: plain put (creates). */
struct error *topo_update(struct topo_conn *conn, struct cancel *cancel, const char *path,
                          const void *data, size_t size, int64_t version,
                          int64_t *ret_version) ERROR_MUST_CHECK;
struct error *topo_delete(struct topo_conn *conn, struct cancel *cancel, const char *path,
                          int64_t version) ERROR_MUST_CHECK;
/* Names of the first path component below `path` ("" is the root), sorted; none: NOT_FOUND. */
struct error *topo_list_directory(struct topo_conn *conn, struct cancel *cancel, const char *path,
                                  struct strv *ret_names) ERROR_MUST_CHECK;

/* All files below `path` with their contents, sorted by path (relative to the root); none: success,
 * empty. One consistent reading. */
struct topo_file {
    char *path;
    struct topo_value value;
};
struct topo_files {
    struct topo_file *items;
    size_t count;
};
void topo_files_done(struct topo_files *files);
struct error *topo_read_tree(struct topo_conn *conn, struct cancel *cancel, const char *path,
                             struct topo_files *ret_files) ERROR_MUST_CHECK;

/* Lock on a directory (must be non-empty): waits its turn. Kept by a lease until unlocked; gone
 * when this process dies. `action` is shown to others. */
struct topo_lock;
struct error *topo_lock(struct topo_conn *conn, struct cancel *cancel, const char *path,
                        const char *action, struct topo_lock **ret_lock) ERROR_MUST_CHECK;
struct error *topo_lock_check(struct topo_lock *lock, struct cancel *cancel) ERROR_MUST_CHECK;
void topo_unlock(struct topo_lock *lock); /* bounded; NULL is fine */
void topo_unlockp(struct topo_lock **lock);

/* Watches one file: blocks the calling thread; calls `on_value` (value NULL: the file is gone)
 * first with what is there and then at each change, reconnecting by itself, until the cancel ends.
 */
typedef void (*topo_watch_function)(const struct topo_value *value, void *data);
struct error *topo_watch(struct topo_conn *conn, struct cancel *cancel, const char *path,
                         topo_watch_function on_value, void *data) ERROR_MUST_CHECK;

/* Files that are gone some time after whoever wrote them is: they live with a lease, which lives
 * while it is renewed (every third of its time). renew and put: NOT_FOUND when it has ended. */
struct error *topo_lease_grant(struct topo_conn *conn, struct cancel *cancel, int64_t ttl_seconds,
                               int64_t *ret_lease) ERROR_MUST_CHECK;
struct error *topo_lease_renew(struct topo_conn *conn, struct cancel *cancel,
                               int64_t lease) ERROR_MUST_CHECK;
struct error *topo_lease_put(struct topo_conn *conn, struct cancel *cancel, const char *path,
                             const void *data, size_t size, int64_t lease) ERROR_MUST_CHECK;
struct error *topo_lease_revoke(struct topo_conn *conn, struct cancel *cancel,
                                int64_t lease) ERROR_MUST_CHECK;

/* Creating connections. `addresses`: "h1:p,http://h2:p" as --topo-global-server-address. */
struct topo_etcd_options {
    const char *addresses, *root;
    struct rpc_tls tls;        /* used when certificate and key are set, or for https:// */
    int64_t lease_ttl_seconds; /* 0: 30 */
};
struct error *topo_etcd_new(struct rpc_pump *pump, const struct topo_etcd_options *options,
                            struct topo_conn **ret_conn) ERROR_MUST_CHECK;
struct topo_conn *topo_memory_new(void); /* for tests */
void topo_conn_free(struct topo_conn *conn);

/* The global topology and its cells. Cell connections are made on first use from CellInfo, and
 * again when CellInfo changed. */
struct topo;
struct error *topo_open(struct rpc_pump *pump, const struct topo_etcd_options *global,
                        struct topo **ret_topo) ERROR_MUST_CHECK;
struct topo *topo_new_for_test(struct topo_conn *take_global); /* cells: memory, made on demand */
void topo_close(struct topo *topo);
struct topo_conn *topo_global(struct topo *topo);
/* NOT_FOUND when the cell is not registered: "cell 'x' is not registered: run 'vtagent ctl
 * AddCellInfo …'". Borrowed. */
struct error *topo_cell(struct topo *topo, struct cancel *cancel, const char *cell,
                        struct topo_conn **ret_conn) ERROR_MUST_CHECK;

#endif
