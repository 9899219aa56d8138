/* The tablet's inside, for this folder and the daemon: making it, its record, what health found. */
#ifndef VTAGENT_TABLET_TABLET_INTERNAL_H
#define VTAGENT_TABLET_TABLET_INTERNAL_H

#include "agent/tablet/record.h"
#include "agent/tablet/states.h"
#include "agent/tablet/tablet.h"

struct tablet_options {
    struct loop *loop;
    const struct tablet_identity *identity;
    const char *database_override, *charset;
    const struct strv *tag_names, *tag_values; /* copied; sorted by name */
    int32_t mysql_port;                        /* configured, or 0 */
    int64_t start_time_ns;
    int64_t publish_retry_ms; /* 0: 30 s */
    /* Our record was deleted by an administrator: the process shall end. Any thread. */
    void (*on_record_deleted)(void *data);
    void *on_record_deleted_data;
    /* A health check is wanted now. Any thread. */
    void (*on_health_wanted)(void *data);
    void *on_health_wanted_data;
    /* Somebody asks for the lag. Any thread. */
    void (*on_heartbeats_wanted)(void *data);
    void *on_heartbeats_wanted_data;
};
struct tablet *tablet_new(const struct tablet_options *options);
void tablet_free(struct tablet *tablet); /* after the loop ended */
/* Tells it the context (which holds the tablet), once, before other threads start. */
void tablet_bind(struct tablet *tablet, struct tablet_context *context);
/* Stops the retry timer; loop thread, before the loop ends. */
void tablet_stop_publishing(struct tablet *tablet);

/* ---- State; any thread but the pump's (waits for the loop). ---- */
struct error *tablet_walk(struct tablet_context *context, enum tablet_event event,
                          Topodata__TabletType type, int64_t term_start_ns) ERROR_MUST_CHECK;
struct error *tablet_check_event(struct tablet_context *context,
                                 enum tablet_event event) ERROR_MUST_CHECK;
enum tablet_state tablet_get_state(struct tablet *tablet);

/* Found by asking mysqld: 0 leaves the port, collation follows the dialect. */
void tablet_set_server(struct tablet_context *context, int32_t mysql_port, bool is_mariadb);
/* Health's verdict; logged once when it changes. Any thread. */
void tablet_set_health(struct tablet_context *context, bool is_serving, const char *reason,
                       bool is_disk_stalled);
void tablet_set_caught_up(struct tablet_context *context);

/* ---- Transitions shown on the status page. ---- */
#define TABLET_HISTORY 50
struct tablet_transition {
    int64_t time_ns;
    char text[320];
};
/* Everything a page shows. */
struct tablet_view {
    struct tablet_snapshot snapshot;
    enum tablet_state state;
    bool must_catch_up;                               /* restored, and has not caught up yet */
    struct tablet_transition history[TABLET_HISTORY]; /* newest first */
    size_t history_count;
    bool is_published;
    char publish_error[256]; /* "" when the record is up to date */
};
void tablet_get_view(struct tablet *tablet, struct tablet_view *ret_view); /* loop thread */

/* ---- Publishing (publish.c) ---- */
/* A record of the state now. */
struct error *tablet_make_record(struct tablet *tablet,
                                 Topodata__Tablet **ret_record) ERROR_MUST_CHECK;
/* Start step: creates or overwrites the record, then lets changes be published. Action thread. */
struct error *tablet_start_publishing(struct tablet_context *context,
                                      struct cancel *cancel) ERROR_MUST_CHECK;
/* Writes the whole record if it is ours. When that fails, it is tried again in the background until
 * it works or a later change is published. Any worker. */
struct error *tablet_publish(struct tablet_context *context,
                             struct cancel *cancel) ERROR_MUST_CHECK;
/* The same, only in the background. Any thread. */
void tablet_publish_later(struct tablet_context *context);
/* The role with a new term, before it is taken: the record is written with it and re-read until its
 * fate is known. Action thread. */
struct error *tablet_publish_term(struct tablet_context *context, struct cancel *cancel,
                                  int64_t term_start_ns) ERROR_MUST_CHECK;
/* Clean stop: takes the addresses out of the record. */
struct error *tablet_unpublish(struct tablet_context *context,
                               struct cancel *cancel) ERROR_MUST_CHECK;
bool tablet_is_published(struct tablet *tablet);

#endif
