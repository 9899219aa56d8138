/* Shards, tablets and the serving graph as the topology has them. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/print.h"
#include "agent/ctl/session.h"

static struct error *
get_shard(struct ctl *ctl)
{
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
    CLEANUP(record_freep) Topodata__Shard *record = NULL;
    TRY(topo_get_shard(ctl->topo, ctl->cancel, keyspace, shard, &record, NULL));
    print_message(ctl, &record->base);
    return NULL;
}

static struct error *
create_shard(struct ctl *ctl)
{
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
    CLEANUP(record_freep) Topodata__Keyspace *record = NULL;
    TRY(topo_get_keyspace(ctl->topo, ctl->cancel, keyspace, &record, NULL));
    CLEANUP(record_freep) Topodata__Shard *created = NULL;
    return topo_get_or_create_shard(ctl->topo, ctl->cancel, keyspace, shard, &created, NULL);
}

/* ---- Tablets ---- */

static struct error *
get_tablet(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    print_message(ctl, &tablet->base);
    return NULL;
}

static void
append_tablets(struct tablet_list *list, struct tablet_list *take_more)
{
    list->items =
        xreallocarray(list->items, list->count + take_more->count + 1, sizeof(*list->items));
    for (size_t i = 0; i < take_more->count; i++)
        list->items[list->count++] = take_more->items[i];
    free(take_more->items);
    *take_more = (struct tablet_list){0};
}

struct error *
ctl_list_tablets(struct ctl *ctl, const struct strv *cells, const char *keyspace, const char *shard,
                 struct tablet_list *list)
{
    CLEANUP(strv_done) struct strv all = {0};
    if (cells == NULL || cells->count == 0) {
        TRY(topo_list_cells(ctl->topo, ctl->cancel, &all));
        cells = &all;
    }
    struct error *first = NULL;
    size_t good = 0;
    for (size_t i = 0; i < cells->count; i++) {
        struct tablet_list some = {0};
        struct error *error =
            topo_list_tablets(ctl->topo, ctl->cancel, cells->items[i], keyspace, shard, &some);
        good += error == NULL;
        if (error != NULL && cells->count > 1)
            ctl_warn(ctl, "%s", error->message);
        first = error_first(first, error);
        append_tablets(list, &some);
    }
    if (good > 0) {
        error_free(first);
        return NULL;
    }
    return first;
}

static struct error *
check_filters(struct ctl *ctl)
{
    const struct ctl_options *options = &ctl->options;
    if (options->keyspace != NULL)
        TRY(ctl_check_name(ctl, "keyspace", options->keyspace));
    CLEANUP(freep) char *shard = NULL;
    if (options->shard != NULL)
        TRY(ctl_as_wrong_use(ctl, shard_name_parse(options->shard, &shard, NULL)));
    for (size_t i = 0; i < options->cells.count; i++)
        TRY(ctl_check_name(ctl, "cell", options->cells.items[i]));
    return NULL;
}

/* Keeps the tablets of the type and aliases asked for. */
static void
filter_tablets(struct tablet_list *list, const Topodata__TabletType *type,
               const struct strv *aliases)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        Topodata__Tablet *tablet = list->items[i];
        bool is_wanted =
            (type == NULL || tablet->type == *type) &&
            (aliases->count == 0 || strv_contains(aliases, alias_text_of(tablet).text));
        if (is_wanted)
            list->items[kept++] = tablet;
        else
            record_freep(&list->items[i]);
    }
    list->count = kept;
}

static struct error *
normalize_aliases(struct ctl *ctl, struct strv *ret_aliases)
{
    for (size_t i = 0; i < ctl->options.aliases.count; i++) {
        struct tablet_alias alias;
        TRY(ctl_parse_alias(ctl, ctl->options.aliases.items[i], &alias));
        char text[TABLET_ALIAS_TEXT_MAX];
        tablet_alias_format(&alias, text);
        strv_add(ret_aliases, text);
    }
    return NULL;
}

