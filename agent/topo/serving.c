/* SrvKeyspace: which shards serve which keys, for vtgates. Built from the shard records, the same
 * for every cell, under the keyspace's lock. */
#include <stdlib.h>
#include <string.h>

#include "agent/topo/key_range.h"
#include "agent/topo/record_io.h"
#include "agent/topo/serving.h"
#include "vschema.pb-c.h"

/* ---- The shards of a keyspace ---- */

struct shard_set {
    struct strv names;
    Topodata__Shard **records; /* as many as names; NULL: deleted meanwhile */
};

static void
shard_set_done(struct shard_set *set)
{
    for (size_t i = 0; set->records != NULL && i < set->names.count; i++)
        record_freep(&set->records[i]);
    free(set->records);
    strv_done(&set->names);
}

static struct error *
read_shards(struct topo *topo, struct cancel *cancel, const char *keyspace, struct shard_set *set)
{
    TRY(topo_list_shards(topo, cancel, keyspace, &set->names));
    set->records = xcalloc(set->names.count + 1, sizeof(*set->records));
    for (size_t i = 0; i < set->names.count; i++) {
        struct error *error =
            topo_get_shard(topo, cancel, keyspace, set->names.items[i], &set->records[i], NULL);
        TRY(record_ignore_missing(error));
    }
    return NULL;
}

/* ---- Checking ---- */

static int
compare_references(const void *a, const void *b)
{
    const Topodata__ShardReference *const *left = a;
    const Topodata__ShardReference *const *right = b;
    int order = key_range_compare_start((*left)->key_range, (*right)->key_range);
    return order != 0 ? order : strcmp((*left)->name, (*right)->name);
}

static struct error *
check_neighbours(const Topodata__ShardReference *left, const Topodata__ShardReference *right)
{
    if (left->key_range == NULL && right->key_range == NULL)
        return NULL; /* custom sharding: no ranges to compare */
    if (left->key_range == NULL || right->key_range == NULL)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "shards '%s' and '%s' both serve, but only one has a key range",
                         left->name, right->name);
    if (!key_range_is_contiguous(left->key_range, right->key_range))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "shard '%s' does not begin where shard '%s' ends", right->name,
                         left->name);
    return NULL;
}

struct error *
serving_order_and_check(Topodata__ShardReference **references, size_t count)
{
    if (count == 0)
        return NULL;
    qsort(references, count, sizeof(*references), compare_references);
    const Topodata__ShardReference *first = references[0];
    const Topodata__ShardReference *last = references[count - 1];
    if (first->key_range != NULL && first->key_range->start.len > 0)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "no shard serves the keys before shard '%s' yet", first->name);
    if (last->key_range != NULL && last->key_range->end.len > 0)
        return error_new(ERROR_FAILED_PRECONDITION, "no shard serves the keys after shard '%s' yet",
                         last->name);
    for (size_t i = 0; i + 1 < count; i++)
        TRY(check_neighbours(references[i], references[i + 1]));
    return NULL;
}

/* ---- Writing ---- */

static char *
srv_keyspace_path(const char *keyspace)
{
    return xasprintf("keyspaces/%s/SrvKeyspace", keyspace);
}

/* A shard's query service switched off by a resharding in flight must stay off. */
static struct error *
refuse_migration(struct topo_conn *conn, struct cancel *cancel, const char *keyspace)
{
    CLEANUP(freep) char *path = srv_keyspace_path(keyspace);
    CLEANUP(record_freep) Topodata__SrvKeyspace *old = NULL;
    struct error *error =
        record_read(conn, cancel, path, &topodata__srv_keyspace__descriptor, &old, NULL);
    TRY(record_ignore_missing(error));
    for (size_t i = 0; old != NULL && i < old->n_partitions; i++) {
        const Topodata__SrvKeyspace__KeyspacePartition *partition = old->partitions[i];
        for (size_t k = 0; k < partition->n_shard_tablet_controls; k++) {
            if (partition->shard_tablet_controls[k]->query_service_disabled)
                return error_new(ERROR_FAILED_PRECONDITION,
                                 "a resharding of keyspace '%s' is under way: finish it first",
                                 keyspace);
        }
    }
    return NULL;
}

static struct error *
write_to_cells(struct topo *topo, struct cancel *cancel, const struct strv *cells, const char *path,
               const ProtobufCMessage *message)
{
    struct error *first = NULL;
    for (size_t i = 0; i < cells->count; i++) {
        struct topo_conn *conn;
        struct error *error = topo_cell(topo, cancel, cells->items[i], &conn);
        if (error == NULL)
            error = record_write(conn, cancel, path, message, TOPO_ANY_VERSION);
        first = error_first(first, error_wrap(error, "cell '%s'", cells->items[i]));
    }
    return first;
}

