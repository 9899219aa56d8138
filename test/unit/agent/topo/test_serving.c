#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "stores.h"
#include "vschema.pb-c.h"

static struct topo *topo;

static void
set_up(void)
{
    topo = topo_new_for_test(topo_memory_new());
    struct topo_conn *conn;
    must(topo_cell(topo, NULL, "zone1", &conn));
    must(topo_cell(topo, NULL, "zone2", &conn));
}

static void
tear_down(void)
{
    topo_close(topo);
}

static void
create_shard(const char *name)
{
    Topodata__Shard *shard = NULL;
    must(topo_get_or_create_shard(topo, NULL, "commerce", name, &shard, NULL));
    record_freep(&shard);
}

static Topodata__SrvKeyspace *
read_graph(const char *cell)
{
    struct topo_conn *conn;
    must(topo_cell(topo, NULL, cell, &conn));
    struct topo_value value = {0};
    must(topo_get(conn, NULL, "keyspaces/commerce/SrvKeyspace", &value));
    Topodata__SrvKeyspace *graph =
        topodata__srv_keyspace__unpack(NULL, value.size_bytes, value.data);
    topo_value_done(&value);
    cr_assert_not_null(graph);
    return graph;
}

Test(serving, unsharded_keyspace, .init = set_up, .fini = tear_down)
{
    create_shard("0");
    must(topo_rebuild_keyspace_graph(topo, NULL, "commerce", NULL));
    const char *cells[] = {"zone1", "zone2"};
    for (size_t i = 0; i < 2; i++) {
        Topodata__SrvKeyspace *graph = read_graph(cells[i]);
        cr_assert_eq(graph->n_partitions, 3);
        cr_assert_eq(graph->partitions[0]->served_type, TOPODATA__TABLET_TYPE__PRIMARY);
        cr_assert_eq(graph->partitions[2]->served_type, TOPODATA__TABLET_TYPE__RDONLY);
        cr_assert_eq(graph->partitions[1]->n_shard_references, 1);
        cr_assert_str_eq(graph->partitions[1]->shard_references[0]->name, "0");
        cr_assert_null(graph->partitions[1]->shard_references[0]->key_range);
        record_freep(&graph);
    }
}

Test(serving, shards_are_ordered_and_must_cover_all_keys, .init = set_up, .fini = tear_down)
{
    create_shard("80-c0");
    create_shard("-80");
    must_be(topo_ensure_serving_graph(topo, NULL, "zone1", "commerce"), ERROR_FAILED_PRECONDITION);
    create_shard("c0-");
    must(topo_ensure_serving_graph(topo, NULL, "zone1", "commerce"));
    Topodata__SrvKeyspace *graph = read_graph("zone1");
    cr_assert_eq(graph->partitions[0]->n_shard_references, 3);
    cr_assert_str_eq(graph->partitions[0]->shard_references[0]->name, "-80");
    cr_assert_str_eq(graph->partitions[0]->shard_references[1]->name, "80-c0");
    cr_assert_str_eq(graph->partitions[0]->shard_references[2]->name, "c0-");
    record_freep(&graph);
}

Test(serving, a_gap_is_refused, .init = set_up, .fini = tear_down)
{
    create_shard("-40");
    create_shard("80-");
    must_be(topo_rebuild_keyspace_graph(topo, NULL, "commerce", NULL), ERROR_FAILED_PRECONDITION);
}

Test(serving, shards_that_do_not_serve_are_left_out, .init = set_up, .fini = tear_down)
{
    create_shard("0");
    create_shard("-80"); /* overlaps: does not serve */
    must(topo_rebuild_keyspace_graph(topo, NULL, "commerce", NULL));
    Topodata__SrvKeyspace *graph = read_graph("zone1");
    cr_assert_eq(graph->partitions[0]->n_shard_references, 1);
    record_freep(&graph);
}

