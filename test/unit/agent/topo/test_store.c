/* The same cases on both stores. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "stores.h"

#define LONG_MS 60000

static void
expect_value(struct topo_conn *conn, const char *path, const char *text, int64_t version)
{
    struct topo_value value = {0};
    must(topo_get(conn, NULL, path, &value));
    cr_assert_eq(value.size_bytes, strlen(text));
    cr_assert_arr_eq(value.data, text, value.size_bytes);
    cr_assert_eq(value.version, version);
    topo_value_done(&value);
}

static void
files_have_versions(struct topo_conn *conn)
{
    struct topo_value value = {0};
    must_be(topo_get(conn, NULL, "a/File", &value), ERROR_NOT_FOUND);
    int64_t first = 0, second = 0;
    must(topo_create(conn, NULL, "a/File", "one", 3, &first));
    cr_assert_gt(first, 0);
    expect_value(conn, "a/File", "one", first);
    must_be(topo_create(conn, NULL, "a/File", "two", 3, NULL), ERROR_ALREADY_EXISTS);
    must(topo_update(conn, NULL, "a/File", "two", 3, first, &second));
    cr_assert_gt(second, first);
    must_be(topo_update(conn, NULL, "a/File", "three", 5, first, NULL), ERROR_ABORTED);
    expect_value(conn, "a/File", "two", second);
    must_be(topo_delete(conn, NULL, "a/File", first), ERROR_ABORTED);
    must(topo_delete(conn, NULL, "a/File", second));
    must_be(topo_delete(conn, NULL, "a/File", second), ERROR_NOT_FOUND);
    must_be(topo_delete(conn, NULL, "a/File", TOPO_ANY_VERSION), ERROR_NOT_FOUND);
    must_be(topo_update(conn, NULL, "a/File", "x", 1, second, NULL), ERROR_ABORTED);
    must(topo_update(conn, NULL, "a/File", "", 0, TOPO_ANY_VERSION, &first));
    expect_value(conn, "a/File", "", first);
    must(topo_delete(conn, NULL, "a/File", TOPO_ANY_VERSION));
    must_be(topo_get(conn, NULL, "/a", &value), ERROR_INVALID_ARGUMENT);
    must_be(topo_get(conn, NULL, "a//b", &value), ERROR_INVALID_ARGUMENT);
}

static void
folders_are_listed(struct topo_conn *conn)
{
    struct strv names = {0};
    must_be(topo_list_directory(conn, NULL, "list", &names), ERROR_NOT_FOUND);
    const char *paths[] = {"list/b/x", "list/b-c/x", "list/b/y", "list/a", "lists/z", "list2"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
        must(topo_create(conn, NULL, paths[i], paths[i], strlen(paths[i]), NULL));
    must(topo_list_directory(conn, NULL, "list", &names));
    char *joined = strv_join(&names, " ");
    cr_assert_str_eq(joined, "a b b-c");
    free(joined);
    strv_done(&names);
    must(topo_list_directory(conn, NULL, "", &names));
    cr_assert(strv_contains(&names, "list2"));
    strv_done(&names);

    struct topo_files files = {0};
    must(topo_read_tree(conn, NULL, "list", &files));
    cr_assert_eq(files.count, 4);
    cr_assert_str_eq(files.items[0].path, "list/a");
    cr_assert_eq(files.items[0].value.size_bytes, strlen("list/a"));
    topo_files_done(&files);
    must(topo_read_tree(conn, NULL, "nothing", &files));
    cr_assert_eq(files.count, 0);
}

/* More than a page. */
static void
long_lists_are_whole(struct topo_conn *conn)
{
    for (int i = 0; i < 1100; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "many/%05d/Tablet", i);
        must(topo_create(conn, NULL, path, path, strlen(path), NULL));
    }
    struct topo_files files = {0};
    must(topo_read_tree(conn, NULL, "many", &files));
    cr_assert_eq(files.count, 1100);
    cr_assert_str_eq(files.items[1099].path, "many/01099/Tablet");
    topo_files_done(&files);
}

