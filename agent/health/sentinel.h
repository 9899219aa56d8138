/* Notices mysqld's end at once: a connection on which nothing is ever asked, watched by the loop.
 * The kernel closes it when the process ends, in whatever container or machine that is. */
#ifndef VTAGENT_HEALTH_SENTINEL_H
#define VTAGENT_HEALTH_SENTINEL_H

#include "agent/tablet/tablet.h"

struct sentinel;
/* on_event(data), on the loop's thread: the connection broke (the server ended, or only threw it
 * out). */
struct error *sentinel_new(struct tablet_context *context, void (*on_event)(void *data), void *data,
                           struct sentinel **ret_sentinel) ERROR_MUST_CHECK;
/* The server answers: connects if there is no connection. Loop thread; the connecting is done by a
 * thread of its own. */
void sentinel_keep(struct sentinel *sentinel);
void sentinel_end(struct sentinel *sentinel);  /* loop thread: no more events; NULL is fine */
void sentinel_free(struct sentinel *sentinel); /* after the loop ended */

#endif
