#include <ctype.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/supervisor/proof.h"

/* Settings of the tablet that must not reach the server on the image: statements at its start, and
 * memory that is the running server's. */
static const char *const dropped[] = {
    "init-file",
    "init_file",
    "large-pages",
    "large_pages",
    "memlock",
    "daemonize",
    "innodb-numa-interleave",
    "innodb_numa_interleave",
    "wsrep-on",
    "wsrep_on",
};

static bool
is_dropped(const char *line)
{
    while (isspace((unsigned char)*line))
        line++;
    size_t length = strcspn(line, "= \t\r");
    for (size_t i = 0; i < ARRAY_LENGTH(dropped); i++) {
        if (strlen(dropped[i]) == length && strncmp(line, dropped[i], length) == 0)
            return true;
    }
    return false;
}

static void
add_tablets_own(struct buffer *text, const char *my_cnf_text)
{
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    strv_split(&lines, my_cnf_text, '\n');
    for (size_t i = 0; i < lines.count; i++) {
        if (!is_dropped(lines.items[i]))
            buffer_appendf(text, "%s\n", lines.items[i]);
    }
}

static const char *
folder_of(const struct image_places *places, const char *source)
{
    for (size_t i = 0; i < places->root_count; i++) {
        if (strcmp(places->roots[i].source, source) == 0)
            return places->roots[i].target;
    }
    return "data";
}

static void
add_places(struct buffer *text, const struct proof_request *request, const char *image_path)
{
    CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
    struct error *error = image_places_read(request->layout, request->my_cnf_text, &places);
    const char *innodb_data = "data", *innodb_logs = "data", *undo = "data";
    if (error == NULL) {
        innodb_data = folder_of(&places, places.innodb_data);
        innodb_logs = folder_of(&places, places.innodb_logs);
        undo = folder_of(&places, places.undo);
    }
    error_free(error); /* an image could be made, so they could be read */
    buffer_appendf(text, "datadir = %s/data\ninnodb_data_home_dir = %s/%s\n", image_path,
                   image_path, innodb_data);
    buffer_appendf(text, "innodb_log_group_home_dir = %s/%s\n", image_path, innodb_logs);
    buffer_appendf(text, "loose_innodb_undo_directory = %s/%s\n", image_path, undo);
    buffer_appendf(text, "loose_aria_log_dir_path = %s/data\n", image_path);
}

static void
add_own_files(struct buffer *text, const struct layout *layout, const char *image_path)
{
    buffer_appendf(text, "socket = %s/proof.sock\npid-file = %s/proof.pid\n", layout->directory,
                   image_path);
    buffer_appendf(text, "log-error = %s/proof.log\ntmpdir = %s\n", image_path, layout->tmp);
    buffer_appendf(text, "relay-log = %s/proof-relay\nrelay-log-index = %s/proof-relay.index\n",
                   image_path, image_path);
    buffer_appendf(text, "loose_relay_log_info_file = %s/proof-relay.info\n", image_path);
}

char *
proof_config(const struct proof_request *request, const char *image_path)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    if (request->my_cnf_text != NULL)
        add_tablets_own(&text, request->my_cnf_text);
    buffer_append_text(&text, "\n[mysqld]\n");
    add_places(&text, request, image_path);
    add_own_files(&text, request->layout, image_path);
    buffer_append_text(&text, "skip-networking\n"
                              "skip-log-bin\n"
                              "loose_skip_replica_start\n"
                              "loose_skip_slave_start\n"
                              "loose_relay_log_recovery = 0\n"
                              "loose_mysqlx = 0\n"
                              "slow-query-log = 0\n"
                              "general-log = 0\n"
                              "loose_event_scheduler = OFF\n"
                              "performance_schema = OFF\n"
                              "max_connections = 20\n"
                              "innodb_buffer_pool_size = 64M\n"
                              "innodb_buffer_pool_load_at_startup = 0\n"
                              "innodb_buffer_pool_dump_at_shutdown = 0\n"
                              "loose_key_buffer_size = 1M\n"
                              "loose_aria_pagecache_buffer_size = 8M\n"
                              /* With it each thread ends up to half a second later. */
                              "loose_innodb_use_native_aio = 0\n"
                              "innodb_fast_shutdown = 1\n");
    return buffer_take(&text);
}
