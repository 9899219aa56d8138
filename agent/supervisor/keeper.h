/* The keeper: one mysqld that is to run, or not to run, and what is done about it.
 *
 * Functions marked [action] run on the supervisor's action worker, one after the other; they own
 * the process and the decision whether it is wanted. The loop owns the watch, the restart timer and
 * the published status. */
#ifndef VTAGENT_SUPERVISOR_KEEPER_H
#define VTAGENT_SUPERVISOR_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/base/loop.h"
#include "agent/base/worker.h"
#include "agent/supervisor/freeze.h"
#include "agent/supervisor/layout.h"
#include "agent/supervisor/server_binary.h"
#include "agent/supervisor/supervisor_options.h"

struct keeper;

/* The arguments are borrowed and outlive the keeper. Before the loop runs. */
struct keeper *keeper_new(struct loop *loop, struct worker *actions, const struct layout *layout,
                          const struct server_binary *server,
                          const struct supervisor_options *options);
/* After the action worker has ended. Leaves mysqld alone. */
void keeper_free(struct keeper *keeper);

/* [action] The first thing: adopts a running server, or initialises an empty folder (from scratch
 * when an earlier initialisation was killed) and starts one; leaves a folder with a restore in
 * progress alone. A server that dies while starting is started again like one that dies later. The
 * error of a folder that cannot be used or of a port that is taken ends the program. */
struct error *keeper_boot(struct keeper *keeper) ERROR_MUST_CHECK;
/* [action] The last thing: stops mysqld. */
struct error *keeper_stop(struct keeper *keeper, int64_t timeout_ms) ERROR_MUST_CHECK;
/* Ends waits of keeper_boot and keeper_start, refuses later starts. Any thread. */
void keeper_request_stop(struct keeper *keeper);

/* [action] For the RPCs of the same names. Start without arguments of a running server is fine. A
 * server started without arguments is wanted from then on: a death, even during this start, is
 * answered by another start. Timeouts do not end what was begun, only the wait. */
struct error *keeper_start(struct keeper *keeper, char *const *arguments, size_t count,
                           int64_t timeout_ms) ERROR_MUST_CHECK;
struct error *keeper_shutdown(struct keeper *keeper, bool waits,
                              int64_t timeout_ms) ERROR_MUST_CHECK;
struct error *keeper_upgrade(struct keeper *keeper, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *keeper_refresh_config(struct keeper *keeper) ERROR_MUST_CHECK;
struct error *keeper_reinit_config(struct keeper *keeper) ERROR_MUST_CHECK;
/* [action] The server's process now; 0: none. */
int64_t keeper_pid(struct keeper *keeper);

/* ---- Images of the running server, keeper_image.c ---- */
/* [action] Pauses mysqld and makes the image of that name, in place of an earlier one.
 * FAILED_PRECONDITION when no ordinary server runs. *ret_path: its folder; caller frees. */
struct error *keeper_freeze(struct keeper *keeper, const char *image_name, int64_t most_pause_ms,
                            struct cancel *cancel, char **ret_path,
                            struct freeze_result *ret_result) ERROR_MUST_CHECK;
/* Why images cannot be made, NULL when they can; found out once, and again when asked. One thread
 * (the quick worker). Caller frees. */
char *keeper_freeze_problem(struct keeper *keeper, bool probes_again);
/* The text of my.cnf, NULL when there is none. Caller frees. Any thread. */
char *keeper_config_text(const struct keeper *keeper);

/* What others may know. Any thread but the loop's callers wait for it. */
struct keeper_status {
    bool is_booted; /* the first start is over: from now on a death is answered by another start */
    int64_t pid, restarts;
    char *last_exit; /* never NULL */
    char *socket;
};
void keeper_get_status(struct keeper *keeper, struct keeper_status *ret_status);
void keeper_status_done(struct keeper_status *status);

const struct layout *keeper_layout(const struct keeper *keeper);
const struct server_binary *keeper_server(const struct keeper *keeper);
const struct supervisor_options *keeper_options(const struct keeper *keeper);

#endif
