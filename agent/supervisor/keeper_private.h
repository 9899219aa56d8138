/* Inside of the keeper, shared by keeper*.c. */
#ifndef VTAGENT_SUPERVISOR_KEEPER_PRIVATE_H
#define VTAGENT_SUPERVISOR_KEEPER_PRIVATE_H

#include <stdatomic.h>

#include "agent/supervisor/keeper.h"
#include "agent/supervisor/mysqld.h"
#include "agent/supervisor/restart_limit.h"

struct keeper {
    struct loop *loop;
    struct worker *actions;
    const struct layout *layout;
    const struct server_binary *server;
    const struct supervisor_options *options;
    struct cancel *stopping;
    /* action worker */
    struct mysqld mysqld;
    bool wants_running; /* a death is answered by a start */
    atomic_bool is_booted;
    struct restart_limit limit;
    /* quick worker */
    bool was_probed;
    char *freeze_problem; /* NULL: none */
    /* loop */
    struct loop_watch *watch;
    int watch_descriptor; /* the watch's own pidfd */
    struct loop_timer *restart_timer;
    struct keeper_status status;
};

/* [action] keeper_watch.c: tells the loop which process to watch and publishes it. */
void keeper_watch(struct keeper *keeper);
void keeper_publish_exit(struct keeper *keeper, const char *why, bool is_restarted);
void keeper_schedule_restart(struct keeper *keeper, int64_t delay_ms); /* < 0: cancels it */
void keeper_on_restart_timer(void *data);

/* [action] keeper_config.c: writes my.cnf for this server id when it differs from what is there
 * (kept as my.cnf.previous), and reads paths and port back from it. */
struct error *keeper_write_config(struct keeper *keeper, uint32_t server_id) ERROR_MUST_CHECK;
/* [action] Takes paths and port from the my.cnf that is there, if any. */
void keeper_load_config(struct keeper *keeper);
/* [action] The id in my.cnf; 0 when there is none. */
uint32_t keeper_server_id(const struct keeper *keeper);

/* [action] Jobs for the worker. */
void keeper_job_ended(void *keeper);
void keeper_job_restart(void *keeper);

#endif