/* One partition per served type, all with the same shards. Borrows the references. */
static struct error *
write_srv_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                   const Topodata__Keyspace *record, const struct strv *cells,
                   Topodata__ShardReference **references, size_t count)
{
    static const Topodata__TabletType served[] = {TOPODATA__TABLET_TYPE__PRIMARY,
                                                  TOPODATA__TABLET_TYPE__REPLICA,
                                                  TOPODATA__TABLET_TYPE__RDONLY};
    Topodata__SrvKeyspace__KeyspacePartition partitions[ARRAY_LENGTH(served)];
    Topodata__SrvKeyspace__KeyspacePartition *pointers[ARRAY_LENGTH(served)];
    for (size_t i = 0; i < ARRAY_LENGTH(served); i++) {
        topodata__srv_keyspace__keyspace_partition__init(&partitions[i]);
        partitions[i].served_type = served[i];
        partitions[i].n_shard_references = count;
        partitions[i].shard_references = references;
        pointers[i] = &partitions[i];
    }
    Topodata__SrvKeyspace message = TOPODATA__SRV_KEYSPACE__INIT;
    message.n_partitions = count == 0 ? 0 : ARRAY_LENGTH(served);
    message.partitions = pointers;
    message.throttler_config = record->throttler_config;
    message.query_throttler_config = record->query_throttler_config;
    CLEANUP(freep) char *path = srv_keyspace_path(keyspace);
    return write_to_cells(topo, cancel, cells, path, &message.base);
}

static struct error *
rebuild_from_shards(struct topo *topo, struct cancel *cancel, const char *keyspace,
                    const Topodata__Keyspace *record, const struct strv *cells,
                    const struct shard_set *shards)
{
    size_t count = 0;
    CLEANUP(freep)
    Topodata__ShardReference *references = xcalloc(shards->names.count + 1, sizeof(*references));
    CLEANUP(freep)
    Topodata__ShardReference **pointers = xcalloc(shards->names.count + 1, sizeof(*pointers));
    for (size_t i = 0; i < shards->names.count; i++) {
        const Topodata__Shard *shard = shards->records[i];
        if (shard == NULL || !shard->is_primary_serving)
            continue;
        topodata__shard_reference__init(&references[count]);
        references[count].name = shards->names.items[i];
        references[count].key_range = shard->key_range;
        pointers[count] = &references[count];
        count++;
    }
    if (record->keyspace_type != TOPODATA__KEYSPACE_TYPE__SNAPSHOT)
        TRY(error_wrap(serving_order_and_check(pointers, count), "keyspace '%s'", keyspace));
    return write_srv_keyspace(topo, cancel, keyspace, record, cells, pointers, count);
}

struct error *
topo_rebuild_keyspace_graph(struct topo *topo, struct cancel *cancel, const char *keyspace,
                            const struct strv *cells)
{
    CLEANUP(topo_unlockp) struct topo_lock *lock = NULL;
    TRY(topo_lock_keyspace(topo, cancel, keyspace, "RebuildKeyspace", &lock));
    CLEANUP(record_freep) Topodata__Keyspace *record = NULL;
    TRY(topo_get_keyspace(topo, cancel, keyspace, &record, NULL));
    CLEANUP(strv_done) struct strv all = {0};
    if (cells == NULL || cells->count == 0) {
        TRY(topo_list_cells(topo, cancel, &all));
        cells = &all;
    }
    for (size_t i = 0; i < cells->count; i++) {
        struct topo_conn *conn;
        TRY(topo_cell(topo, cancel, cells->items[i], &conn));
        TRY(error_wrap(refuse_migration(conn, cancel, keyspace), "cell '%s'", cells->items[i]));
    }
    CLEANUP(shard_set_done) struct shard_set shards = {0};
    TRY(read_shards(topo, cancel, keyspace, &shards));
    return rebuild_from_shards(topo, cancel, keyspace, record, cells, &shards);
}

/* ---- SrvVSchema: every keyspace's VSchema and all routing rules in one file ---- */

struct vschema_parts {
    size_t count;
    Vschema__SrvVSchema__KeyspacesEntry **entries;
    Vschema__RoutingRules *routing;
    Vschema__ShardRoutingRules *shard_routing;
    Vschema__KeyspaceRoutingRules *keyspace_routing;
    Vschema__MirrorRules *mirror;
};

static void
vschema_parts_done(struct vschema_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        record_freep(&parts->entries[i]);
    free(parts->entries);
    record_freep(&parts->routing);
    record_freep(&parts->shard_routing);
    record_freep(&parts->keyspace_routing);
    record_freep(&parts->mirror);
}

