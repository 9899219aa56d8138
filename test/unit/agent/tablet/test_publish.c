#include <criterion/criterion.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/tablet/tablet_internal.h"

/* The loop never runs here: loop_call() then works on this thread. */
static struct loop *loop;
static struct tablet_identity identity;
static struct tablet_context context;
static struct topo *topo;
static int deletions, changes;

static void
on_deleted(void *data)
{
    (void)data;
    deletions++;
}

static void
on_change(void *data)
{
    (void)data;
    changes++;
}

static void
set_up(void)
{
    deletions = changes = 0;
    cr_assert_null(loop_new(&loop));
    topo = topo_new_for_test(topo_memory_new());
    cr_assert_null(topo_put_cell_info(topo, NULL, "zone1", "localhost:1", "/zone1", true));
    identity = (struct tablet_identity){.alias = {.cell = "zone1", .uid = 100},
                                        .keyspace = (char *)"ks",
                                        .shard = (char *)"0",
                                        .database = (char *)"vt_ks",
                                        .sidecar = (char *)"_vt",
                                        .hostname = (char *)"host",
                                        .mysql_hostname = (char *)"host",
                                        .http_port = 15000,
                                        .grpc_port = 15999,
                                        .init_type = TOPODATA__TABLET_TYPE__REPLICA,
                                        .remote_operation_timeout_ms = 30000};
    tablet_alias_format(&identity.alias, identity.alias_text);
    struct tablet_options options = {.loop = loop,
                                     .identity = &identity,
                                     .charset = "utf8mb4",
                                     .start_time_ns = 1,
                                     .on_record_deleted = on_deleted};
    context = (struct tablet_context){
        .identity = &identity, .loop = loop, .topo = topo, .on_change = on_change};
    tablet_bind(tablet_new(&options), &context);
    cr_assert_null(worker_new("query", 1, &context.query_worker));
}

static void
tear_down(void)
{
    worker_free(context.query_worker);
    tablet_stop_publishing(context.tablet);
    tablet_free(context.tablet);
    topo_close(topo);
    loop_free(loop);
}

static Topodata__Tablet *
read_record(void)
{
    Topodata__Tablet *record = NULL;
    cr_assert_null(topo_get_tablet(topo, NULL, &identity.alias, &record, NULL));
    return record;
}

static bool
steal(Topodata__Tablet *record, void *data)
{
    (void)data;
    struct tablet_facts facts = {.alias = &identity.alias,
                                 .hostname = "thief",
                                 .keyspace = "ks",
                                 .shard = "0",
                                 .http_port = 15000,
                                 .type = TOPODATA__TABLET_TYPE__RDONLY};
    cr_assert_null(tablet_record_fill(record, &facts));
    return true;
}

Test(publish, nothing_is_written_before_the_start, .init = set_up, .fini = tear_down)
{
    cr_assert_null(tablet_publish(&context, NULL));
    Topodata__Tablet *record = NULL;
    struct error *error = topo_get_tablet(topo, NULL, &identity.alias, &record, NULL);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    error_free(error);
    cr_assert_eq(deletions, 0);
}

Test(publish, changes_follow_into_the_record, .init = set_up, .fini = tear_down)
{
    cr_assert_null(tablet_walk(&context, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__RDONLY, 0));
    cr_assert_null(tablet_start_publishing(&context, NULL));
    CLEANUP(tablet_record_freep) Topodata__Tablet *first = read_record();
    cr_assert_eq(first->type, TOPODATA__TABLET_TYPE__RDONLY);
    cr_assert_null(tablet_walk(&context, EVENT_DRAIN, TOPODATA__TABLET_TYPE__UNKNOWN, 0));
    tablet_set_server(&context, 3306, true);
    cr_assert_null(tablet_publish(&context, NULL));
    CLEANUP(tablet_record_freep) Topodata__Tablet *second = read_record();
    cr_assert_eq(second->type, TOPODATA__TABLET_TYPE__DRAINED);
    cr_assert_eq(second->mysql_port, 3306);
    cr_assert_eq(second->default_conn_collation, 45);
    cr_assert_eq(changes, 2);
}

