/* my.cnf on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/supervisor/keeper_private.h"
#include "agent/supervisor/mycnf.h"

#define CONFIG_LIMIT_BYTES (4u << 20)

static struct error *
read_template(const struct keeper *keeper, char **ret_text)
{
    const char *path = keeper->options->mycnf_template;
    if (str_is_empty(path))
        return NULL;
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    struct error *error = file_read(path, CONFIG_LIMIT_BYTES, &text);
    if (error != NULL)
        return error_wrap(error, "--mysqlctl-mycnf-template");
    *ret_text = buffer_take(&text);
    return NULL;
}

static struct error *
render(const struct keeper *keeper, uint32_t server_id, char **ret_text)
{
    CLEANUP(freep) char *template = NULL;
    TRY(read_template(keeper, &template));
    CLEANUP(freep) char *extra = NULL;
    const char *extra_paths = getenv("EXTRA_MY_CNF");
    if (!str_is_empty(extra_paths))
        TRY(mycnf_read_extra(extra_paths, &extra));
    struct mycnf_inputs inputs = {.layout = keeper->layout,
                                  .server = keeper->server,
                                  .server_id = server_id,
                                  .port = keeper->options->mysql_port,
                                  .plugin_folder = keeper->server->plugin_directory,
                                  .template = template,
                                  .extra = extra};
    return mycnf_render(&inputs, ret_text);
}

char *
keeper_config_text(const struct keeper *keeper)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep)
    struct error *error = file_read(keeper->layout->my_cnf, CONFIG_LIMIT_BYTES, &text);
    return error == NULL ? buffer_take(&text) : NULL;
}

void
keeper_load_config(struct keeper *keeper)
{
    CLEANUP(freep) char *text = keeper_config_text(keeper);
    if (text != NULL)
        mysqld_configure(&keeper->mysqld, text);
}

uint32_t
keeper_server_id(const struct keeper *keeper)
{
    CLEANUP(freep) char *text = keeper_config_text(keeper);
    CLEANUP(freep) char *value = text == NULL ? NULL : mycnf_value(text, "server-id");
    return value == NULL ? 0 : (uint32_t)strtoul(value, NULL, 10);
}

static struct error *
keep_previous(const struct keeper *keeper, const char *text)
{
    CLEANUP(freep) char *previous = xasprintf("%s.previous", keeper->layout->my_cnf);
    LOG_INFO("mysqld", "my.cnf differs from what this start wants: the old one is kept as '%s'",
             previous);
    return file_write_safely(previous, text, strlen(text), 0644);
}

struct error *
keeper_write_config(struct keeper *keeper, uint32_t server_id)
{
    CLEANUP(freep) char *text = NULL;
    TRY(render(keeper, server_id, &text));
    CLEANUP(freep) char *old = keeper_config_text(keeper);
    if (!str_equal(old, text)) {
        if (old != NULL)
            TRY(keep_previous(keeper, old));
        TRY(file_write_safely(keeper->layout->my_cnf, text, strlen(text), 0644));
    }
    mysqld_configure(&keeper->mysqld, text);
    return NULL;
}

struct error *
keeper_refresh_config(struct keeper *keeper)
{
    uint32_t server_id = keeper_server_id(keeper);
    return keeper_write_config(keeper, server_id != 0 ? server_id : mycnf_random_server_id());
}

struct error *
keeper_reinit_config(struct keeper *keeper)
{
    return keeper_write_config(keeper, mycnf_random_server_id());
}
