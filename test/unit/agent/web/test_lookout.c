#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/topo/health_record.h"
#include "agent/web/lookout.h"

static struct tablet_context context;
static struct tablet_identity identity;
static struct lookout *lookout;
static pthread_t thread;

static void *
run(void *data)
{
    (void)data;
    loop_run(context.loop);
    return NULL;
}

static void
add_tablet(uint32_t uid, Topodata__TabletType type)
{
    Topodata__Tablet tablet = TOPODATA__TABLET__INIT;
    Topodata__TabletAlias alias = TOPODATA__TABLET_ALIAS__INIT;
    alias.cell = (char *)"zone1";
    alias.uid = uid;
    tablet.alias = &alias;
    tablet.type = type;
    tablet.keyspace = (char *)"ks";
    tablet.shard = (char *)"0";
    tablet.hostname = (char *)"host";
    cr_assert_null(topo_register_tablet(context.topo, context.stop, &tablet));
}

static void
add_document(uint32_t uid, const char *type, int64_t lag_ms)
{
    struct tablet_alias alias = {.cell = "zone1", .uid = uid};
    struct health_record record = {.type = (char *)(uintptr_t)type,
                                   .is_serving = true,
                                   .state = (char *)"as it says",
                                   .lag_ms = lag_ms,
                                   .time_ns = 1};
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    CLEANUP(freep) char *path = health_record_path(&alias);
    struct topo_conn *cell;
    int64_t lease;
    health_record_print(&record, &json);
    cr_assert_null(topo_cell(context.topo, context.stop, "zone1", &cell));
    cr_assert_null(topo_lease_grant(cell, context.stop, 60, &lease));
    cr_assert_null(topo_lease_put(cell, context.stop, path, json.data, json.length_bytes, lease));
}

static void
say_running(void *data)
{
    sem_post(data);
}

/* A call before the loop runs is done by whoever calls. */
static void
start_loop(void)
{
    sem_t is_running;
    sem_init(&is_running, 0, 0);
    loop_post(context.loop, "test", say_running, &is_running);
    cr_assert_eq(pthread_create(&thread, NULL, run, NULL), 0);
    while (sem_wait(&is_running) != 0)
        ;
    sem_destroy(&is_running);
}

static void
set_up(void)
{
    identity = (struct tablet_identity){.keyspace = (char *)"ks", .shard = (char *)"0"};
    context = (struct tablet_context){.identity = &identity, .stop = cancel_new(INT64_MAX)};
    cr_assert_null(loop_new(&context.loop));
    cr_assert_null(worker_new("wait", 1, &context.wait_worker));
    context.topo = topo_new_for_test(topo_memory_new());
    cr_assert_null(topo_put_cell_info(context.topo, context.stop, "zone1", "a:1", "/zone1", true));
    lookout = lookout_new(&context);
    start_loop();
}

static void
end_on_loop(void *data)
{
    lookout_end(data);
}

static void
tear_down(void)
{
    loop_call(context.loop, "test", end_on_loop, lookout);
    loop_stop(context.loop);
    pthread_join(thread, NULL);
    worker_free(context.wait_worker);
    lookout_free(lookout);
    topo_close(context.topo);
    cancel_unref(context.stop);
    loop_free(context.loop);
}

static void
start_on_loop(void *data)
{
    (void)data;
    lookout_start(lookout);
    lookout_want(lookout);
}

static void
copy_on_loop(void *data)
{
    *(struct shard_look *)data = *lookout_get(lookout);
}

/* Starts it and waits for its first look. */
static struct shard_look *
look(void)
{
    struct shard_look *seen = xcalloc(1, sizeof(*seen));
    int64_t end_ms = clock_monotonic_ms() + 20000;
    loop_call(context.loop, "test", start_on_loop, NULL);
    do {
        loop_call(context.loop, "test", copy_on_loop, seen);
        error_free(cancel_sleep_ms(context.stop, 5));
    } while (seen->looked_ms == 0 && clock_monotonic_ms() < end_ms);
    return seen;
}

Test(lookout, every_tablet_of_the_shard_is_seen_the_primary_first, .init = set_up,
     .fini = tear_down)
{
    add_tablet(100, TOPODATA__TABLET_TYPE__REPLICA);
    add_tablet(101, TOPODATA__TABLET_TYPE__RDONLY);
    add_tablet(102, TOPODATA__TABLET_TYPE__REPLICA);
    add_document(100, "replica", 300);
    add_document(102, "primary", 0); /* newer than its record */
    CLEANUP(freep) struct shard_look *seen = look();
    cr_assert_eq(seen->count, 3);
    cr_assert_str_eq(seen->error, "");
    cr_assert_str_eq(seen->rows[0].alias, "zone1-0000000102");
    cr_assert_str_eq(seen->rows[0].type, "primary");
    cr_assert_str_eq(seen->rows[1].state, "as it says");
    cr_assert_eq(seen->rows[1].lag_ms, 300);
    cr_assert(seen->rows[1].has_document && seen->rows[1].is_serving);
    cr_assert_not(seen->rows[2].has_document);
    cr_assert_eq(seen->rows[2].lag_ms, -1);
    cr_assert_str_eq(seen->rows[2].type, "rdonly");
    cr_assert_not_null(strstr(seen->rows[2].state, "no health document"));
}

Test(lookout, more_than_it_shows_are_counted, .init = set_up, .fini = tear_down)
{
    for (uint32_t i = 0; i < SHARD_LOOK_MOST + 5; i++)
        add_tablet(i, TOPODATA__TABLET_TYPE__REPLICA);
    CLEANUP(freep) struct shard_look *seen = look();
    cr_assert_eq(seen->count, SHARD_LOOK_MOST);
    cr_assert_eq(seen->left_out, 5);
}
