#include "agent/supervisor/mycnf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"

#define EXTRA_LIMIT_BYTES (1u << 20)

static void
add(struct buffer *text, const char *key, const char *value)
{
    buffer_appendf(text, "%s = %s\n", key, value);
}

static void
add_paths(struct buffer *text, const struct mycnf_inputs *inputs)
{
    const struct layout *layout = inputs->layout;
    buffer_appendf(text, "server-id = %u\nport = %lld\n", inputs->server_id,
                   (long long)inputs->port);
    add(text, "socket", layout->socket);
    add(text, "pid-file", layout->pid_file);
    add(text, "datadir", layout->data);
    add(text, "innodb_data_home_dir", layout->innodb_data);
    add(text, "innodb_log_group_home_dir", layout->innodb_logs);
    add(text, "tmpdir", layout->tmp);
    add(text, "secure-file-priv", layout->tmp);
    add(text, "log-error", layout->error_log);
    add(text, "slow-query-log-file", layout->slow_log);
    add(text, "general-log-file", layout->general_log);
    buffer_appendf(text, "log-bin = %s/vt-%010u-bin\n", layout->bin_logs, layout->uid);
    buffer_appendf(text, "log-bin-index = %s/vt-%010u-bin.index\n", layout->bin_logs, layout->uid);
    buffer_appendf(text, "relay-log = %s/vt-%010u-relay-bin\n", layout->relay_logs, layout->uid);
    buffer_appendf(text, "relay-log-index = %s/vt-%010u-relay-bin.index\n", layout->relay_logs,
                   layout->uid);
}

static void
add_common(struct buffer *text)
{
    buffer_append_text(text,
                       "\n# connections and logs\n"
                       "skip-name-resolve\n"
                       "connect_timeout = 30\n"
                       "max_connections = 500\n"
                       "max_allowed_packet = 64M\n"
                       "innodb_lock_wait_timeout = 20\n"
                       "slow-query-log\n"
                       "long_query_time = 2\n"
                       "\n# nothing that was committed is lost, no partial relay log is used\n"
                       "sync_binlog = 1\n"
                       "innodb_flush_log_at_trx_commit = 1\n"
                       "relay_log_recovery = 1\n"
                       "binlog_expire_logs_seconds = 259200\n");
}

static bool
has_plugin(const struct mycnf_inputs *inputs, const char *file)
{
    if (inputs->plugin_folder == NULL)
        return true;
    CLEANUP(freep) char *path = xasprintf("%s/%s", inputs->plugin_folder, file);
    return file_exists(path);
}

/* Semi-sync never falls back to asynchronous by itself: the timeout is longer than anybody waits.
 */
static void
add_mysql_semi_sync(struct buffer *text, const struct mycnf_inputs *inputs)
{
    bool is_new = server_binary_is_at_least(inputs->server, 8, 0, 26);
    const char *source = is_new ? "source" : "master";
    const char *replica = is_new ? "replica" : "slave";
    CLEANUP(freep) char *file = xasprintf("semisync_%s.so", source);
    buffer_append_text(text, "\n# semi-sync, switched on by the tablet\n");
    if (has_plugin(inputs, file))
        buffer_appendf(text,
                       "plugin-load = rpl_semi_sync_%s=semisync_%s.so;rpl_semi_sync_%s="
                       "semisync_%s.so\n",
                       source, source, replica, replica);
    buffer_appendf(text,
                   "loose_rpl_semi_sync_%s_timeout = 1000000000000000000\n"
                   "loose_rpl_semi_sync_%s_wait_no_%s = 1\n",
                   source, source, replica);
}

static void
add_mysql(struct buffer *text, const struct mycnf_inputs *inputs)
{
    const struct server_binary *server = inputs->server;
    buffer_append_text(text, "\n# replication by GTID; the tablet starts it and lifts read-only\n"
                             "gtid_mode = ON\n"
                             "enforce_gtid_consistency = ON\n"
                             "super-read-only\n");
    if (!server_binary_is_at_least(server, 8, 0, 34)) /* the default, and deprecated, since */
        add(text, "binlog_format", "ROW");
    if (server_binary_is_at_least(server, 8, 0, 26))
        buffer_append_text(text, "skip-replica-start\n"
                                 "log_replica_updates = ON\n"
                                 "replica_net_timeout = 8\n");
    else
        buffer_append_text(text, "skip-slave-start\n"
                                 "log_slave_updates = ON\n"
                                 "slave_net_timeout = 8\n");
    buffer_append_text(text, "mysqlx = 0\n");
    if (server->major == 8 && server_binary_is_at_least(server, 8, 4, 0))
        add(text, "mysql_native_password", "ON");
    if (!server_binary_is_at_least(server, 8, 0, 26))
        add(text, "default_authentication_plugin", "mysql_native_password");
    add_mysql_semi_sync(text, inputs);
}

