/* What the handlers share: a row per method, the call in hand, and the little state there is.
 *
 * A handler runs on the thread its row's class names, reads the request, fills the response (heap;
 * the dispatcher frees it) and returns an error or NULL. It never finishes the call itself. */
#ifndef VTAGENT_HANDLERS_SERVICE_H
#define VTAGENT_HANDLERS_SERVICE_H

#include <stdatomic.h>

#include "agent/actions/dba.h"
#include "agent/actions/grants.h"
#include "agent/health/semi_sync_watch.h"
#include "agent/job/registry.h"
#include "agent/rpc/rpc.h"
#include "agent/tablet/action_watch.h"
#include "agent/tablet/tablet.h"
#include "tabletmanagerdata.pb-c.h"

enum handler_class {
    HANDLER_INLINE, /* on the pump's thread: must not block at all */
    HANDLER_QUERY,  /* a short read, no lock */
    HANDLER_WAIT,   /* no lock, may take as long as the caller lets it */
    HANDLER_ACTION, /* under the action lock */
    HANDLER_STREAM, /* starts or finds a job and follows it; no lock */
};

struct handler_call;
typedef struct error *(*handler_function)(struct handler_call *call, const void *request,
                                          void *response);
struct handler_row {
    const char *path;
    const ProtobufCMessageDescriptor *request, *response;
    handler_function function;
    enum handler_class class;
    bool needs_grants; /* the gate of agent/actions/grants.h */
    bool is_stream;    /* `response` is NULL; events go through handler_send_event */
};

struct stream_health;
struct table_lock;
struct throttler_cache;
struct throttler_recent;

struct service {
    struct tablet_context *context;
    struct grants_gate grants;
    struct semi_sync_watch semi_sync;
    struct table_lock *table_lock;     /* loop's; tables.c */
    struct throttler_cache *throttler; /* loop's; throttler_config.c */
    struct throttler_recent *throttler_recent;
    _Atomic int64_t throttler_checked_ms; /* last check by an app; 0: never */
    struct stream_health *streams;
    struct action_watch *action_watch;
    struct rpc_method *methods; /* one per row, and StreamHealth's */
    struct handler_binding {
        struct service *service;
        const struct handler_row *row;
    } * bindings;
};

struct handler_call {
    struct service *service;
    struct tablet_context *context;
    const struct handler_row *row;
    struct rpc_call *rpc;
    struct cancel *cancel; /* the call's; borrowed */
    const void *request;
    /* Set by a handler: runs on the same thread after the answer was given. */
    void (*after)(struct tablet_context *context);
};

const struct handler_row *handler_rows(size_t *ret_count);
/* rpc_handler of every row; data is its binding. */
void handler_dispatch(struct rpc_call *rpc, const ProtobufCMessage *request, void *data);
/* A pooled dba connection for the handler's scope: CLEANUP(dba_done) struct dba dba = {0}. */
struct error *handler_take_dba(struct handler_call *call, struct dba *ret_dba) ERROR_MUST_CHECK;

/* One line of a stream's log; a client that is gone is ignored. level: logutil.Level. The row's
 * response has an event as its one field. */
void handler_send_event(struct handler_call *call, int level, const char *text);
/* Starts the plan's job, or finds the running one with the same parameters, and sends its lines
 * until it has ended: its outcome. A caller that goes away before gets its own cancel's error, and
 * the job goes on. plan->data is taken. (jobs.c) */
struct error *handler_run_job(struct handler_call *call,
                              const struct job_plan *plan) ERROR_MUST_CHECK;

struct table_lock *table_lock_new(struct service *service);
void table_lock_free(struct table_lock *lock); /* unlocks */
struct throttler_cache *throttler_cache_new(void);
void throttler_cache_free(struct throttler_cache *cache);

/* ---- The handlers, by file ---- */
#define HANDLER(name)                                                                              \
    struct error *name(struct handler_call *call, const void *request, void *response)
/* ping.c */
HANDLER(handle_ping);
HANDLER(handle_sleep);
HANDLER(handle_run_health_check);
/* status.c */
HANDLER(handle_full_status);
HANDLER(handle_replication_status);
HANDLER(handle_primary_status);
HANDLER(handle_primary_position);
HANDLER(handle_wait_for_position);
HANDLER(handle_get_global_status_vars);
HANDLER(handle_get_replicas);
/* replication.c */
HANDLER(handle_stop_replication);
HANDLER(handle_start_replication);
HANDLER(handle_restart_replication);
HANDLER(handle_stop_replication_minimum);
HANDLER(handle_start_replication_until_after);
HANDLER(handle_reset_replication);
HANDLER(handle_reset_replication_parameters);
/* reparent.c */
HANDLER(handle_init_primary);
HANDLER(handle_populate_reparent_journal);
HANDLER(handle_read_reparent_journal_info);
HANDLER(handle_init_replica);
HANDLER(handle_demote_primary);
HANDLER(handle_undo_demote_primary);
HANDLER(handle_promote_replica);
HANDLER(handle_set_replication_source);
HANDLER(handle_stop_replication_and_get_status);
HANDLER(handle_replica_was_promoted);
HANDLER(handle_replica_was_restarted);
/* type.c */
HANDLER(handle_set_read_only);
HANDLER(handle_set_read_write);
HANDLER(handle_change_type);
HANDLER(handle_change_tags);
HANDLER(handle_refresh_state);
/* query.c */
HANDLER(handle_execute_fetch_as_dba);
HANDLER(handle_execute_multi_fetch_as_dba);
HANDLER(handle_execute_fetch_as_all_privs);
HANDLER(handle_execute_fetch_as_app);
HANDLER(handle_execute_query);
/* get_schema.c, apply_schema.c */
HANDLER(handle_get_schema);
HANDLER(handle_reload_schema);
HANDLER(handle_apply_schema);
HANDLER(handle_preflight_schema);
/* permissions.c, hooks.c, tables.c, throttler.c, host_metrics.c, backup.c */
HANDLER(handle_get_permissions);
HANDLER(handle_execute_hook);
HANDLER(handle_lock_tables);
HANDLER(handle_unlock_tables);
HANDLER(handle_check_throttler);
HANDLER(handle_get_throttler_status);
HANDLER(handle_mysql_host_metrics);
HANDLER(handle_backup);
HANDLER(handle_restore_from_backup);
/* jobs.c */
HANDLER(handle_jobs);
HANDLER(handle_cancel_job);
/* verify.c */
HANDLER(handle_verify_backup);

#endif