Test(serving, a_resharding_under_way_is_left_alone, .init = set_up, .fini = tear_down)
{
    create_shard("0");
    Topodata__ShardTabletControl control = TOPODATA__SHARD_TABLET_CONTROL__INIT;
    Topodata__ShardTabletControl *controls[] = {&control};
    control.query_service_disabled = true;
    Topodata__SrvKeyspace__KeyspacePartition partition =
        TOPODATA__SRV_KEYSPACE__KEYSPACE_PARTITION__INIT;
    Topodata__SrvKeyspace__KeyspacePartition *partitions[] = {&partition};
    partition.n_shard_tablet_controls = 1;
    partition.shard_tablet_controls = controls;
    Topodata__SrvKeyspace graph = TOPODATA__SRV_KEYSPACE__INIT;
    graph.n_partitions = 1;
    graph.partitions = partitions;
    uint8_t packed[64];
    size_t size = topodata__srv_keyspace__pack(&graph, packed);
    struct topo_conn *conn;
    must(topo_cell(topo, NULL, "zone2", &conn));
    must(topo_create(conn, NULL, "keyspaces/commerce/SrvKeyspace", packed, size, NULL));
    must_be(topo_rebuild_keyspace_graph(topo, NULL, "commerce", NULL), ERROR_FAILED_PRECONDITION);
    struct strv cells = {0};
    strv_add(&cells, "zone1");
    must(topo_rebuild_keyspace_graph(topo, NULL, "commerce", &cells));
    strv_done(&cells);
}

Test(serving, missing_keyspace, .init = set_up, .fini = tear_down)
{
    must_be(topo_rebuild_keyspace_graph(topo, NULL, "nothing", NULL), ERROR_NOT_FOUND);
}

Test(serving, vschemas_and_rules_are_merged, .init = set_up, .fini = tear_down)
{
    create_shard("0");
    Vschema__Keyspace vschema = VSCHEMA__KEYSPACE__INIT;
    vschema.sharded = true;
    uint8_t packed[64];
    size_t size = vschema__keyspace__pack(&vschema, packed);
    must(topo_create(topo_global(topo), NULL, "keyspaces/customer/Keyspace", "", 0, NULL));
    must(topo_create(topo_global(topo), NULL, "keyspaces/customer/VSchema", packed, size, NULL));
    must(topo_create(topo_global(topo), NULL, "keyspaces/bare/Keyspace", "", 0, NULL));
    Vschema__RoutingRule rule = VSCHEMA__ROUTING_RULE__INIT;
    Vschema__RoutingRule *rules[] = {&rule};
    rule.from_table = (char *)(uintptr_t) "t";
    Vschema__RoutingRules routing = VSCHEMA__ROUTING_RULES__INIT;
    routing.n_rules = 1;
    routing.rules = rules;
    size = vschema__routing_rules__pack(&routing, packed);
    must(topo_create(topo_global(topo), NULL, "RoutingRules", packed, size, NULL));

    must(topo_rebuild_vschema_graph(topo, NULL, NULL));
    struct topo_conn *conn;
    must(topo_cell(topo, NULL, "zone2", &conn));
    struct topo_value value = {0};
    must(topo_get(conn, NULL, "SrvVSchema", &value));
    Vschema__SrvVSchema *graph = vschema__srv_vschema__unpack(NULL, value.size_bytes, value.data);
    topo_value_done(&value);
    cr_assert_eq(graph->n_keyspaces, 3);
    cr_assert_str_eq(graph->keyspaces[0]->key, "bare");
    cr_assert_str_eq(graph->keyspaces[2]->key, "customer");
    cr_assert(graph->keyspaces[2]->value->sharded);
    cr_assert_eq(graph->routing_rules->n_rules, 1);
    cr_assert_null(graph->mirror_rules);
    record_freep(&graph);
}

Test(serving, ensuring_writes_only_what_is_missing, .init = set_up, .fini = tear_down)
{
    create_shard("0");
    must(topo_ensure_serving_graph(topo, NULL, "zone1", "commerce"));
    struct topo_conn *conn;
    must(topo_cell(topo, NULL, "zone1", &conn));
    struct topo_value before = {0}, after = {0};
    must(topo_get(conn, NULL, "SrvVSchema", &before));
    must(topo_ensure_serving_graph(topo, NULL, "zone1", "commerce"));
    must(topo_get(conn, NULL, "SrvVSchema", &after));
    cr_assert_eq(before.version, after.version);
    topo_value_done(&before);
    topo_value_done(&after);
    must(topo_cell(topo, NULL, "zone2", &conn));
    must_be(topo_get(conn, NULL, "SrvVSchema", &before), ERROR_NOT_FOUND);
}