static struct error *
get_tablets(struct ctl *ctl)
{
    Topodata__TabletType type;
    CLEANUP(strv_done) struct strv aliases = {0};
    TRY(check_filters(ctl));
    if (ctl->options.tablet_type != NULL)
        TRY(ctl_parse_type(ctl, ctl->options.tablet_type, &type));
    TRY(normalize_aliases(ctl, &aliases));
    CLEANUP(tablet_list_done) struct tablet_list list = {0};
    TRY(ctl_list_tablets(ctl, &ctl->options.cells, ctl->options.keyspace, ctl->options.shard,
                         &list));
    filter_tablets(&list, ctl->options.tablet_type == NULL ? NULL : &type, &aliases);
    print_tablets(ctl, &list);
    return NULL;
}

static void
print_lines(struct ctl *ctl, const struct tablet_list *list)
{
    if (ctl->options.wants_json) {
        print_tablets(ctl, list);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        CLEANUP(freep) char *line = tablet_line(list->items[i]);
        fprintf(ctl->out, "%s\n", line);
    }
}

static struct error *
list_all_tablets(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->words.count; i++)
        TRY(ctl_check_name(ctl, "cell", ctl->words.items[i]));
    CLEANUP(tablet_list_done) struct tablet_list list = {0};
    TRY(ctl_list_tablets(ctl, &ctl->words, NULL, NULL, &list));
    print_lines(ctl, &list);
    return NULL;
}

static struct error *
list_shard_tablets(struct ctl *ctl)
{
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
    CLEANUP(tablet_list_done) struct tablet_list list = {0};
    TRY(topo_list_shard_tablets(ctl->topo, ctl->cancel, keyspace, shard, &list));
    print_lines(ctl, &list);
    return NULL;
}

/* ---- Deleting ---- */

static bool
clear_primary(Topodata__Shard *shard, void *data)
{
    const struct tablet_alias *alias = data;
    struct tablet_alias primary = tablet_alias_of(shard->primary_alias);
    if (!tablet_alias_equal(&primary, alias))
        return false;
    record_freep(&shard->primary_alias);
    record_set_time(&shard->primary_term_start_time, clock_wall_ns());
    return true;
}

static struct error *
delete_primary(struct ctl *ctl, const Topodata__Tablet *tablet, struct tablet_alias *alias)
{
    if (!ctl->options.allows_primary)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "tablet '%s' is the primary of '%s/%s': promote another one first, or "
                         "give --allow-primary",
                         alias_text_of(tablet).text, tablet->keyspace, tablet->shard);
    CLEANUP(topo_unlockp) struct topo_lock *lock = NULL;
    TRY(topo_lock_shard(ctl->topo, ctl->cancel, tablet->keyspace, tablet->shard, "DeleteTablets",
                        &lock));
    TRY(topo_update_shard(ctl->topo, ctl->cancel, tablet->keyspace, tablet->shard, clear_primary,
                          alias));
    return topo_delete_tablet(ctl->topo, ctl->cancel, alias);
}

static struct error *
delete_one(struct ctl *ctl, struct tablet_alias *alias)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Topodata__Shard *shard = NULL;
    TRY(topo_get_tablet(ctl->topo, ctl->cancel, alias, &tablet, NULL));
    struct error *error =
        topo_get_shard(ctl->topo, ctl->cancel, tablet->keyspace, tablet->shard, &shard, NULL);
    if (error != NULL && !error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error);
    struct tablet_alias primary = tablet_alias_of(shard == NULL ? NULL : shard->primary_alias);
    if (tablet_alias_equal(&primary, alias))
        return delete_primary(ctl, tablet, alias);
    return topo_delete_tablet(ctl->topo, ctl->cancel, alias);
}

static struct error *
delete_tablets(struct ctl *ctl)
{
    CLEANUP(freep) struct tablet_alias *aliases = xcalloc(ctl->words.count, sizeof(*aliases));
    for (size_t i = 0; i < ctl->words.count; i++)
        TRY(ctl_parse_alias(ctl, ctl->words.items[i], &aliases[i]));
    for (size_t i = 0; i < ctl->words.count; i++)
        TRY(delete_one(ctl, &aliases[i]));
    return NULL;
}