struct claimant {
    struct topo_conn *conn;
    struct topo_lock *lock;
    atomic_bool has_it;
};

static void *
claim(void *data)
{
    struct claimant *claimant = data;
    struct cancel *cancel = cancel_new_child(NULL, LONG_MS);
    must(topo_lock(claimant->conn, cancel, "locked", "second", &claimant->lock));
    atomic_store(&claimant->has_it, true);
    cancel_unref(cancel);
    return NULL;
}

static size_t
count_claims(struct topo_conn *conn)
{
    struct topo_files files = {0};
    must(topo_read_tree(conn, NULL, "locked/locks", &files));
    size_t count = files.count;
    topo_files_done(&files);
    return count;
}

static void
lock_contents_are_vitess_s(struct topo_conn *conn)
{
    struct topo_files files = {0};
    must(topo_read_tree(conn, NULL, "locked/locks", &files));
    cr_assert_eq(files.count, 1);
    char *text = xstrndup((char *)files.items[0].value.data, files.items[0].value.size_bytes);
    cr_assert(str_starts_with(text, "{\n  \"Action\": \"first\",\n  \"HostName\": \""));
    cr_assert(str_ends_with(text, "\",\n  \"Options\": {},\n  \"Status\": \"Running\"\n}"));
    free(text);
    topo_files_done(&files);
}

static void
locks_are_given_in_turn(struct topo_conn *conn)
{
    struct topo_lock *first = NULL;
    must_be(topo_lock(conn, NULL, "locked", "first", &first), ERROR_NOT_FOUND);
    must(topo_create(conn, NULL, "locked/File", "x", 1, NULL));
    must(topo_lock(conn, NULL, "locked", "first", &first));
    must(topo_lock_check(first, NULL));
    lock_contents_are_vitess_s(conn);

    struct claimant claimant = {.conn = conn};
    atomic_init(&claimant.has_it, false);
    pthread_t thread;
    pthread_create(&thread, NULL, claim, &claimant);
    for (int64_t end = clock_monotonic_ms() + LONG_MS; count_claims(conn) < 2;) {
        cr_assert_lt(clock_monotonic_ms(), end);
        must(cancel_sleep_ms(NULL, 10));
    }
    cr_assert(!atomic_load(&claimant.has_it));

    struct cancel *soon = cancel_new_child(NULL, 50);
    struct topo_lock *third = NULL;
    must_be(topo_lock(conn, soon, "locked", "third", &third), ERROR_DEADLINE_EXCEEDED);
    cancel_unref(soon);
    cr_assert_eq(count_claims(conn), 2);

    topo_unlock(first);
    pthread_join(thread, NULL);
    cr_assert(atomic_load(&claimant.has_it));
    must(topo_lock_check(claimant.lock, NULL));
    topo_unlockp(&claimant.lock);
    cr_assert_eq(count_claims(conn), 0);
    topo_unlock(NULL);
}

struct watching {
    struct topo_conn *conn;
    struct cancel *cancel;
    pthread_mutex_t mutex;
    char last[16]; /* "-": gone */
    int64_t version;
};

static void
note_value(const struct topo_value *value, void *data)
{
    struct watching *watching = data;
    pthread_mutex_lock(&watching->mutex);
    if (value == NULL)
        (void)snprintf(watching->last, sizeof(watching->last), "-");
    else
        (void)snprintf(watching->last, sizeof(watching->last), "%.*s", (int)value->size_bytes,
                       (const char *)value->data);
    watching->version = value == NULL ? 0 : value->version;
    pthread_mutex_unlock(&watching->mutex);
}

static void *
watch(void *data)
{
    struct watching *watching = data;
    must_be(topo_watch(watching->conn, watching->cancel, "watched/File", note_value, watching),
            ERROR_CANCELED);
    return NULL;
}

