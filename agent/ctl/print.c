#include "agent/ctl/print.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/json.h"

/* ---- Tables ---- */

void
table_add(struct table *table, const char *first, ...)
{
    size_t count = 0;
    va_list arguments;
    va_start(arguments, first);
    for (const char *cell = first; cell != NULL; cell = va_arg(arguments, const char *)) {
        strv_add(&table->cells, cell);
        count++;
    }
    va_end(arguments);
    if (table->columns == 0)
        table->columns = count;
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t
width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

void
table_print(const struct table *table, FILE *stream)
{
    if (table->columns == 0)
        return;
    CLEANUP(freep) size_t *widths = xcalloc(table->columns, sizeof(*widths));
    for (size_t i = 0; i < table->cells.count; i++) {
        size_t width = width_of(table->cells.items[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t i = 0; i < table->cells.count; i++) {
        const char *cell = table->cells.items[i];
        bool is_last = i % table->columns == table->columns - 1;
        fputs(cell, stream);
        if (is_last)
            fputc('\n', stream);
        else
            fprintf(stream, "%*s", (int)(widths[i % table->columns] - width_of(cell) + 2), "");
    }
}

void
table_done(struct table *table)
{
    strv_done(&table->cells);
    table->columns = 0;
}

/* ---- Simple things ---- */

void
print_message(struct ctl *ctl, const ProtobufCMessage *message)
{
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    json_append_message(&json, message, 0);
    fprintf(ctl->out, "%s\n", buffer_text(&json));
}

void
print_names(struct ctl *ctl, const struct strv *names)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    if (ctl->options.wants_json)
        buffer_append_char(&text, '[');
    for (size_t i = 0; i < names->count; i++) {
        if (ctl->options.wants_json) {
            buffer_append_text(&text, i == 0 ? "\n  " : ",\n  ");
            buffer_append_json_string(&text, names->items[i]);
        } else {
            buffer_appendf(&text, "%s\n", names->items[i]);
        }
    }
    if (ctl->options.wants_json)
        buffer_append_text(&text, names->count > 0 ? "\n]\n" : "]\n");
    fputs(buffer_text(&text), ctl->out);
}

char *
time_text(const Vttime__Time *time)
{
    int64_t ns = record_time_ns(time);
    char text[32] = "";
    if (ns != 0)
        clock_format_rfc3339(ns, text);
    return xstrdup(text);
}

/* ---- Tablets ---- */

static char *
host_and_port(const char *host, int port)
{
    if (str_is_empty(host))
        return xstrdup("-");
    bool is_v6 = strchr(host, ':') != NULL;
    return xasprintf("%s%s%s:%d", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

char *
tablet_web_address(const Topodata__Tablet *tablet)
{
    int port = tablet_port(tablet, "vt");
    return host_and_port(tablet->hostname, port != 0 ? port : tablet_port(tablet, "grpc"));
}

char *
tablet_mysql_address(const Topodata__Tablet *tablet)
{
    int port = tablet->mysql_port != 0 ? tablet->mysql_port : tablet_port(tablet, "mysql");
    const char *host =
        str_is_empty(tablet->mysql_hostname) ? tablet->hostname : tablet->mysql_hostname;
    return host_and_port(host, port);
}

char *
tablet_tags(const Topodata__Tablet *tablet)
{
    CLEANUP(strv_done) struct strv tags = {0};
    for (size_t i = 0; i < tablet->n_tags; i++) {
        struct buffer tag = BUFFER_INIT;
        buffer_appendf(&tag, "%s: ", tablet->tags[i]->key);
        buffer_append_json_string(&tag, tablet->tags[i]->value);
        strv_add_take(&tags, buffer_take(&tag));
    }
    strv_sort(&tags);
    CLEANUP(freep) char *joined = strv_join(&tags, " ");
    return xasprintf("[%s]", joined == NULL ? "" : joined);
}

char *
tablet_line(const Topodata__Tablet *tablet)
{
    CLEANUP(freep) char *web = tablet_web_address(tablet);
    CLEANUP(freep) char *mysql = tablet_mysql_address(tablet);
    CLEANUP(freep) char *tags = tablet_tags(tablet);
    return xasprintf("%s %s %s %s %s %s %s", alias_text_of(tablet).text, tablet->keyspace,
                     tablet->shard, tablet_type_name(tablet->type), web, mysql, tags);
}

static void
print_tablets_json(struct ctl *ctl, const struct tablet_list *list)
{
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    buffer_append_char(&json, '[');
    for (size_t i = 0; i < list->count; i++) {
        buffer_append_text(&json, i == 0 ? "\n  " : ",\n  ");
        json_append_message(&json, &list->items[i]->base, 2);
    }
    buffer_append_text(&json, list->count > 0 ? "\n]\n" : "]\n");
    fputs(buffer_text(&json), ctl->out);
}

void
print_tablets(struct ctl *ctl, const struct tablet_list *list)
{
    if (ctl->options.wants_json) {
        print_tablets_json(ctl, list);
        return;
    }
    CLEANUP(table_done) struct table table = {0};
    table_add(&table, "ALIAS", "KEYSPACE", "SHARD", "TYPE", "ADDRESS", "MYSQL", "TAGS",
              "PRIMARY SINCE", NULL);
    for (size_t i = 0; i < list->count; i++) {
        const Topodata__Tablet *tablet = list->items[i];
        CLEANUP(freep) char *web = tablet_web_address(tablet);
        CLEANUP(freep) char *mysql = tablet_mysql_address(tablet);
        CLEANUP(freep) char *tags = tablet_tags(tablet);
        CLEANUP(freep)
        char *since = tablet->type == TOPODATA__TABLET_TYPE__PRIMARY
                          ? time_text(tablet->primary_term_start_time)
                          : xstrdup("");
        table_add(&table, alias_text_of(tablet).text, tablet->keyspace, tablet->shard,
                  tablet_type_name(tablet->type), web, mysql, tags, since, NULL);
    }
    table_print(&table, ctl->out);
}