/* ---- The serving graph ---- */

static struct error *
check_cells(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->options.cells.count; i++)
        TRY(ctl_check_name(ctl, "cell", ctl->options.cells.items[i]));
    return NULL;
}

static struct error *
rebuild_keyspace_graph(struct ctl *ctl)
{
    TRY(check_cells(ctl));
    for (size_t i = 0; i < ctl->words.count; i++)
        TRY(ctl_check_name(ctl, "keyspace", ctl->words.items[i]));
    for (size_t i = 0; i < ctl->words.count; i++)
        TRY(topo_rebuild_keyspace_graph(ctl->topo, ctl->cancel, ctl->words.items[i],
                                        &ctl->options.cells));
    return NULL;
}

static struct error *
rebuild_vschema_graph(struct ctl *ctl)
{
    TRY(check_cells(ctl));
    return topo_rebuild_vschema_graph(ctl->topo, ctl->cancel, &ctl->options.cells);
}

/* ---- The table ---- */

static const struct option_row list_rows[] = {
    CTL_OPTION("cell", OPTION_LIST, cells, NULL, "only of this cell"),
    CTL_OPTION("keyspace", OPTION_TEXT, keyspace, NULL, "only of this keyspace"),
    CTL_OPTION("shard", OPTION_TEXT, shard, NULL, "only of this shard"),
    CTL_OPTION("tablet-type", OPTION_TEXT, tablet_type, NULL, "only of this type"),
    CTL_OPTION("tablet-alias", OPTION_LIST, aliases, NULL, "only these"),
};
static const struct option_row delete_rows[] = {
    CTL_OPTION("allow-primary", OPTION_FLAG, allows_primary, NULL, "delete a shard's primary too"),
    CTL_OPTION("allow-master", OPTION_FLAG, allows_primary, NULL, "the same"),
};
static const struct option_row graph_rows[] = {
    CTL_OPTION("cells", OPTION_LIST, cells, NULL, "only these cells"),
};

#define SHARDS "Shards and tablets in the topology"
#define GRAPH "Serving graph"
static const struct ctl_verb verbs[] = {
    {"CreateShard", NULL, SHARDS, "KEYSPACE/SHARD", "creates a shard", NULL, 0, 1, 1, create_shard,
     false},
    {"GetShard", NULL, SHARDS, "KEYSPACE/SHARD", "shows a shard's record", NULL, 0, 1, 1, get_shard,
     false},
    {"GetTablets", NULL, SHARDS, "[--cell CELL] [--keyspace NAME]", "lists tablets",
     CTL_ROWS(list_rows), 0, 0, get_tablets, false},
    {"ListAllTablets", NULL, SHARDS, "[CELL ...]", "lists tablets, one a line", NULL, 0, 0,
     CTL_ANY_WORDS, list_all_tablets, false},
    {"ListShardTablets", NULL, SHARDS, "KEYSPACE/SHARD", "lists a shard's tablets", NULL, 0, 1, 1,
     list_shard_tablets, false},
    {"GetTablet", NULL, SHARDS, "TABLET", "shows a tablet's record", NULL, 0, 1, 1, get_tablet,
     false},
    {"DeleteTablets", "DeleteTablet", SHARDS, "[--allow-primary] TABLET ...",
     "deletes records of tablets that are no more", CTL_ROWS(delete_rows), 1, CTL_ANY_WORDS,
     delete_tablets, false},
    {"RebuildKeyspaceGraph", NULL, GRAPH, "[--cells CELL,...] KEYSPACE ...",
     "tells vtgates which shards serve", CTL_ROWS(graph_rows), 1, CTL_ANY_WORDS,
     rebuild_keyspace_graph, false},
    {"RebuildVSchemaGraph", NULL, GRAPH, "[--cells CELL,...]", "tells vtgates the routing schemas",
     CTL_ROWS(graph_rows), 0, 0, rebuild_vschema_graph, false},
};

struct ctl_family
topo_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