static void
expect_last(struct watching *watching, const char *text, int64_t version)
{
    for (int64_t end = clock_monotonic_ms() + LONG_MS;;) {
        pthread_mutex_lock(&watching->mutex);
        bool is_there = strcmp(watching->last, text) == 0 && watching->version == version;
        pthread_mutex_unlock(&watching->mutex);
        if (is_there)
            return;
        cr_assert_lt(clock_monotonic_ms(), end);
        must(cancel_sleep_ms(NULL, 5));
    }
}

static void
start_watch(struct watching *watching, struct topo_conn *conn, pthread_t *thread)
{
    *watching = (struct watching){.conn = conn, .cancel = cancel_new(INT64_MAX)};
    pthread_mutex_init(&watching->mutex, NULL);
    pthread_create(thread, NULL, watch, watching);
}

static void
stop_watch(struct watching *watching, pthread_t thread)
{
    cancel_request(watching->cancel);
    pthread_join(thread, NULL);
    cancel_unref(watching->cancel);
    pthread_mutex_destroy(&watching->mutex);
}

static void
changes_are_told(struct topo_conn *conn)
{
    struct watching watching;
    pthread_t thread;
    start_watch(&watching, conn, &thread);
    expect_last(&watching, "-", 0);
    int64_t version;
    must(topo_create(conn, NULL, "watched/File", "one", 3, &version));
    expect_last(&watching, "one", version);
    must(topo_update(conn, NULL, "watched/File", "two", 3, version, &version));
    expect_last(&watching, "two", version);
    must(topo_delete(conn, NULL, "watched/File", version));
    expect_last(&watching, "-", 0);
    stop_watch(&watching, thread);

    must(topo_create(conn, NULL, "watched/File", "new", 3, &version));
    start_watch(&watching, conn, &thread);
    expect_last(&watching, "new", version);
    stop_watch(&watching, thread);
}

static void
ended_tokens_end_calls(struct topo_conn *conn)
{
    struct cancel *cancel = cancel_new(INT64_MAX);
    cancel_request(cancel);
    struct topo_value value = {0};
    must_be(topo_get(conn, cancel, "a/File", &value), ERROR_CANCELED);
    cancel_unref(cancel);
}

static void
run_cases(struct topo_conn *conn)
{
    files_have_versions(conn);
    folders_are_listed(conn);
    locks_are_given_in_turn(conn);
    changes_are_told(conn);
    ended_tokens_end_calls(conn);
    long_lists_are_whole(conn);
}

Test(store, memory)
{
    struct topo_conn *conn = topo_memory_new();
    run_cases(conn);
    topo_conn_free(conn);
}

static struct topo_conn *
connect_etcd(struct rpc_pump *pump, const char *addresses, const char *root)
{
    struct topo_etcd_options options = {.addresses = addresses, .root = root};
    struct topo_conn *conn = NULL;
    must(topo_etcd_new(pump, &options, &conn));
    return conn;
}

Test(store, etcd, .timeout = 240)
{
    struct etcd_server *server = etcd_server_start();
    if (server == NULL)
        return;
    struct rpc_pump *pump = NULL;
    must(rpc_pump_start(&pump));
    struct topo_conn *conn = connect_etcd(pump, etcd_server_address(server), "/vitess/global");
    run_cases(conn);

    /* The root is joined as Vitess joins it. */
    struct topo_conn *parent = connect_etcd(pump, etcd_server_address(server), "/vitess//");
    struct strv names = {0};
    must(topo_list_directory(parent, NULL, "", &names));
    cr_assert_eq(names.count, 1);
    cr_assert_str_eq(names.items[0], "global");
    strv_done(&names);
    topo_conn_free(parent);
    topo_conn_free(conn);
    rpc_pump_stop(pump);
    etcd_server_stop(server);
}

