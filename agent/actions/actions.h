/* The tablet's multi-step actions, as ordinary sequential code. Every function runs on the action
 * thread (that is the action lock), takes a token with the caller's deadline and leaves the tablet
 * in the state its contract names, also when canceled half-way. Source:
 * tablet-manager-rpc 2.1, 2.2.
 *
 * "Stops" and "starts" run the hooks preflight_stop_slave and postflight_start_slave. */
#ifndef VTAGENT_ACTIONS_ACTIONS_H
#define VTAGENT_ACTIONS_ACTIONS_H

#include "agent/tablet/tablet.h"
#include "replication/status.h"

/* Canceled: replication runs or is stopped, settings untouched. Idempotent. */
struct error *action_stop_replication(struct tablet_context *context,
                                      struct cancel *cancel) ERROR_MUST_CHECK;
struct error *action_start_replication(struct tablet_context *context, struct cancel *cancel,
                                       bool semi_sync) ERROR_MUST_CHECK;
/* Stop, semi-sync for our type, start. Canceled after the stop: replication is stopped. */
struct error *action_restart_replication(struct tablet_context *context, struct cancel *cancel,
                                         bool semi_sync) ERROR_MUST_CHECK;
/* Waits (at most wait_ms; 0: the caller's deadline) until `position` is executed, stops, and tells
 * the executed set. Canceled while waiting: replication runs on. */
struct error *action_stop_replication_minimum(struct tablet_context *context, struct cancel *cancel,
                                              const char *position, int64_t wait_ms,
                                              char **ret_position) ERROR_MUST_CHECK;
struct error *action_start_replication_until_after(struct tablet_context *context,
                                                   struct cancel *cancel, const char *position,
                                                   int64_t wait_ms) ERROR_MUST_CHECK;
/* Empties binary logs, GTID state and replication settings. Canceled: some of these are done; the
 * type, the topology and read_only are never touched; doing it again completes it. */
struct error *action_reset_replication(struct tablet_context *context,
                                       struct cancel *cancel) ERROR_MUST_CHECK;
/* Stop, then forget the source. Canceled: stopped, settings kept or gone. Idempotent. */
struct error *action_reset_replication_parameters(struct tablet_context *context,
                                                  struct cancel *cancel) ERROR_MUST_CHECK;

/* Makes this tablet the shard's first primary; *ret_position (caller frees) is where replicas
 * start: the sidecar's tables come after it. Failing before the type changed: read-only as it was
 * (one more event in the binary log is possible). Failing afterwards: PRIMARY, see
 * tablet_change_type. */
struct error *action_init_primary(struct tablet_context *context, struct cancel *cancel,
                                  bool semi_sync, char **ret_position) ERROR_MUST_CHECK;
/* Sets the executed set to `position`, follows `parent`, waits for its journal row. Canceled while
 * waiting: replicating. Canceled before: REPLICA type, not replicating; doing it again completes
 * it. */
struct error *action_init_replica(struct tablet_context *context, struct cancel *cancel,
                                  const struct tablet_alias *parent, const char *position,
                                  int64_t time_created_ns, bool semi_sync) ERROR_MUST_CHECK;

/* Fences this server: read-only, no write in flight. Fills the status (done by the caller). Type,
 * topology and replication stay. Idempotent; any type. Undone on failure and cancel: writable,
 * serving and semi-sync as before. Semi-sync's primary side may still be on when it returns,
 * because switching it off can take a second: call action_demote_primary_finish next on the action
 * thread. */
struct error *action_demote_primary(struct tablet_context *context, struct cancel *cancel,
                                    bool is_forced,
                                    struct primary_status *ret_status) ERROR_MUST_CHECK;
/* Semi-sync's primary side off, if it is on and the server is still read-only. Errors are logged:
 * the server is fenced without it, and the next change of role sets it again. */
void action_demote_primary_finish(struct tablet_context *context);
/* Semi-sync, read-write, serving; adopts PRIMARY when only the record says so. Canceled: writable
 * or not, in this order; doing it again completes it. */
struct error *action_undo_demote_primary(struct tablet_context *context, struct cancel *cancel,
                                         bool semi_sync) ERROR_MUST_CHECK;
/* Replica to primary. Canceled before the type changed: read-only, no source, not serving as
 * primary; SetReplicationSource and PromoteReplica both work from there. *ret_position: caller
 * frees. */
struct error *action_promote_replica(struct tablet_context *context, struct cancel *cancel,
                                     bool semi_sync, char **ret_position) ERROR_MUST_CHECK;

struct set_source_request {
    struct tablet_alias parent; /* zero: FAILED_PRECONDITION */
    int64_t time_created_ns;
    bool forces_start;
    const char *wait_position;
    bool semi_sync;
    bool leaves_semi_sync; /* shard-sync: do not touch it */
    double heartbeat_interval;
};
/* Follows `parent`, then waits for wait_position and the journal row. A PRIMARY becomes REPLICA and
 * read-only first, whatever happens afterwards. Errant transactions: FAILED_PRECONDITION, source
 * unchanged. Stop, change and start run through once begun: a cancel finds the old source or the
 * new one, never a half. Replication that already is as asked is not interrupted. */
struct error *
action_set_replication_source(struct tablet_context *context, struct cancel *cancel,
                              const struct set_source_request *request) ERROR_MUST_CHECK;
/* Status before and after stopping (the IO thread only, or both). A thread that does not run is
 * left alone: after equals before. MariaDB: positions cover what was received (hazard 29). The
 * flags of `ret_before_flags` are semi-sync's; all three are done by the caller, also set half-way.
 */
struct error *
action_stop_replication_and_get_status(struct tablet_context *context, struct cancel *cancel,
                                       bool io_thread_only, struct full_status *ret_before_flags,
                                       struct replication_status *ret_before,
                                       struct replication_status *ret_after) ERROR_MUST_CHECK;
/* Read-write on a demoted PRIMARY also ends its demotion. */
struct error *action_set_read_only(struct tablet_context *context, struct cancel *cancel,
                                   bool is_read_only) ERROR_MUST_CHECK;
struct error *action_change_type(struct tablet_context *context, struct cancel *cancel,
                                 Topodata__TabletType type, bool semi_sync) ERROR_MUST_CHECK;
/* PRIMARY without touching mysqld; REPLICA if it was PRIMARY. */
struct error *action_replica_was_promoted(struct tablet_context *context,
                                          struct cancel *cancel) ERROR_MUST_CHECK;
struct error *action_replica_was_restarted(struct tablet_context *context,
                                           struct cancel *cancel) ERROR_MUST_CHECK;

/* Start and restore: follow the shard's primary if there is one and it is not us
 * (topology-health 2.5). Refuses errant transactions. *ret_follows: whether a source was set.
 * Replication that already is as it should be is not interrupted. */
struct error *action_initialize_replication(struct tablet_context *context, struct cancel *cancel,
                                            bool *ret_follows) ERROR_MUST_CHECK;
/* Shard-sync: our term ended, another primary has a newer one. Demotes by force, then follows it
 * (zero: only becomes REPLICA). Failing to fence: still PRIMARY, to be tried again. */
struct error *action_end_term(struct tablet_context *context, struct cancel *cancel,
                              const struct tablet_alias *new_primary) ERROR_MUST_CHECK;

#endif
