/* What the daemon owns, for daemon.c, setup.c, start.c and stop.c. */
#ifndef VTAGENT_DAEMON_PRIVATE_H
#define VTAGENT_DAEMON_PRIVATE_H

#include <stdatomic.h>

#include "agent/config.h"
#include "agent/health/health.h"
#include "agent/health/heartbeat.h"
#include "agent/health/publisher.h"
#include "agent/rpc/rpc.h"
#include "agent/shard_sync.h"
#include "agent/tablet/tablet_internal.h"
#include "agent/web/http.h"
#include "agent/web/metrics.h"

struct daemon {
    struct config *config;
    struct tablet_context context;
    int64_t start_time_ns;
    int lock_descriptor;
    struct rpc_pump *pump;
    struct rpc_server *server;
    const struct rpc_method *methods;
    size_t method_count;
    struct metrics *metrics;
    struct health *health;
    struct health_publisher *publisher;
    struct heartbeat *heartbeat; /* NULL: none are written */
    struct shard_sync *shard_sync;
    struct http *http;
    struct lookout *lookout;
    struct worker *stop_worker;
    /* The start's step, a static text for pages and logs; NULL once the start is over. */
    const char *_Atomic start_step;
    atomic_bool awaits_primary; /* at the last look the shard had none to follow */
    /* loop thread */
    bool is_stopping;
    struct loop_timer *lameduck_timer, *source_timer;
    int exit_code;
    uint64_t jobs_seen; /* how many had ended when a page was last asked for */
    /* action thread: what the topology said at the start */
    bool is_primary;
};

/* ---- setup.c: everything that does not wait for anybody ---- */
/* One agent per tablet folder: FAILED_PRECONDITION when another one holds the lock. */
struct error *daemon_lock(struct daemon *daemon) ERROR_MUST_CHECK;
struct error *daemon_create(struct daemon *daemon) ERROR_MUST_CHECK;
/* HTTP and gRPC; loop thread. */
struct error *daemon_listen(struct daemon *daemon) ERROR_MUST_CHECK;
void daemon_destroy(struct daemon *daemon);

/* ---- start.c: the slow steps, as one job under the action lock ---- */
void daemon_start(struct daemon *daemon);
/* mysqld died and is up again, without replication: sets it up anew. Any thread. */
void daemon_on_server_restart(void *daemon);

/* One step of the start: tried until it works. */
struct start_step {
    const char *name; /* "registering the tablet" */
    struct error *(*function)(struct daemon *daemon, struct cancel *cancel);
    int64_t attempt_ms; /* time of one attempt; 0: no limit */
    int64_t longest_pause_ms;
    bool is_fatal;   /* FAILED_PRECONDITION ends the process */
    bool is_limited; /* by --init-timeout */
};
/* ---- start_topology.c, start_server.c: the steps ---- */
struct error *start_check_record(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_take_shard(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_take_role(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_register(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
/* First of all: mysqld may be down since a backup was cut short, and starts without the topology.
 */
struct error *start_recover_job(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_check_storage(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_try_server(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_await_server(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_restore(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *start_replication(struct daemon *daemon, struct cancel *cancel) ERROR_MUST_CHECK;

/* ---- stop.c ---- */
/* Begins a clean stop; loop thread. Later calls change nothing. */
void daemon_stop(struct daemon *daemon, int exit_code, const char *why);
/* The same from any thread. `why` is static text. */
void daemon_request_stop(struct daemon *daemon, int exit_code, const char *why);

/* ---- secrets.c ---- */
/* Reads --db-credentials-file again (SIGHUP). Action thread. */
void daemon_read_secrets(struct daemon *daemon);

#endif