Test(store, etcd_failover_and_restart, .timeout = 240)
{
    struct etcd_server *server = etcd_server_start();
    if (server == NULL)
        return;
    struct rpc_pump *pump = NULL;
    must(rpc_pump_start(&pump));
    /* Nobody listens on the first address. */
    char *addresses = xasprintf("127.0.0.1:1,http://%s/", etcd_server_address(server));
    struct topo_conn *conn = connect_etcd(pump, addresses, "/r");
    int64_t version;
    must(topo_create(conn, NULL, "watched/File", "one", 3, &version));
    expect_value(conn, "watched/File", "one", version);
    struct topo_lock *lock = NULL;
    must(topo_lock(conn, NULL, "watched", "work", &lock));
    struct watching watching;
    pthread_t thread;
    start_watch(&watching, conn, &thread);
    expect_last(&watching, "one", version);

    etcd_server_kill(server);
    struct cancel *cancel = cancel_new_child(NULL, 2000);
    struct topo_value value = {0};
    struct error *away = topo_get(conn, cancel, "watched/File", &value);
    cr_assert(error_is(away, ERROR_UNAVAILABLE) || error_is(away, ERROR_DEADLINE_EXCEEDED));
    error_free(away);
    cancel_unref(cancel);
    etcd_server_restart(server);

    struct cancel *patient = cancel_new_child(NULL, LONG_MS);
    must(topo_update(conn, patient, "watched/File", "two", 3, version, &version));
    cancel_unref(patient);
    expect_last(&watching, "two", version);
    stop_watch(&watching, thread);
    must(topo_lock_check(lock, NULL));
    topo_unlock(lock);
    topo_conn_free(conn);
    free(addresses);
    rpc_pump_stop(pump);
    etcd_server_stop(server);
}

static struct error *
create_over(struct rpc_pump *pump, const char *address, const struct rpc_tls *tls, const char *path)
{
    struct topo_etcd_options options = {.addresses = address, .root = "/r", .tls = *tls};
    struct topo_conn *conn = NULL;
    must(topo_etcd_new(pump, &options, &conn));
    struct error *error = topo_create(conn, NULL, path, "x", 1, NULL);
    topo_conn_free(conn);
    return error;
}

Test(store, etcd_over_tls, .timeout = 240)
{
    struct etcd_server *server = etcd_server_start_tls();
    if (server == NULL)
        return;
    struct rpc_pump *pump = NULL;
    must(rpc_pump_start(&pump));
    struct rpc_tls tls = {.certificate_file = etcd_server_certificate(server),
                          .key_file = etcd_server_key(server),
                          .ca_file = etcd_server_certificate(server)};
    const char *address = etcd_server_address(server);
    char *https = xasprintf("https://%s", address);
    char *http = xasprintf("http://%s", address);
    must(create_over(pump, https, &tls, "a/https"));
    must(create_over(pump, address, &tls, "a/bare")); /* files given: TLS */
    /* http:// means plaintext whatever files there are. */
    must_be(create_over(pump, http, &tls, "a/http"), ERROR_UNAVAILABLE);
    /* Without the CA the certificate is not one of the system's. */
    must_be(create_over(pump, https, &(struct rpc_tls){.key_file = NULL}, "a/none"),
            ERROR_UNAVAILABLE);
    free(https);
    free(http);
    free(tls.certificate_file);
    free(tls.key_file);
    free(tls.ca_file);
    rpc_pump_stop(pump);
    etcd_server_stop(server);
}

Test(store, bad_etcd_addresses_are_refused)
{
    struct rpc_pump *pump = NULL;
    must(rpc_pump_start(&pump));
    const char *bad[] = {"", ",", "etcd", "ftp://etcd:2379", "etcd:http"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct topo_etcd_options options = {.addresses = bad[i], .root = "/"};
        struct topo_conn *conn = NULL;
        must_be(topo_etcd_new(pump, &options, &conn), ERROR_INVALID_ARGUMENT);
        cr_assert_null(conn);
    }
    rpc_pump_stop(pump);
}
