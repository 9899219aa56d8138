#include <stdlib.h>
#include <string.h>

#include "agent/topo/record_io.h"

static char *
tablet_path(const struct tablet_alias *alias)
{
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(alias, text);
    return xasprintf("tablets/%s/Tablet", text);
}

static struct error *
name_missing_tablet(struct error *take_error, const struct tablet_alias *alias)
{
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(alias, text);
    return record_name_missing(take_error, "tablet '%s' does not exist", text);
}

struct error *
topo_get_tablet(struct topo *topo, struct cancel *cancel, const struct tablet_alias *alias,
                Topodata__Tablet **ret_tablet, int64_t *ret_version)
{
    struct topo_conn *conn;
    TRY(topo_cell(topo, cancel, alias->cell, &conn));
    CLEANUP(freep) char *path = tablet_path(alias);
    struct error *error =
        record_read(conn, cancel, path, &topodata__tablet__descriptor, ret_tablet, ret_version);
    return name_missing_tablet(error, alias);
}

struct change_tablet {
    topo_change_tablet change;
    void *data;
};

static bool
change_tablet(ProtobufCMessage *message, void *data)
{
    const struct change_tablet *call = data;
    return call->change((Topodata__Tablet *)message, call->data);
}

struct error *
topo_update_tablet(struct topo *topo, struct cancel *cancel, const struct tablet_alias *alias,
                   topo_change_tablet change, void *data)
{
    struct topo_conn *conn;
    TRY(topo_cell(topo, cancel, alias->cell, &conn));
    CLEANUP(freep) char *path = tablet_path(alias);
    struct change_tablet call = {change, data};
    struct error *error = record_change_loop(conn, cancel, path, &topodata__tablet__descriptor,
                                             false, change_tablet, &call);
    return name_missing_tablet(error, alias);
}

/* ---- The cell's list of a shard's tablets ---- */

static char *
replication_path(const char *keyspace, const char *shard)
{
    return xasprintf("keyspaces/%s/shards/%s/ShardReplication", keyspace, shard);
}

static size_t
find_node(const Topodata__ShardReplication *list, const struct tablet_alias *alias)
{
    size_t i = 0;
    for (; i < list->n_nodes; i++) {
        struct tablet_alias node = tablet_alias_of(list->nodes[i]->tablet_alias);
        if (tablet_alias_equal(&node, alias))
            break;
    }
    return i;
}

static bool
add_node(ProtobufCMessage *message, void *data)
{
    Topodata__ShardReplication *list = (Topodata__ShardReplication *)message;
    const struct tablet_alias *alias = data;
    if (find_node(list, alias) < list->n_nodes)
        return false;
    Topodata__ShardReplication__Node *node = xmalloc(sizeof(*node));
    topodata__shard_replication__node__init(node);
    record_set_alias(&node->tablet_alias, alias);
    list->nodes = xreallocarray(list->nodes, list->n_nodes + 1, sizeof(*list->nodes));
    list->nodes[list->n_nodes++] = node;
    return true;
}

static bool
remove_node(ProtobufCMessage *message, void *data)
{
    Topodata__ShardReplication *list = (Topodata__ShardReplication *)message;
    size_t at = find_node(list, data);
    if (at == list->n_nodes)
        return false;
    record_freep(&list->nodes[at]);
    list->n_nodes--;
    memmove(list->nodes + at, list->nodes + at + 1, (list->n_nodes - at) * sizeof(*list->nodes));
    return true;
}

struct error *
topo_list_replication(struct topo *topo, struct cancel *cancel, const char *cell,
                      const char *keyspace, const char *shard, struct strv *ret_aliases)
{
    struct topo_conn *conn;
    TRY(topo_cell(topo, cancel, cell, &conn));
    CLEANUP(freep) char *path = replication_path(keyspace, shard);
    CLEANUP(record_freep) Topodata__ShardReplication *list = NULL;
    struct error *error =
        record_read(conn, cancel, path, &topodata__shard_replication__descriptor, &list, NULL);
    TRY(record_ignore_missing(error));
    for (size_t i = 0; list != NULL && i < list->n_nodes; i++) {
        struct tablet_alias alias = tablet_alias_of(list->nodes[i]->tablet_alias);
        char text[TABLET_ALIAS_TEXT_MAX];
        tablet_alias_format(&alias, text);
        strv_add(ret_aliases, text);
    }
    return NULL;
}

/* ---- Registration ---- */

static struct error *
check_same_shard(struct topo_conn *conn, struct cancel *cancel, const char *path,
                 const Topodata__Tablet *tablet)
{
    CLEANUP(record_freep) Topodata__Tablet *old = NULL;
    TRY(record_read(conn, cancel, path, &topodata__tablet__descriptor, &old, NULL));
    if (strcmp(old->keyspace, tablet->keyspace) == 0 && strcmp(old->shard, tablet->shard) == 0)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "tablet '%s-%010u' is registered in shard '%s/%s', not '%s/%s': delete its "
                     "record first, or use another uid",
                     tablet->alias->cell, (unsigned)tablet->alias->uid, old->keyspace, old->shard,
                     tablet->keyspace, tablet->shard);
}

