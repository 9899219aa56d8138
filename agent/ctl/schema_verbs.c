/* Schemas: changing them on every shard's primary, showing them. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/ctl/parallel.h"
#include "agent/ctl/print.h"
#include "agent/ctl/shard.h"

#define SQL_FILE_LIMIT_BYTES (16u << 20)
#define RELOAD_TIMEOUT_MS 10000

/* ---- ApplySchema ---- */

struct target {
    Topodata__Tablet *primary;
    struct tablet_list tablets;
    char *position; /* of the primary after the change */
    struct error *error;
};

struct change {
    struct ctl *ctl;
    const char *sql;
    struct target *targets;
    size_t count;
};

static void
change_done(struct change *change)
{
    for (size_t i = 0; i < change->count; i++) {
        record_freep(&change->targets[i].primary);
        tablet_list_done(&change->targets[i].tablets);
        free(change->targets[i].position);
        error_free(change->targets[i].error);
    }
    free(change->targets);
}

static struct error *
read_sql(struct ctl *ctl, char **ret_sql)
{
    const struct ctl_options *options = &ctl->options;
    if (str_is_empty(options->sql) == str_is_empty(options->sql_file))
        return ctl_wrong_use(ctl, "expected one of --sql and --sql-file");
    if (!str_is_empty(options->sql)) {
        *ret_sql = xstrdup(options->sql);
        return NULL;
    }
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read(options->sql_file, SQL_FILE_LIMIT_BYTES, &text));
    *ret_sql = buffer_take(&text);
    return NULL;
}

static struct error *
find_target(struct ctl *ctl, const char *keyspace, const char *shard, struct target *target)
{
    Topodata__Tablet place = TOPODATA__TABLET__INIT;
    place.keyspace = (char *)(uintptr_t)keyspace;
    place.shard = (char *)(uintptr_t)shard;
    TRY(ctl_read_primary(ctl, &place, &target->primary));
    return topo_list_shard_tablets(ctl->topo, ctl->cancel, keyspace, shard, &target->tablets);
}

/* Every shard must have a primary before anything is changed anywhere. */
static struct error *
find_targets(struct change *change, const char *keyspace)
{
    struct ctl *ctl = change->ctl;
    CLEANUP(strv_done) struct strv shards = {0};
    TRY(topo_list_shards(ctl->topo, ctl->cancel, keyspace, &shards));
    if (shards.count == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "keyspace '%s' has no shards", keyspace);
    change->targets = xcalloc(shards.count, sizeof(*change->targets));
    change->count = shards.count;
    for (size_t i = 0; i < shards.count; i++)
        TRY(find_target(ctl, keyspace, shards.items[i], &change->targets[i]));
    return NULL;
}

static struct error *
execute_on(struct ctl *ctl, const struct target *target, const char *sql)
{
    Tabletmanagerdata__ExecuteMultiFetchAsDbaRequest request =
        TABLETMANAGERDATA__EXECUTE_MULTI_FETCH_AS_DBA_REQUEST__INIT;
    CLEANUP(freep) char *database = tablet_database_name(target->primary);
    request.sql = (ProtobufCBinaryData){strlen(sql), (uint8_t *)(uintptr_t)sql};
    request.db_name = database;
    request.max_rows = 10;
    return ctl_call(ctl, target->primary, "ExecuteMultiFetchAsDba", &request.base, ctl->cancel, 0,
                    NULL);
}

static void
change_one(size_t index, void *data)
{
    const struct change *change = data;
    struct target *target = &change->targets[index];
    struct ctl *ctl = change->ctl;
    target->error = execute_on(ctl, target, change->sql);
    if (target->error == NULL)
        target->error = call_primary_position(ctl, target->primary, ctl->cancel,
                                              ctl->options.remote_timeout_ms, &target->position);
}

/* All errors, each named by its shard. */
static struct error *
change_error(const struct change *change)
{
    CLEANUP(strv_done) struct strv texts = {0};
    enum error_code code = ERROR_OK;
    for (size_t i = 0; i < change->count; i++) {
        const struct target *target = &change->targets[i];
        if (target->error == NULL)
            continue;
        code = target->error->code;
        strv_addf(&texts, "shard '%s': %s", target->primary->shard, target->error->message);
    }
    if (code == ERROR_OK)
        return NULL;
    CLEANUP(freep) char *text = strv_join(&texts, "; ");
    return error_new(code, "%s", text);
}

struct reload {
    struct ctl *ctl;
    const struct target *target;
};

static void
reload_one(size_t index, void *data)
{
    const struct reload *reload = data;
    const Topodata__Tablet *tablet = reload->target->tablets.items[index];
    Tabletmanagerdata__ReloadSchemaRequest request = TABLETMANAGERDATA__RELOAD_SCHEMA_REQUEST__INIT;
    bool is_primary = alias_messages_equal(tablet->alias, reload->target->primary->alias);
    if (!is_primary && !tablet_type_is_replica(tablet->type))
        return;
    request.wait_position = is_primary ? (char *)(uintptr_t) "" : reload->target->position;
    struct error *error = ctl_call(reload->ctl, tablet, "ReloadSchema", &request.base,
                                   reload->ctl->cancel, RELOAD_TIMEOUT_MS, NULL);
    ctl_warn_take(reload->ctl, error_wrap(error, "reload the schema"));
}

