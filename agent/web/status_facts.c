/* What was measured, each with its age, and what changed lately. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"

#define CHANGES_SHOWN 8

/* ---- Measurements ---- */

struct facts_list {
    const struct health_view *health;
    int64_t now_ns;
    struct buffer *html;
};

static void add_fact(const struct facts_list *list, const char *name, int64_t measured_ms,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Nothing for what was never measured. */
static void
add_fact(const struct facts_list *list, const char *name, int64_t measured_ms, const char *format,
         ...)
{
    char age[48];
    if (measured_ms == 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *text = xvasprintf(format, arguments);
    va_end(arguments);
    html_add(list->html, "<dt>", name, "</dt>");
    html_add(list->html, "<dd>", text, "");
    html_add(list->html, " <i>", html_since(list->health->now_ms - measured_ms, age),
             "</i></dd>\n");
}

static void
add_server(const struct facts_list *list)
{
    const struct health_server *server = &list->health->facts.server;
    add_fact(list, "mysqld", server->measured_ms, "%s",
             !server->answers       ? server->error
             : server->is_read_only ? "answers, read-only"
                                    : "answers, writable");
}

static void
add_disk(const struct facts_list *list)
{
    const struct health_disk *disk = &list->health->facts.disk;
    char free_text[32], total_text[32];
    if (disk->space_error[0] != '\0')
        add_fact(list, "disk", disk->measured_ms, "%s", disk->space_error);
    else
        add_fact(list, "disk", disk->measured_ms, "%s free of %s",
                 html_size(disk->free_bytes, free_text), html_size(disk->total_bytes, total_text));
    if (disk->write_error[0] != '\0')
        add_fact(list, "durable write", disk->written_ms, "%s", disk->write_error);
    else
        add_fact(list, "durable write", disk->written_ms, "took %" PRId64 " ms",
                 disk->write_duration_ms);
}

static void
add_memory(const struct facts_list *list)
{
    const struct health_memory *memory = &list->health->facts.memory;
    char used[32], limit[32];
    if (memory->limit_bytes != 0)
        add_fact(list, "memory", memory->measured_ms, "%s of %s, waiting %.0f %% of the time",
                 html_size(memory->used_bytes, used), html_size(memory->limit_bytes, limit),
                 memory->stalled_percent);
    else
        add_fact(list, "memory", memory->measured_ms, "waiting %.0f %% of the time",
                 memory->stalled_percent);
}

static void
add_certificate(const struct facts_list *list)
{
    const struct health_certificate *certificate = &list->health->facts.certificate;
    char left[32];
    if (certificate->error[0] != '\0') {
        add_fact(list, "certificate", certificate->measured_ms, "%s", certificate->error);
    } else if (certificate->expires_ns != 0) {
        int64_t left_ms = (certificate->expires_ns - list->now_ns) / 1000000;
        add_fact(list, "certificate", certificate->measured_ms, "%s%s: %s",
                 left_ms > 0 ? "expires in " : "expired",
                 left_ms > 0 ? health_duration(left_ms, left) : "", certificate->file);
    }
}

static void
add_topology(const struct facts_list *list)
{
    const struct health_published *published = &list->health->facts.published;
    if (published->failing_since_ms != 0)
        add_fact(list, "etcd", published->failing_since_ms, "does not take our document: %s",
                 published->error);
    else
        add_fact(list, "etcd", published->written_ms, "has our document");
    const struct health_source *source = &list->health->facts.source;
    if (source->is_known)
        add_fact(list, "primary says", source->measured_ms, "%s %s", source->alias,
                 source->is_serving ? "serves" : "does not serve");
}

void
status_add_facts(const struct pages_picture *picture, struct buffer *html)
{
    struct facts_list list = {&picture->health, picture->now_ns, html};
    status_section(html, "facts", "Measured", "");
    buffer_append_text(html, "<dl>\n");
    add_server(&list);
    add_disk(&list);
    add_memory(&list);
    add_certificate(&list);
    add_topology(&list);
    buffer_append_text(html, "</dl>\n</section>\n");
}

/* ---- Changes ---- */

static void
add_change(const struct tablet_transition *change, int64_t now_ns, struct buffer *html)
{
    char time[32];
    clock_format_rfc3339(change->time_ns, time);
    bool is_today = now_ns - change->time_ns < INT64_C(86400) * 1000000000;
    buffer_appendf(html, "<li><time datetime=\"%s\">%.*s</time>", time, is_today ? 8 : 10,
                   is_today ? time + strlen("2026-11-23T") : time);
    html_add(html, "<span>", change->text, "</span></li>\n");
}

void
status_add_changes(const struct pages_picture *picture, struct buffer *html)
{
    const struct tablet_view *view = &picture->view;
    size_t shown = view->history_count < CHANGES_SHOWN ? view->history_count : CHANGES_SHOWN;
    status_section(html, "changes", "Last changes", "UTC");
    if (view->history_count == 0)
        buffer_append_text(html, "<p class=\"quiet\">None yet.</p>\n");
    buffer_append_text(html, "<ol class=\"changes\">\n");
    for (size_t i = 0; i < shown; i++)
        add_change(&view->history[i], picture->now_ns, html);
    buffer_append_text(html, "</ol>\n");
    if (view->history_count > shown) {
        buffer_appendf(html, "<details><summary>%zu before</summary>\n<ol class=\"changes\">\n",
                       view->history_count - shown);
        for (size_t i = shown; i < view->history_count; i++)
            add_change(&view->history[i], picture->now_ns, html);
        buffer_append_text(html, "</ol></details>\n");
    }
    buffer_append_text(html, "</section>\n");
}