struct error *
topo_register_tablet(struct topo *topo, struct cancel *cancel, const Topodata__Tablet *tablet)
{
    struct tablet_alias alias = tablet_alias_of(tablet->alias);
    struct topo_conn *conn;
    TRY(topo_cell(topo, cancel, alias.cell, &conn));
    CLEANUP(freep) char *path = tablet_path(&alias);
    CLEANUP(freep) char *list_path = replication_path(tablet->keyspace, tablet->shard);
    struct error *error = record_create(conn, cancel, path, &tablet->base);
    bool exists = error_is(error, ERROR_ALREADY_EXISTS);
    if (error != NULL && !exists)
        return error;
    error_free(error);
    if (exists)
        TRY(check_same_shard(conn, cancel, path, tablet));
    TRY(record_change_loop(conn, cancel, list_path, &topodata__shard_replication__descriptor, true,
                           add_node, &alias));
    /* The last one to start wins, as with Vitess: no version. */
    return exists ? record_write(conn, cancel, path, &tablet->base, TOPO_ANY_VERSION) : NULL;
}

struct error *
topo_delete_tablet(struct topo *topo, struct cancel *cancel, const struct tablet_alias *alias)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(topo_get_tablet(topo, cancel, alias, &tablet, NULL));
    struct topo_conn *conn;
    TRY(topo_cell(topo, cancel, alias->cell, &conn));
    CLEANUP(freep) char *list_path = replication_path(tablet->keyspace, tablet->shard);
    struct tablet_alias key = *alias;
    struct error *error =
        record_change_loop(conn, cancel, list_path, &topodata__shard_replication__descriptor, false,
                           remove_node, &key);
    TRY(record_ignore_missing(error));
    CLEANUP(freep) char *path = tablet_path(alias);
    return name_missing_tablet(topo_delete(conn, cancel, path, TOPO_ANY_VERSION), alias);
}

/* ---- Lists ---- */

void
tablet_list_done(struct tablet_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        record_freep(&list->items[i]);
    free(list->items);
    *list = (struct tablet_list){0};
}

static int
compare_tablets(const void *a, const void *b)
{
    const Topodata__Tablet *const *left = a;
    const Topodata__Tablet *const *right = b;
    struct tablet_alias left_alias = tablet_alias_of((*left)->alias);
    struct tablet_alias right_alias = tablet_alias_of((*right)->alias);
    int order = strcmp(left_alias.cell, right_alias.cell);
    if (order != 0)
        return order;
    return (left_alias.uid > right_alias.uid) - (left_alias.uid < right_alias.uid);
}

static bool
is_wanted(const Topodata__Tablet *tablet, const char *keyspace, const char *shard)
{
    return (keyspace == NULL || strcmp(tablet->keyspace, keyspace) == 0) &&
           (shard == NULL || strcmp(tablet->shard, shard) == 0);
}

struct error *
topo_list_tablets(struct topo *topo, struct cancel *cancel, const char *cell, const char *keyspace,
                  const char *shard, struct tablet_list *ret_list)
{
    struct topo_conn *conn;
    TRY(topo_cell(topo, cancel, cell, &conn));
    CLEANUP(topo_files_done) struct topo_files files = {0};
    TRY(error_wrap(topo_read_tree(conn, cancel, "tablets", &files), "tablets of cell '%s'", cell));
    CLEANUP(tablet_list_done) struct tablet_list list = {0};
    list.items = xcalloc(files.count + 1, sizeof(Topodata__Tablet *));
    for (size_t i = 0; i < files.count; i++) {
        if (!str_ends_with(files.items[i].path, "/Tablet"))
            continue;
        CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
        TRY(error_wrap(record_decode(files.items[i].path, &files.items[i].value,
                                     &topodata__tablet__descriptor, &tablet),
                       "cell '%s'", cell));
        if (tablet->alias == NULL || !is_wanted(tablet, keyspace, shard))
            continue;
        list.items[list.count++] = tablet;
        tablet = NULL;
    }
    qsort(list.items, list.count, sizeof(Topodata__Tablet *), compare_tablets);
    *ret_list = list;
    list = (struct tablet_list){0};
    return NULL;
}

static void
append_list(struct tablet_list *list, struct tablet_list *take_more)
{
    list->items =
        xreallocarray(list->items, list->count + take_more->count + 1, sizeof(Topodata__Tablet *));
    for (size_t i = 0; i < take_more->count; i++)
        list->items[list->count++] = take_more->items[i];
    free(take_more->items);
    *take_more = (struct tablet_list){0};
}

struct error *
topo_list_shard_tablets(struct topo *topo, struct cancel *cancel, const char *keyspace,
                        const char *shard, struct tablet_list *ret_list)
{
    CLEANUP(strv_done) struct strv cells = {0};
    TRY(topo_list_cells(topo, cancel, &cells));
    CLEANUP(tablet_list_done) struct tablet_list all = {0};
    for (size_t i = 0; i < cells.count; i++) {
        CLEANUP(tablet_list_done) struct tablet_list some = {0};
        TRY(topo_list_tablets(topo, cancel, cells.items[i], keyspace, shard, &some));
        append_list(&all, &some);
    }
    *ret_list = all;
    all = (struct tablet_list){0};
    return NULL;
}