static struct error *
apply_schema(struct ctl *ctl)
{
    CLEANUP(freep) char *sql = NULL;
    const char *keyspace = ctl->words.items[0];
    TRY(ctl_check_name(ctl, "keyspace", keyspace));
    TRY(read_sql(ctl, &sql));
    CLEANUP(topo_unlockp) struct topo_lock *lock = NULL;
    TRY(topo_lock_keyspace(ctl->topo, ctl->cancel, keyspace, "ApplySchemaKeyspace", &lock));
    CLEANUP(change_done) struct change change = {.ctl = ctl, .sql = sql};
    TRY(find_targets(&change, keyspace));
    TRY(topo_lock_check(lock, ctl->cancel));
    parallel_run(change.count, change_one, &change);
    TRY(change_error(&change));
    for (size_t i = 0; i < change.count; i++) {
        struct reload reload = {ctl, &change.targets[i]};
        parallel_run(change.targets[i].tablets.count, reload_one, &reload);
    }
    return NULL;
}

/* ---- GetSchema ---- */

static void
drop_definitions(Tabletmanagerdata__SchemaDefinition *schema)
{
    for (size_t i = 0; i < schema->n_table_definitions; i++)
        record_set_string(&schema->table_definitions[i]->schema, "");
}

static void
print_table_names(struct ctl *ctl, const Tabletmanagerdata__SchemaDefinition *schema)
{
    CLEANUP(strv_done) struct strv names = {0};
    for (size_t i = 0; i < schema->n_table_definitions; i++)
        strv_add(&names, schema->table_definitions[i]->name);
    print_names(ctl, &names);
}

static struct error *
get_schema(struct ctl *ctl)
{
    Tabletmanagerdata__GetSchemaRequest request = TABLETMANAGERDATA__GET_SCHEMA_REQUEST__INIT;
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Tabletmanagerdata__GetSchemaResponse *response = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    request.tables = ctl->options.tables.items;
    request.n_tables = ctl->options.tables.count;
    request.exclude_tables = ctl->options.excluded_tables.items;
    request.n_exclude_tables = ctl->options.excluded_tables.count;
    request.include_views = ctl->options.includes_views;
    request.table_schema_only = ctl->options.schema_only;
    TRY(ctl_call(ctl, tablet, "GetSchema", &request.base, ctl->cancel, 0, &response));
    if (response->schema_definition == NULL)
        return error_new(ERROR_INTERNAL, "tablet '%s' answers without a schema",
                         alias_text_of(tablet).text);
    if (ctl->options.sizes_only)
        drop_definitions(response->schema_definition);
    if (ctl->options.names_only)
        print_table_names(ctl, response->schema_definition);
    else
        print_message(ctl, &response->schema_definition->base);
    return NULL;
}

static struct error *
reload_schema(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    return ctl_call(ctl, tablet, "ReloadSchema", NULL, ctl->cancel, ctl->options.remote_timeout_ms,
                    NULL);
}

/* ---- The table ---- */

static const struct option_row apply_rows[] = {
    CTL_OPTION("sql", OPTION_TEXT, sql, NULL, "statements, separated by ';'"),
    CTL_OPTION("sql-file", OPTION_TEXT, sql_file, NULL, "file of statements"),
};
static const struct option_row get_rows[] = {
    CTL_OPTION("tables", OPTION_LIST, tables, NULL, "only these; /regular expressions/ too"),
    CTL_OPTION("exclude-tables", OPTION_LIST, excluded_tables, NULL, "not these"),
    CTL_OPTION("include-views", OPTION_FLAG, includes_views, NULL, "views too"),
    CTL_OPTION("table-names-only", OPTION_FLAG, names_only, NULL, "print only names"),
    CTL_OPTION("table-sizes-only", OPTION_FLAG, sizes_only, NULL, "without the definitions"),
    CTL_OPTION("table-schema-only", OPTION_FLAG, schema_only, NULL, "without columns and sizes"),
};

#define SCHEMAS "Schemas"
static const struct ctl_verb verbs[] = {
    {"ApplySchema", NULL, SCHEMAS, "--sql STATEMENTS KEYSPACE",
     "changes the schema on every shard's primary", CTL_ROWS(apply_rows), 1, 1, apply_schema,
     false},
    {"GetSchema", NULL, SCHEMAS, "[--tables NAME,...] TABLET", "shows a tablet's tables",
     CTL_ROWS(get_rows), 1, 1, get_schema, false},
    {"ReloadSchema", NULL, SCHEMAS, "TABLET", "makes a tablet read its schema again", NULL, 0, 1, 1,
     reload_schema, false},
};

struct ctl_family
schema_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
