/* Steps that several actions share. Action thread. */
#ifndef VTAGENT_ACTIONS_STEPS_H
#define VTAGENT_ACTIONS_STEPS_H

#include "agent/actions/actions.h"
#include "agent/actions/dba.h"

/* Stop and start with their hooks. */
struct error *step_stop(struct tablet_context *context, struct db *db,
                        struct cancel *cancel) ERROR_MUST_CHECK;
struct error *step_start(struct tablet_context *context, struct db *db,
                         struct cancel *cancel) ERROR_MUST_CHECK;
/* The executed set as text; caller frees. */
struct error *step_executed_text(struct db *db, struct cancel *cancel,
                                 char **ret_text) ERROR_MUST_CHECK;
/* The type now. */
Topodata__TabletType step_type(struct tablet_context *context);
/* tablet_change_type, refused once the cancel has ended, else run through: memory, server and
 * record must not disagree because a caller went away. */
struct error *step_change_type(struct tablet_context *context, struct cancel *cancel,
                               Topodata__TabletType type, enum tablet_write write,
                               enum semi_sync_action action) ERROR_MUST_CHECK;
/* A PRIMARY becomes REPLICA (semi-sync is left to the caller) and its demotion ends. */
struct error *step_leave_primary(struct tablet_context *context,
                                 struct cancel *cancel) ERROR_MUST_CHECK;
void step_end_demotion(struct tablet_context *context);
/* CHANGE … TO with our replication account; heartbeat 0: leave alone. */
struct error *step_change_source(struct tablet_context *context, struct db *db,
                                 struct cancel *cancel, const Topodata__Tablet *parent,
                                 double heartbeat_interval) ERROR_MUST_CHECK;

#endif
