/* The tablet's multi-step actions, as ordinary sequential code. Every function runs on the action
 * thread (that is the action lock), takes a token with the caller's deadline and leaves the tablet
 * in the state its contract names, also when canceled half-way. Source:
 * tablet-manager-rpc 2.1, 2.2. */
#ifndef VTAGENT_ACTIONS_ACTIONS_H
#define VTAGENT_ACTIONS_ACTIONS_H

#include "agent/tablet/tablet.h"
#include "replication/status.h"

struct error *action_stop_replication(struct tablet_context *context,
                                      struct cancel *cancel) ERROR_MUST_CHECK;
struct error *action_start_replication(struct tablet_context *context, struct cancel *cancel,
                                       bool semi_sync) ERROR_MUST_CHECK;
struct error *action_reset_replication(struct tablet_context *context,
                                       struct cancel *cancel) ERROR_MUST_CHECK;
struct error *action_reset_replication_parameters(struct tablet_context *context,
                                                  struct cancel *cancel) ERROR_MUST_CHECK;
struct error *action_init_primary(struct tablet_context *context, struct cancel *cancel,
                                  bool semi_sync, char **ret_position) ERROR_MUST_CHECK;
struct error *action_init_replica(struct tablet_context *context, struct cancel *cancel,
                                  const struct tablet_alias *parent, const char *position,
                                  int64_t time_created_ns, bool semi_sync) ERROR_MUST_CHECK;
/* Fills the status (done by the caller). Idempotent; undone on failure. */
struct error *action_demote_primary(struct tablet_context *context, struct cancel *cancel,
                                    bool is_forced,
                                    struct primary_status *ret_status) ERROR_MUST_CHECK;
struct error *action_undo_demote_primary(struct tablet_context *context, struct cancel *cancel,
                                         bool semi_sync) ERROR_MUST_CHECK;
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
struct error *
action_set_replication_source(struct tablet_context *context, struct cancel *cancel,
                              const struct set_source_request *request) ERROR_MUST_CHECK;
struct error *
action_stop_replication_and_get_status(struct tablet_context *context, struct cancel *cancel,
                                       bool io_thread_only, struct full_status *ret_before_flags,
                                       struct replication_status *ret_before,
                                       struct replication_status *ret_after) ERROR_MUST_CHECK;
struct error *action_set_read_only(struct tablet_context *context, struct cancel *cancel,
                                   bool is_read_only) ERROR_MUST_CHECK;
struct error *action_change_type(struct tablet_context *context, struct cancel *cancel,
                                 Topodata__TabletType type, bool semi_sync) ERROR_MUST_CHECK;
/* Start and restore: follow the shard's primary if there is one and it is not us
 * (topology-health 2.5). Refuses errant transactions. *ret_follows: whether a source was set. */
struct error *action_initialize_replication(struct tablet_context *context, struct cancel *cancel,
                                            bool *ret_follows) ERROR_MUST_CHECK;
/* Shard-sync: our term ended, another primary has a newer one. */
struct error *action_end_term(struct tablet_context *context, struct cancel *cancel,
                              const struct tablet_alias *new_primary) ERROR_MUST_CHECK;

#endif
