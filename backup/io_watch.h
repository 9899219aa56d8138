/* Watches calls that a mount may never let return: who waits for what, and since when. A thread of
 * its own tells, once, that one of them takes too long; the call itself cannot be ended. */
#ifndef VTAGENT_BACKUP_IO_WATCH_H
#define VTAGENT_BACKUP_IO_WATCH_H

#include <stdint.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

struct io_watch;
/* "backup storage '/b' does not answer: sync '/b/ks/0/…/3' has taken 120 s so far; …". On the
 * watch's thread, at most once; the waiting call still waits. */
typedef void (*io_watch_function)(const char *text, void *data);
struct io_watch_options {
    const char *name;   /* of the storage, for the text; copied */
    int64_t timeout_ms; /* that one call may take */
    /* Once this token has ended, a call may take only cancel_ms; NULL: no such token. Borrowed. */
    struct cancel *cancel;
    int64_t cancel_ms;
    io_watch_function on_stuck;
    void *data;
};
struct error *io_watch_new(const struct io_watch_options *options,
                           struct io_watch **ret_watch) ERROR_MUST_CHECK;
/* NULL is fine. No call may be under way. */
void io_watch_free(struct io_watch *watch);

/* Around each call; `call` lives on the caller's stack, the texts as long as it. NULL watch:
 * nothing. Any thread; errno stays. */
struct io_call {
    const char *verb, *path; /* "sync", "/b/ks/0/…/3" */
    int64_t start_ms;
    struct io_call *previous, *next;
};
void io_watch_begin(struct io_watch *watch, struct io_call *call, const char *verb,
                    const char *path);
void io_watch_end(struct io_watch *watch, struct io_call *call);

#endif
