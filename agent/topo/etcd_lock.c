/* Vitess's locks: a file per claimant below <folder>/locks/, named by and living with a lease; the
 * oldest owns the lock. A thread of its own keeps the lease alive, so that a caller may be busy
 * elsewhere for as long as it likes. */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/topo/etcd.h"
#include "agent/topo/record_io.h"

#define LOOK_AGAIN_MS 5000
#define BEAT_RETRY_MS 500
#define UNLOCK_TIMEOUT_MS 5000

static const struct etcd_method method_range = {
    .path = "/etcdserverpb.KV/Range",
    .response = &etcdserverpb__range_response__descriptor,
};

struct etcd_lock {
    struct topo_lock base;
    char *directory;
    int64_t lease, version;
    int64_t ttl_ms;
    struct cancel *stop; /* ends the thread */
    pthread_t thread;
    bool has_thread;
    atomic_bool is_lost;
};

static struct etcd_conn *
conn_of(const struct etcd_lock *lock)
{
    return (struct etcd_conn *)lock->base.conn;
}

/* ---- The lease ---- */

static struct error *
lost(const struct etcd_lock *lock)
{
    return error_new(ERROR_ABORTED, "the lock on '%s' was lost", lock->directory);
}

static struct error *
beat(struct etcd_lock *lock, struct cancel *cancel)
{
    struct error *error = etcd_lease_renew(lock->base.conn, cancel, lock->lease);
    if (!error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error);
    atomic_store(&lock->is_lost, true);
    return lost(lock);
}

static void *
keep_alive(void *data)
{
    struct etcd_lock *lock = data;
    int64_t last_ms = clock_monotonic_ms();
    int64_t pause_ms = lock->ttl_ms / 3;
    while (!atomic_load(&lock->is_lost)) {
        struct error *ended = cancel_sleep_ms(lock->stop, pause_ms);
        if (ended != NULL) {
            error_free(ended);
            break;
        }
        int64_t sent_ms = clock_monotonic_ms();
        struct error *error = beat(lock, lock->stop);
        if (error == NULL)
            last_ms = sent_ms;
        else if (sent_ms - last_ms > lock->ttl_ms)
            atomic_store(&lock->is_lost, true);
        pause_ms = error == NULL ? lock->ttl_ms / 3 : BEAT_RETRY_MS;
        error_free(error);
    }
    return NULL;
}

static struct error *
start_thread(struct etcd_lock *lock)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int result = pthread_create(&lock->thread, NULL, keep_alive, lock);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (result != 0)
        return error_from_errno(result, "start the thread that keeps a lock");
    lock->has_thread = true;
    return NULL;
}

/* ---- The queue ---- */

/* The youngest claim older than ours; empty key: none, the lock is ours. */
static struct error *
find_predecessor(struct etcd_lock *lock, struct cancel *cancel, char **ret_key,
                 int64_t *ret_revision)
{
    CLEANUP(freep) char *path = xasprintf("%s/locks/", lock->directory);
    CLEANUP(freep) char *first = etcd_key(conn_of(lock), path);
    CLEANUP(freep) char *end = xstrdup(first);
    end[strlen(end) - 1]++; /* "/" to "0": just after the folder */
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    request.key = etcd_bytes(first);
    request.range_end = etcd_bytes(end);
    request.keys_only = true;
    request.limit = 1;
    request.sort_order = ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__DESCEND;
    request.sort_target = ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__MOD;
    request.max_mod_revision = lock->version - 1;
    CLEANUP(record_freep) Etcdserverpb__RangeResponse *response = NULL;
    TRY(etcd_call(conn_of(lock), cancel, &method_range, &request.base, &response));
    *ret_key = NULL;
    *ret_revision = response->header == NULL ? 0 : response->header->revision;
    if (response->n_kvs > 0)
        *ret_key = xstrndup((char *)response->kvs[0]->key.data, response->kvs[0]->key.len);
    return NULL;
}

static struct error *
wait_for_turn(struct etcd_lock *lock, struct cancel *cancel)
{
    for (;;) {
        CLEANUP(freep) char *key = NULL;
        int64_t revision;
        TRY(find_predecessor(lock, cancel, &key, &revision));
        if (atomic_load(&lock->is_lost))
            return lost(lock);
        if (key == NULL)
            return NULL;
        CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(cancel, LOOK_AGAIN_MS);
        int64_t start_ms = clock_monotonic_ms();
        etcd_wait_for_delete(conn_of(lock), bounded, key, revision);
        TRY(error_wrap(cancel_check(cancel), "held by '%s'", key));
        if (clock_monotonic_ms() - start_ms < BEAT_RETRY_MS / 10)
            TRY(cancel_sleep_ms(cancel, BEAT_RETRY_MS / 10)); /* a watch that breaks at once */
    }
}

static struct error *
claim(struct etcd_lock *lock, struct cancel *cancel, const char *contents)
{
    TRY(etcd_lease_grant(lock->base.conn, cancel, conn_of(lock)->lease_ttl_seconds, &lock->lease,
                         &lock->ttl_ms));
    TRY(start_thread(lock));
    CLEANUP(freep) char *path = xasprintf("%s/locks/%" PRId64, lock->directory, lock->lease);
    TRY(etcd_create_leased(conn_of(lock), cancel, path, contents, strlen(contents), lock->lease,
                           &lock->version));
    return wait_for_turn(lock, cancel);
}

struct error *
etcd_lock(struct topo_conn *conn, struct cancel *cancel, const char *path, const char *contents,
          struct topo_lock **ret_lock)
{
    struct etcd_lock *lock = xcalloc(1, sizeof(*lock));
    lock->base.conn = conn;
    lock->directory = xstrdup(path);
    lock->stop = cancel_new(INT64_MAX);
    atomic_init(&lock->is_lost, false);
    struct error *error = claim(lock, cancel, contents);
    if (error != NULL) {
        etcd_unlock(&lock->base);
        return error;
    }
    *ret_lock = &lock->base;
    return NULL;
}

struct error *
etcd_lock_check(struct topo_lock *base, struct cancel *cancel)
{
    struct etcd_lock *lock = (struct etcd_lock *)base;
    if (atomic_load(&lock->is_lost))
        return lost(lock);
    return beat(lock, cancel);
}

void
etcd_unlock(struct topo_lock *base)
{
    struct etcd_lock *lock = (struct etcd_lock *)base;
    cancel_request(lock->stop);
    if (lock->has_thread)
        pthread_join(lock->thread, NULL);
    if (lock->lease != 0) {
        /* Of its own: the lock must go even when the work's deadline is past. If etcd is away, the
         * lease ends by itself. */
        CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(NULL, UNLOCK_TIMEOUT_MS);
        error_free(etcd_lease_revoke(lock->base.conn, bounded, lock->lease));
    }
    cancel_unref(lock->stop);
    free(lock->directory);
    free(lock);
}
