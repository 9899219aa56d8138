/* The parts of /debug/status in HTML. Each adds one section, or nothing. */
#ifndef VTAGENT_WEB_STATUS_H
#define VTAGENT_WEB_STATUS_H

#include "agent/web/frame.h"
#include "agent/web/pages.h"

struct page page_status_html(const struct pages_picture *picture, struct buffer *body);

/* ---- status_head.c ---- */
enum tone status_tone(const struct pages_picture *picture);
void status_add_head(const struct pages_picture *picture, struct buffer *html);
void status_add_problems(const struct pages_picture *picture, struct buffer *html);
void status_add_identity(const struct pages_picture *picture, struct buffer *html);
/* ---- status_shard.c ---- */
void status_add_shard(const struct pages_picture *picture, struct buffer *html);
/* ---- status_replication.c ---- */
void status_add_replication(const struct pages_picture *picture, struct buffer *html);
/* ---- status_jobs.c ---- */
void status_add_live_jobs(const struct pages_picture *picture, struct buffer *html);
void status_add_ended_jobs(const struct pages_picture *picture, struct buffer *html);
/* ---- status_backups.c ---- */
void status_add_backups(const struct pages_picture *picture, struct buffer *html);
/* ---- status_facts.c ---- */
void status_add_facts(const struct pages_picture *picture, struct buffer *html);
void status_add_changes(const struct pages_picture *picture, struct buffer *html);

/* ---- Pieces ---- */
/* <section> with a heading; the note (HTML escaped, "" none) stands beside it. */
void status_section(struct buffer *html, const char *id, const char *title, const char *note);
/* <dt> and <dd> of a list. */
void status_row(struct buffer *html, const char *name, const char *value);

/* ---- chart.c ---- */
/* The last hour's lag as a line, with its scale; says that nothing is known when it is so. */
void chart_add_lag(struct buffer *html, const struct lag_history *history, int64_t now_ms);

/* ---- diagram.c ---- */
/* The states and the ways between them, drawn. */
void diagram_add(struct buffer *html, enum tablet_state now);

#endif