static void
add_mariadb(struct buffer *text)
{
    buffer_append_text(text, "\n# replication by GTID; the tablet starts it and lifts read-only\n"
                             "gtid_strict_mode = ON\n"
                             "binlog_format = ROW\n"
                             "log_slave_updates = ON\n"
                             "skip-slave-start\n"
                             "slave_net_timeout = 8\n"
                             "read-only = ON\n"
                             "character_set_server = utf8mb4\n"
                             "\n# semi-sync, switched on by the tablet\n"
                             "rpl_semi_sync_master_timeout = 1000000000000000000\n"
                             "rpl_semi_sync_master_wait_no_slave = ON\n"
                             "rpl_semi_sync_master_wait_point = AFTER_SYNC\n");
}

static void
add_built_in(struct buffer *text, const struct mycnf_inputs *inputs)
{
    add_paths(text, inputs);
    add_common(text);
    if (inputs->server->flavor == DIALECT_MARIADB)
        add_mariadb(text);
    else
        add_mysql(text, inputs);
}

struct error *
mycnf_render(const struct mycnf_inputs *inputs, char **ret_text)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, "# written by 'vtagent mysqld', again at each start; EXTRA_MY_CNF "
                              "adds to it\n[mysqld]\n");
    if (inputs->template != NULL) {
        CLEANUP(freep) char *filled = NULL;
        TRY(mycnf_fill_template(inputs->template, inputs, &filled));
        buffer_append_text(&text, filled);
    } else {
        add_built_in(&text, inputs);
    }
    if (!str_is_empty(inputs->extra)) {
        CLEANUP(freep) char *filled = NULL;
        TRY(mycnf_fill_template(inputs->extra, inputs, &filled));
        buffer_appendf(&text, "\n# from EXTRA_MY_CNF\n%s", filled);
    }
    if (text.data[text.length_bytes - 1] != '\n')
        buffer_append_char(&text, '\n');
    *ret_text = buffer_take(&text);
    return NULL;
}

struct error *
mycnf_read_extra(const char *paths, char **ret_text)
{
    CLEANUP(strv_done) struct strv list = {.items = NULL};
    strv_split(&list, paths, ':');
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    for (size_t i = 0; i < list.count; i++) {
        struct error *error = file_read(list.items[i], EXTRA_LIMIT_BYTES, &text);
        if (error != NULL)
            return error_wrap(error, "EXTRA_MY_CNF");
        buffer_append_char(&text, '\n');
    }
    *ret_text = buffer_take(&text);
    return NULL;
}

static bool
name_equals(const char *line, size_t length, const char *key)
{
    if (strlen(key) != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        char given = line[i] == '_' ? '-' : line[i];
        char known = key[i] == '_' ? '-' : key[i];
        if (given != known)
            return false;
    }
    return true;
}

/* A copy of [start, end) without blanks around. */
static char *
trimmed(const char *start, const char *end)
{
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    return xstrndup(start, (size_t)(end - start));
}

/* The value when the line sets `key`, else NULL. */
static char *
value_of_line(const char *line, const char *key)
{
    size_t length = strcspn(line, "=");
    const char *value = line[length] == '=' ? line + length + 1 : line + length;
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    return name_equals(line, length, key) ? trimmed(value, value + strlen(value)) : NULL;
}

char *
mycnf_value(const char *text, const char *key)
{
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    strv_split(&lines, text, '\n');
    bool is_ours = true;
    char *found = NULL;
    for (size_t i = 0; i < lines.count; i++) {
        const char *line = lines.items[i];
        if (line[0] == '#' || line[0] == ';')
            continue;
        if (line[0] == '[') {
            is_ours = strncmp(line, "[mysqld]", 8) == 0 || strncmp(line, "[server]", 8) == 0 ||
                      strncmp(line, "[mariadb]", 9) == 0;
            continue;
        }
        char *value = is_ours ? value_of_line(line, key) : NULL;
        if (value != NULL) {
            free(found);
            found = value;
        }
    }
    return found;
}

uint32_t
mycnf_random_server_id(void)
{
    uint32_t id = 0;
    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
        id = (uint32_t)clock_wall_ns();
    return id == 0 ? 1 : id;
}
