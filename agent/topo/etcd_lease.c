/* Leases: what lives only while somebody keeps it alive. */
#include "agent/base/memory.h"
#include "agent/topo/etcd.h"
#include "agent/topo/record_io.h"

static const struct etcd_method method_grant = {
    .path = "/etcdserverpb.Lease/LeaseGrant",
    .response = &etcdserverpb__lease_grant_response__descriptor,
};
static const struct etcd_method method_revoke = {
    .path = "/etcdserverpb.Lease/LeaseRevoke",
    .response = &etcdserverpb__lease_revoke_response__descriptor,
};
static const struct etcd_method method_keep_alive = {
    .path = "/etcdserverpb.Lease/LeaseKeepAlive",
    .response = &etcdserverpb__lease_keep_alive_response__descriptor,
    .is_stream = true,
};

struct error *
etcd_lease_grant(struct topo_conn *conn, struct cancel *cancel, int64_t ttl_seconds,
                 int64_t *ret_lease, int64_t *ret_ttl_ms)
{
    Etcdserverpb__LeaseGrantRequest request = ETCDSERVERPB__LEASE_GRANT_REQUEST__INIT;
    request.ttl = ttl_seconds;
    CLEANUP(record_freep) Etcdserverpb__LeaseGrantResponse *response = NULL;
    TRY(etcd_call((struct etcd_conn *)conn, cancel, &method_grant, &request.base, &response));
    if (!str_is_empty(response->error))
        return error_new(ERROR_UNAVAILABLE, "etcd gave no lease: %s", response->error);
    *ret_lease = response->id;
    if (ret_ttl_ms != NULL)
        *ret_ttl_ms = (response->ttl > 0 ? response->ttl : request.ttl) * 1000;
    return NULL;
}

struct error *
etcd_lease_renew(struct topo_conn *conn, struct cancel *cancel, int64_t lease)
{
    Etcdserverpb__LeaseKeepAliveRequest request = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
    request.id = lease;
    CLEANUP(record_freep) Etcdserverpb__LeaseKeepAliveResponse *response = NULL;
    TRY(etcd_call((struct etcd_conn *)conn, cancel, &method_keep_alive, &request.base, &response));
    return response->ttl > 0 ? NULL : error_new(ERROR_NOT_FOUND, "the lease has ended");
}

struct error *
etcd_lease_revoke(struct topo_conn *conn, struct cancel *cancel, int64_t lease)
{
    Etcdserverpb__LeaseRevokeRequest request = ETCDSERVERPB__LEASE_REVOKE_REQUEST__INIT;
    request.id = lease;
    CLEANUP(record_freep) Etcdserverpb__LeaseRevokeResponse *response = NULL;
    return etcd_call((struct etcd_conn *)conn, cancel, &method_revoke, &request.base, &response);
}
