/* The tablet's fields. Loop thread only, but for those above the line. */
#ifndef VTAGENT_TABLET_TABLET_PRIVATE_H
#define VTAGENT_TABLET_TABLET_PRIVATE_H

#include "agent/tablet/tablet_internal.h"

struct tablet {
    struct tablet_options options; /* set once */
    char *database_override, *charset;
    struct tablet_context *context;
    /* ---- owned by the loop's thread ---- */
    struct tablet_role role;
    bool is_healthy, is_disk_stalled;
    int64_t data_as_of_ms;
    char health_reason[256];
    bool is_backup_running, must_catch_up;
    int32_t mysql_port;
    bool is_mariadb;
    int64_t shutdown_time_ns;
    struct strv tag_names, tag_values;
    struct tablet_transition history[TABLET_HISTORY];
    size_t history_count;
    /* publish.c */
    bool is_publishing; /* changes may be written */
    bool was_taken_over;
    char publish_error[256];
    struct loop_timer *publish_timer;
    bool is_publish_running; /* a background attempt */
    uint64_t publish_number; /* of the newest attempt */
};

/* What the record shall say now; borrows from the tablet. Loop thread. */
struct tablet_facts tablet_facts_now(const struct tablet *tablet);
/* Remembers a line for the status page, and logs it. Loop thread. */
void tablet_remember(struct tablet *tablet, const char *text);

#endif
