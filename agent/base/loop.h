/* The event loop (libevent inside) and the mailbox into it. The loop's thread owns the tablet's
 * state; everybody else sends it tasks. */
#ifndef VTAGENT_BASE_LOOP_H
#define VTAGENT_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"

struct loop;
struct loop_timer;
struct event_base;

typedef void (*loop_function)(void *data);

struct error *loop_new(struct loop **ret_loop) ERROR_MUST_CHECK;
void loop_free(struct loop *loop);

/* Runs on the calling thread, which becomes the loop's, until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread */

/* Any thread: function(data) runs on the loop's thread, in order of posting. A callback longer than
 * 100 ms is logged with `name` (static text). */
void loop_post(struct loop *loop, const char *name, loop_function function, void *data);
/* Any thread: runs it on the loop's thread and waits until it is done. Directly when called from
 * the loop's thread; and when the loop does not run any more, on the caller's. */
void loop_call(struct loop *loop, const char *name, loop_function function, void *data);

/* Loop thread only. */
struct loop_timer *loop_timer_new(struct loop *loop, const char *name, loop_function function,
                                  void *data);
void loop_timer_start(struct loop_timer *timer, int64_t delay_ms); /* once; restarts */
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Before loop_run(): function(data) on the loop's thread when the signal arrives. */
struct error *loop_on_signal(struct loop *loop, int signal_number, loop_function function,
                             void *data) ERROR_MUST_CHECK;
/* Calls function each time the descriptor is readable, until loop_unwatch. Loop thread. */
struct loop_watch;
struct loop_watch *loop_watch_readable(struct loop *loop, int descriptor, loop_function function,
                                       void *data);
void loop_unwatch(struct loop_watch *watch);

bool loop_is_current(const struct loop *loop);
void loop_assert(const struct loop *loop); /* aborts off the loop's thread, in debug builds */

/* For evhttp: the libevent base. Loop thread, agent/web only. */
struct event_base *loop_event_base(struct loop *loop);

#endif