static struct error *
read_vschemas(struct topo *topo, struct cancel *cancel, struct vschema_parts *parts)
{
    CLEANUP(strv_done) struct strv keyspaces = {0};
    TRY(topo_list_keyspaces(topo, cancel, &keyspaces));
    parts->entries = xcalloc(keyspaces.count + 1, sizeof(*parts->entries));
    for (size_t i = 0; i < keyspaces.count; i++) {
        Vschema__SrvVSchema__KeyspacesEntry *entry = xmalloc(sizeof(*entry));
        vschema__srv_vschema__keyspaces_entry__init(entry);
        parts->entries[parts->count++] = entry;
        record_set_string(&entry->key, keyspaces.items[i]);
        CLEANUP(freep) char *path = xasprintf("keyspaces/%s/VSchema", keyspaces.items[i]);
        struct error *error = record_read(topo_global(topo), cancel, path,
                                          &vschema__keyspace__descriptor, &entry->value, NULL);
        TRY(record_ignore_missing(error));
        if (entry->value == NULL) {
            entry->value = xmalloc(sizeof(*entry->value));
            vschema__keyspace__init(entry->value);
        }
    }
    return NULL;
}

static struct error *
read_rules(struct topo *topo, struct cancel *cancel, struct vschema_parts *parts)
{
    struct topo_conn *global = topo_global(topo);
    const struct {
        const char *path;
        const ProtobufCMessageDescriptor *descriptor;
        void *target;
    } files[] = {
        {"RoutingRules", &vschema__routing_rules__descriptor, &parts->routing},
        {"ShardRoutingRules", &vschema__shard_routing_rules__descriptor, &parts->shard_routing},
        {"routing_rules/keyspace/Rules", &vschema__keyspace_routing_rules__descriptor,
         &parts->keyspace_routing},
        {"MirrorRules", &vschema__mirror_rules__descriptor, &parts->mirror},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        TRY(record_ignore_missing(record_read(global, cancel, files[i].path, files[i].descriptor,
                                              files[i].target, NULL)));
    return NULL;
}

struct error *
topo_rebuild_vschema_graph(struct topo *topo, struct cancel *cancel, const struct strv *cells)
{
    CLEANUP(strv_done) struct strv all = {0};
    if (cells == NULL || cells->count == 0) {
        TRY(topo_list_cells(topo, cancel, &all));
        cells = &all;
    }
    CLEANUP(vschema_parts_done) struct vschema_parts parts = {0};
    TRY(read_vschemas(topo, cancel, &parts));
    TRY(read_rules(topo, cancel, &parts));
    Vschema__SrvVSchema message = VSCHEMA__SRV_VSCHEMA__INIT;
    message.n_keyspaces = parts.count;
    message.keyspaces = parts.entries;
    message.routing_rules = parts.routing;
    message.shard_routing_rules = parts.shard_routing;
    message.keyspace_routing_rules = parts.keyspace_routing;
    message.mirror_rules = parts.mirror;
    return write_to_cells(topo, cancel, cells, "SrvVSchema", &message.base);
}

/* ---- Making sure ---- */

static struct error *
vschema_graph_has(struct topo_conn *conn, struct cancel *cancel, const char *keyspace,
                  bool *ret_has)
{
    CLEANUP(record_freep) Vschema__SrvVSchema *graph = NULL;
    struct error *error =
        record_read(conn, cancel, "SrvVSchema", &vschema__srv_vschema__descriptor, &graph, NULL);
    TRY(record_ignore_missing(error));
    *ret_has = false;
    for (size_t i = 0; graph != NULL && i < graph->n_keyspaces; i++) {
        if (strcmp(graph->keyspaces[i]->key, keyspace) == 0)
            *ret_has = true;
    }
    return NULL;
}

struct error *
topo_ensure_serving_graph(struct topo *topo, struct cancel *cancel, const char *cell,
                          const char *keyspace)
{
    struct topo_conn *conn;
    TRY(topo_cell(topo, cancel, cell, &conn));
    CLEANUP(strv_done) struct strv cells = {0};
    strv_add(&cells, cell);

    bool has_vschema;
    TRY(vschema_graph_has(conn, cancel, keyspace, &has_vschema));
    if (!has_vschema)
        TRY(topo_rebuild_vschema_graph(topo, cancel, &cells));

    CLEANUP(freep) char *path = srv_keyspace_path(keyspace);
    CLEANUP(topo_value_done) struct topo_value value = {0};
    struct error *error = topo_get(conn, cancel, path, &value);
    if (!error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error);
    return topo_rebuild_keyspace_graph(topo, cancel, keyspace, &cells);
}
