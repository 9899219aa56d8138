/* One etcd cluster: its endpoints, and calls that move to the next endpoint when one is away.
 * Private to the folder. Any thread. */
#ifndef VTAGENT_TOPO_ETCD_H
#define VTAGENT_TOPO_ETCD_H

#include <stdatomic.h>

#include "agent/topo/backend.h"
#include "etcd.pb-c.h"

struct etcd_endpoint {
    char *address;
    struct rpc_channel *channel;
};

struct etcd_conn {
    struct topo_conn base;
    char *prefix; /* of every key: the root with a slash at its end, or "" */
    struct etcd_endpoint *endpoints;
    size_t endpoint_count;
    atomic_size_t current; /* endpoint of the next call; counts up, modulo endpoint_count */
    int64_t lease_ttl_seconds;
};

/* A call of etcd's API. Writes are sent again only when the first try never left this process. */
struct etcd_method {
    const char *path;
    const ProtobufCMessageDescriptor *response;
    bool is_write;
    bool is_stream; /* one message each way, on a stream of its own */
};

/* Answers within the cancel's deadline; gives up after 5 s and a try of each endpoint.
 * `ret_response` points to a pointer of the response's type (record_freep frees it). */
struct error *etcd_call(struct etcd_conn *conn, struct cancel *cancel,
                        const struct etcd_method *method, const ProtobufCMessage *request,
                        void *ret_response) ERROR_MUST_CHECK;
/* After a failed write: whether etcd may have carried it out. */
bool etcd_outcome_is_unknown(const struct error *error);
/* A stream to the endpoint in use; *ret_endpoint is for etcd_endpoint_failed. */
struct error *etcd_open_stream(struct etcd_conn *conn, struct cancel *cancel,
                               const struct etcd_method *method, size_t *ret_endpoint,
                               struct rpc_stream **ret_stream) ERROR_MUST_CHECK;
/* The next calls go to another endpoint. */
void etcd_endpoint_failed(struct etcd_conn *conn, size_t endpoint);

/* The key of a path; caller frees. */
char *etcd_key(const struct etcd_conn *conn, const char *path);
ProtobufCBinaryData etcd_bytes(const char *text); /* borrows */

/* Reads a file and the store's revision at that moment (also for NOT_FOUND). */
struct error *etcd_get_at(struct etcd_conn *conn, struct cancel *cancel, const char *path,
                          struct topo_value *ret_value, int64_t *ret_revision) ERROR_MUST_CHECK;
/* topo_create with a lease (0: none). */
struct error *etcd_create_leased(struct etcd_conn *conn, struct cancel *cancel, const char *path,
                                 const void *data, size_t size, int64_t lease,
                                 int64_t *ret_version) ERROR_MUST_CHECK;

/* A lease's id and its time. renew: NOT_FOUND when it has ended. */
struct error *etcd_lease_grant(struct topo_conn *, struct cancel *, int64_t ttl_seconds,
                               int64_t *ret_lease, int64_t *ret_ttl_ms);
struct error *etcd_lease_renew(struct topo_conn *, struct cancel *, int64_t lease);
struct error *etcd_lease_revoke(struct topo_conn *, struct cancel *, int64_t lease);

/* The vtable's functions, by file. */
struct error *etcd_put_leased(struct topo_conn *, struct cancel *, const char *path,
                              const void *data, size_t size, int64_t lease);
struct error *etcd_get(struct topo_conn *, struct cancel *, const char *path, struct topo_value *);
struct error *etcd_create(struct topo_conn *, struct cancel *, const char *path, const void *data,
                          size_t size, int64_t *ret_version);
struct error *etcd_update(struct topo_conn *, struct cancel *, const char *path, const void *data,
                          size_t size, int64_t version, int64_t *ret_version);
struct error *etcd_remove(struct topo_conn *, struct cancel *, const char *path, int64_t version);
struct error *etcd_list(struct topo_conn *, struct cancel *, const char *prefix, bool wants_values,
                        struct topo_files *ret_files);
struct error *etcd_lock(struct topo_conn *, struct cancel *, const char *path, const char *contents,
                        struct topo_lock **ret_lock);
struct error *etcd_lock_check(struct topo_lock *, struct cancel *);
void etcd_unlock(struct topo_lock *);
struct error *etcd_watch(struct topo_conn *, struct cancel *, const char *path,
                         topo_watch_function on_value, void *data);
/* Waits until the key is deleted (returns at once if a change of it is already past `revision`),
 * the stream breaks or the cancel ends; the caller looks again. */
void etcd_wait_for_delete(struct etcd_conn *conn, struct cancel *cancel, const char *key,
                          int64_t revision);

#endif