Test(publish, a_record_of_another_process_is_left_alone, .init = set_up, .fini = tear_down)
{
    cr_assert_null(tablet_walk(&context, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA, 0));
    cr_assert_null(tablet_start_publishing(&context, NULL));
    cr_assert_null(topo_update_tablet(topo, NULL, &identity.alias, steal, NULL));
    cr_assert_null(tablet_walk(&context, EVENT_DRAIN, TOPODATA__TABLET_TYPE__UNKNOWN, 0));
    cr_assert_null(tablet_publish(&context, NULL));
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = read_record();
    cr_assert_str_eq(record->hostname, "thief");
    cr_assert_eq(record->type, TOPODATA__TABLET_TYPE__RDONLY);
    struct error *error = tablet_publish_term(&context, NULL, 77);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    error_free(error);
    cr_assert_null(tablet_unpublish(&context, NULL));
    CLEANUP(tablet_record_freep) Topodata__Tablet *after = read_record();
    cr_assert_str_eq(after->hostname, "thief");
}

Test(publish, a_deleted_record_ends_the_process, .init = set_up, .fini = tear_down)
{
    cr_assert_null(tablet_walk(&context, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA, 0));
    cr_assert_null(tablet_start_publishing(&context, NULL));
    cr_assert_null(topo_delete_tablet(topo, NULL, &identity.alias));
    struct error *error = tablet_publish(&context, NULL);
    cr_assert(error_is(error, ERROR_NOT_FOUND));
    error_free(error);
    cr_assert_eq(deletions, 1);
}

Test(publish, a_term_is_written_before_the_role_is_taken, .init = set_up, .fini = tear_down)
{
    cr_assert_null(tablet_walk(&context, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA, 0));
    cr_assert_null(tablet_start_publishing(&context, NULL));
    cr_assert_null(tablet_publish_term(&context, NULL, 7000000001));
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = read_record();
    cr_assert_eq(record->type, TOPODATA__TABLET_TYPE__PRIMARY);
    cr_assert_eq(tablet_time_ns(record->primary_term_start_time), 7000000001);
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context.tablet, &snapshot);
    cr_assert_eq(snapshot.type, TOPODATA__TABLET_TYPE__REPLICA);
    cr_assert_null(tablet_publish(&context, NULL)); /* not taken: the record goes back */
    CLEANUP(tablet_record_freep) Topodata__Tablet *after = read_record();
    cr_assert_eq(after->type, TOPODATA__TABLET_TYPE__REPLICA);
    cr_assert_null(after->primary_term_start_time);
}

Test(publish, a_clean_stop_leaves_a_record_without_address, .init = set_up, .fini = tear_down)
{
    cr_assert_null(tablet_walk(&context, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA, 0));
    cr_assert_null(tablet_start_publishing(&context, NULL));
    cr_assert_null(tablet_walk(&context, EVENT_STOP, TOPODATA__TABLET_TYPE__UNKNOWN, 0));
    cr_assert_null(tablet_unpublish(&context, NULL));
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = read_record();
    cr_assert_str_eq(record->hostname, "");
    cr_assert_eq(record->n_port_map, 0);
    cr_assert_not_null(record->tablet_shutdown_time);
    cr_assert_eq(record->type, TOPODATA__TABLET_TYPE__REPLICA);
}

Test(publish, tags_merge_delete_and_replace, .init = set_up, .fini = tear_down)
{
    cr_assert_null(tablet_walk(&context, EVENT_FOLLOW, TOPODATA__TABLET_TYPE__REPLICA, 0));
    cr_assert_null(tablet_start_publishing(&context, NULL));
    struct strv names = {0}, values = {0};
    strv_add(&names, "a");
    strv_add(&values, "1");
    strv_add(&names, "b");
    strv_add(&values, "2");
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = NULL;
    cr_assert_null(tablet_change_tags(&context, NULL, &names, &values, false, &record));
    cr_assert_eq(record->n_tags, 2);
    tablet_record_freep(&record);
    str_replace(&values.items[0], "");
    cr_assert_null(tablet_change_tags(&context, NULL, &names, &values, false, &record));
    cr_assert_eq(record->n_tags, 1);
    cr_assert_str_eq(record->tags[0]->key, "b");
    tablet_record_freep(&record);
    struct strv none = {0};
    cr_assert_null(tablet_change_tags(&context, NULL, &none, &none, true, &record));
    cr_assert_eq(record->n_tags, 0);
    strv_done(&names);
    strv_done(&values);
}
