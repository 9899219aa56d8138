#include "agent/config.h"

#include <string.h>

#include "agent/config_options.h"

/* Our rows and the ignored ones as one set. */
static struct option_set
all_rows(struct option_row **ret_rows)
{
    size_t count = config_option_count + config_ignored_count;
    struct option_row *rows = xcalloc(count, sizeof(*rows));
    memcpy(rows, config_option_rows, config_option_count * sizeof(*rows));
    memcpy(rows + config_option_count, config_ignored_rows, config_ignored_count * sizeof(*rows));
    *ret_rows = rows;
    return (struct option_set){.rows = rows, .row_count = count, .environment_prefix = "VTAGENT"};
}

struct error *
config_parse(struct config *config, int argc, char *const *argv)
{
    CLEANUP(freep) struct option_row *rows = NULL;
    struct option_set set = all_rows(&rows);
    CLEANUP(strv_done) struct strv rest = {.items = NULL};
    TRY(option_parse(&set, argc, argv, config, &rest, &config->ignored));
    if (rest.count > 0)
        return error_new(ERROR_INVALID_ARGUMENT, "unexpected word '%s': flags begin with --",
                         rest.items[0]);
    return NULL;
}

static struct option_set
own_set(void)
{
    return (struct option_set){.rows = config_option_rows,
                               .row_count = config_option_count,
                               .environment_prefix = "VTAGENT"};
}

void
config_print_help(FILE *stream)
{
    struct option_set set = own_set();
    fputs("Usage: vtagent tablet FLAGS\n\nMakes the MySQL or MariaDB server beside it a tablet of "
          "Vitess. The flags are vttablet's;\nthose that do not apply are accepted.\n",
          stream);
    option_print_help(&set, stream);
}

void
config_print(const struct config *config, FILE *stream)
{
    struct option_set set = own_set();
    option_print_config(&set, config, stream);
}

void
config_done(struct config *config)
{
    struct option_set set = own_set();
    option_done(&set, config);
    struct tablet_identity *identity = &config->identity;
    char **texts[] = {&identity->keyspace,         &identity->shard,     &identity->database,
                      &identity->sidecar,          &identity->hostname,  &identity->mysql_hostname,
                      &identity->tablet_directory, &identity->mycnf_path};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        freep(texts[i]);
    db_params_done(&config->dba_params);
    db_params_done(&config->app_params);
    db_params_done(&config->allprivs_params);
    db_params_done(&config->repl_params);
    strv_done(&config->tag_names);
    strv_done(&config->tag_values);
    strv_done(&config->ignored);
}
