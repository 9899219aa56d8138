/* What the verbs print: tables for people, JSON for machines. */
#ifndef VTAGENT_CTL_PRINT_H
#define VTAGENT_CTL_PRINT_H

#include "agent/ctl/session.h"

/* A table of texts, all rows with as many cells as the first. */
struct table {
    size_t columns;
    struct strv cells;
};
/* The first row is the heading. */
void table_add(struct table *table, const char *first, ...) __attribute__((sentinel));
/* Columns padded to their widest cell, two blanks between; nothing for an empty table. */
void table_print(const struct table *table, FILE *stream);
void table_done(struct table *table);

/* The message as JSON and a newline. */
void print_message(struct ctl *ctl, const ProtobufCMessage *message);
/* One name a line, or a JSON list with --json. */
void print_names(struct ctl *ctl, const struct strv *names);
/* Vitess's line: alias keyspace shard type host:port mysqlhost:port [tags]; caller frees. */
char *tablet_line(const Topodata__Tablet *tablet);
/* Its pieces; caller frees. */
char *tablet_web_address(const Topodata__Tablet *tablet);
char *tablet_mysql_address(const Topodata__Tablet *tablet);
char *tablet_tags(const Topodata__Tablet *tablet); /* "[k: \"v\"]" */
/* "2026-11-23T05:55:42Z", "" for none; caller frees. */
char *time_text(const Vttime__Time *time);
/* Lists of tablets: a table, or JSON. */
void print_tablets(struct ctl *ctl, const struct tablet_list *list);

#endif
