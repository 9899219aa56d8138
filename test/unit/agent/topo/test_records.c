#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "stores.h"

static struct topo *topo;

static void
set_up(void)
{
    topo = topo_new_for_test(topo_memory_new());
}

static void
tear_down(void)
{
    topo_close(topo);
}

static char *
literal(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void
register_tablet(const char *cell, uint32_t uid, const char *keyspace, const char *shard)
{
    Topodata__TabletAlias alias = TOPODATA__TABLET_ALIAS__INIT;
    alias.cell = literal(cell);
    alias.uid = uid;
    Topodata__Tablet tablet = TOPODATA__TABLET__INIT;
    tablet.alias = &alias;
    tablet.keyspace = literal(keyspace);
    tablet.shard = literal(shard);
    tablet.hostname = literal("host");
    must(topo_register_tablet(topo, NULL, &tablet));
}

Test(records, missing_things_are_named, .init = set_up, .fini = tear_down)
{
    Topodata__Keyspace *keyspace = NULL;
    struct error *error = topo_get_keyspace(topo, NULL, "commerce", &keyspace, NULL);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    cr_assert_str_eq(error->message, "keyspace 'commerce' does not exist");
    error_free(error);
    Topodata__CellInfo *info = NULL;
    error = topo_get_cell_info(topo, NULL, "zone1", &info);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    cr_assert_not_null(strstr(error->message, "vtagent ctl AddCellInfo"));
    error_free(error);
    struct strv names = {0};
    must(topo_list_cells(topo, NULL, &names));
    must(topo_list_keyspaces(topo, NULL, &names));
    cr_assert_eq(names.count, 0);
}

Test(records, cells, .init = set_up, .fini = tear_down)
{
    must(topo_put_cell_info(topo, NULL, "zone1", "a:1", "/r", true));
    must_be(topo_put_cell_info(topo, NULL, "zone1", "b:1", "/r", true), ERROR_ALREADY_EXISTS);
    must(topo_put_cell_info(topo, NULL, "zone1", "b:1", "/r", false));
    Topodata__CellInfo *info = NULL;
    must(topo_get_cell_info(topo, NULL, "zone1", &info));
    cr_assert_str_eq(info->server_address, "b:1");
    record_freep(&info);
    struct topo_conn *conn = NULL, *again = NULL;
    must(topo_cell(topo, NULL, "zone1", &conn));
    must(topo_cell(topo, NULL, "zone1", &again));
    cr_assert_eq(conn, again);
    cr_assert_neq(conn, topo_global(topo));
    must(topo_cell(topo, NULL, "global", &again));
    cr_assert_eq(again, topo_global(topo));
}

Test(records, shard_is_created_with_vitess_s_defaults, .init = set_up, .fini = tear_down)
{
    Topodata__Shard *shard = NULL;
    char *sidecar = NULL;
    must(topo_get_or_create_shard(topo, NULL, "commerce", "-80", &shard, &sidecar));
    cr_assert_str_eq(sidecar, "_vt");
    cr_assert(shard->is_primary_serving);
    cr_assert_eq(shard->key_range->end.data[0], 0x80);
    record_freep(&shard);
    free(sidecar);

    struct topo_value value = {0};
    must(topo_get(topo_global(topo), NULL, "keyspaces/commerce/VSchema", &value));
    cr_assert_eq(value.size_bytes, 0);
    topo_value_done(&value);

    must(topo_get_or_create_shard(topo, NULL, "commerce", "80-", &shard, NULL));
    cr_assert(shard->is_primary_serving);
    record_freep(&shard);
    must(topo_get_or_create_shard(topo, NULL, "commerce", "40-C0", &shard, NULL));
    cr_assert(!shard->is_primary_serving);
    record_freep(&shard);
    must(topo_get_shard(topo, NULL, "commerce", "40-c0", &shard, NULL));
    record_freep(&shard);
    must(topo_get_or_create_shard(topo, NULL, "commerce", "0", &shard, NULL));
    cr_assert(!shard->is_primary_serving);
    cr_assert_null(shard->key_range);
    record_freep(&shard);
    must_be(topo_get_or_create_shard(topo, NULL, "comm/erce", "0", &shard, NULL),
            ERROR_INVALID_ARGUMENT);
}

Test(records, empty_sidecar_name_is_filled_in, .init = set_up, .fini = tear_down)
{
    Topodata__Keyspace record = TOPODATA__KEYSPACE__INIT;
    must(topo_create_keyspace(topo, NULL, "commerce", &record));
    must_be(topo_create_keyspace(topo, NULL, "commerce", &record), ERROR_ALREADY_EXISTS);
    Topodata__Shard *shard = NULL;
    char *sidecar = NULL, *policy = NULL;
    must(topo_get_or_create_shard(topo, NULL, "commerce", "0", &shard, &sidecar));
    cr_assert_str_eq(sidecar, "_vt");
    must(topo_get_durability(topo, NULL, "commerce", &policy));
    cr_assert_str_eq(policy, "none");
    free(sidecar);
    free(policy);
    record_freep(&shard);
}

static bool
set_primary(Topodata__Shard *shard, void *data)
{
    struct tablet_alias *alias = data;
    struct tablet_alias now = tablet_alias_of(shard->primary_alias);
    if (tablet_alias_equal(&now, alias))
        return false;
    record_set_alias(&shard->primary_alias, alias);
    record_set_time(&shard->primary_term_start_time, 1500000000123456789);
    return true;
}

/* Field 200, a text: what a later Vitess may add. */
static const uint8_t unknown_field[] = {0xc2, 0x0c, 0x03, 'n', 'e', 'w'};

Test(records, changes_keep_unknown_fields, .init = set_up, .fini = tear_down)
{
    const char *path = "keyspaces/commerce/shards/0/Shard";
    must(topo_create(topo_global(topo), NULL, path, unknown_field, sizeof(unknown_field), NULL));
    struct tablet_alias alias = {"zone1", 100};
    must(topo_update_shard(topo, NULL, "commerce", "0", set_primary, &alias));
    Topodata__Shard *shard = NULL;
    int64_t version, same;
    must(topo_get_shard(topo, NULL, "commerce", "0", &shard, &version));
    cr_assert_eq(shard->primary_alias->uid, 100);
    cr_assert_eq(record_time_ns(shard->primary_term_start_time), 1500000000123456789);
    cr_assert_eq(shard->base.n_unknown_fields, 1);
    cr_assert_eq(shard->base.unknown_fields[0].tag, 200);
    record_freep(&shard);
    /* Nothing to change: no write. */
    must(topo_update_shard(topo, NULL, "commerce", "0", set_primary, &alias));
    must(topo_get_shard(topo, NULL, "commerce", "0", &shard, &same));
    cr_assert_eq(same, version);
    record_freep(&shard);
    must_be(topo_update_shard(topo, NULL, "commerce", "1", set_primary, &alias), ERROR_NOT_FOUND);
}

struct intruder {
    int left;
    char *host;
};

/* Somebody else writes between our reading and our writing, twice. */
static bool
change_with_intruder(Topodata__Tablet *tablet, void *data)
{
    struct intruder *intruder = data;
    if (intruder->left-- > 0)
        register_tablet("zone1", 100, "commerce", "0");
    record_set_string(&tablet->hostname, intruder->host);
    return true;
}

Test(records, changes_are_repeated_on_a_race, .init = set_up, .fini = tear_down)
{
    register_tablet("zone1", 100, "commerce", "0");
    struct tablet_alias alias = {"zone1", 100};
    struct intruder intruder = {2, literal("mine")};
    must(topo_update_tablet(topo, NULL, &alias, change_with_intruder, &intruder));
    cr_assert_eq(intruder.left, -1);
    Topodata__Tablet *tablet = NULL;
    must(topo_get_tablet(topo, NULL, &alias, &tablet, NULL));
    cr_assert_str_eq(tablet->hostname, "mine");
    record_freep(&tablet);
}

Test(records, tablets_are_registered_listed_and_deleted, .init = set_up, .fini = tear_down)
{
    register_tablet("zone1", 101, "commerce", "0");
    register_tablet("zone1", 100, "commerce", "0");
    register_tablet("zone1", 100, "commerce", "0"); /* a restart */
    register_tablet("zone2", 9, "commerce", "0");
    register_tablet("zone1", 300, "customer", "-80");
    struct tablet_list list = {0};
    must(topo_list_shard_tablets(topo, NULL, "commerce", "0", &list));
    cr_assert_eq(list.count, 3);
    cr_assert_eq(list.items[0]->alias->uid, 100);
    cr_assert_eq(list.items[1]->alias->uid, 101);
    cr_assert_str_eq(list.items[2]->alias->cell, "zone2");
    tablet_list_done(&list);
    must(topo_list_tablets(topo, NULL, "zone1", NULL, NULL, &list));
    cr_assert_eq(list.count, 3);
    tablet_list_done(&list);
    must(topo_list_tablets(topo, NULL, "zone3", NULL, NULL, &list));
    cr_assert_eq(list.count, 0);
    tablet_list_done(&list);

    struct strv aliases = {0};
    must(topo_list_replication(topo, NULL, "zone1", "commerce", "0", &aliases));
    cr_assert_eq(aliases.count, 2);
    strv_done(&aliases);
    struct tablet_alias alias = {"zone1", 101};
    must(topo_delete_tablet(topo, NULL, &alias));
    must_be(topo_delete_tablet(topo, NULL, &alias), ERROR_NOT_FOUND);
    must(topo_list_replication(topo, NULL, "zone1", "commerce", "0", &aliases));
    cr_assert_eq(aliases.count, 1);
    cr_assert_str_eq(aliases.items[0], "zone1-0000000100");
    strv_done(&aliases);
}

Test(records, a_tablet_does_not_change_its_shard, .init = set_up, .fini = tear_down)
{
    register_tablet("zone1", 100, "commerce", "0");
    Topodata__TabletAlias alias = TOPODATA__TABLET_ALIAS__INIT;
    alias.cell = literal("zone1");
    alias.uid = 100;
    Topodata__Tablet tablet = TOPODATA__TABLET__INIT;
    tablet.alias = &alias;
    tablet.keyspace = literal("customer");
    tablet.shard = literal("0");
    must_be(topo_register_tablet(topo, NULL, &tablet), ERROR_FAILED_PRECONDITION);
}

Test(records, undecodable_records_are_errors, .init = set_up, .fini = tear_down)
{
    struct topo_conn *conn = NULL;
    must(topo_cell(topo, NULL, "zone1", &conn));
    must(topo_create(conn, NULL, "tablets/zone1-0000000100/Tablet", "\xff\xff", 2, NULL));
    struct tablet_list list = {0};
    must_be(topo_list_tablets(topo, NULL, "zone1", NULL, NULL, &list), ERROR_DATA_LOSS);
}

Test(records, ports_and_database_names)
{
    Topodata__Tablet tablet = TOPODATA__TABLET__INIT;
    Topodata__Tablet__PortMapEntry entry = TOPODATA__TABLET__PORT_MAP_ENTRY__INIT;
    Topodata__Tablet__PortMapEntry *entries[] = {&entry};
    entry.key = literal("grpc");
    entry.value = 15999;
    tablet.port_map = entries;
    tablet.n_port_map = 1;
    tablet.keyspace = literal("commerce");
    cr_assert_eq(tablet_port(&tablet, "grpc"), 15999);
    cr_assert_eq(tablet_port(&tablet, "vt"), 0);
    char *name = tablet_database_name(&tablet);
    cr_assert_str_eq(name, "vt_commerce");
    free(name);
    tablet.db_name_override = literal("legacy");
    name = tablet_database_name(&tablet);
    cr_assert_str_eq(name, "legacy");
    free(name);
}
