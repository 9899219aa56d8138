#include "loopback.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/file.h"

#define LISTEN_TEST(name) Test(rpc_listen, name, .init = loopback_init, .fini = loopback_done)

static struct error *
try_second(const char *address)
{
    const char *addresses[] = {address, NULL};
    struct rpc_server_options options = {.addresses = addresses};
    struct rpc_server *second = NULL;
    struct error *error = rpc_server_start(loopback.pump, &options, &second);
    rpc_server_stop(second, 0);
    return error;
}

LISTEN_TEST(busy_port_is_refused)
{
    loopback_serve((struct rpc_server_options){.addresses = NULL});
    assert_error(try_second(loopback.address), ERROR_FAILED_PRECONDITION,
                 "is another agent running?");
    assert_error(try_second(loopback.address), ERROR_FAILED_PRECONDITION, loopback.address);
}

LISTEN_TEST(senseless_address_is_refused)
{
    struct error *error = try_second("127.0.0.1:notaport");
    assert_error(error, ERROR_FAILED_PRECONDITION, "127.0.0.1:notaport");
}

static void
serve_unix(char *path, char *address)
{
    snprintf(path, 100, "%s/agent.sock", loopback.directory);
    snprintf(address, 120, "unix:%s", path);
    const char *addresses[] = {address, "127.0.0.1:0", NULL};
    loopback_serve((struct rpc_server_options){.addresses = addresses});
}

static void
ping_over(const char *target)
{
    struct rpc_channel *channel = loopback_connect((struct rpc_channel_options){.target = target});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    assert_ok(call_ping(channel, "x", cancel, NULL));
    rpc_channel_free(channel);
}

LISTEN_TEST(unix_socket_and_port_together)
{
    char path[100], address[120], other[64];
    serve_unix(path, address);
    ping_over(address);
    snprintf(other, sizeof(other), "127.0.0.1:%d", rpc_server_port(loopback.server, 1));
    ping_over(other);
    rpc_server_stop(loopback.server, 0);
    loopback.server = NULL;
    cr_assert(!file_exists(path));
    char lock[120];
    snprintf(lock, sizeof(lock), "%s.lock", path);
    cr_assert(!file_exists(lock));
}

LISTEN_TEST(live_servers_path_is_not_stolen)
{
    char path[100], address[120];
    serve_unix(path, address);
    assert_error(try_second(address), ERROR_FAILED_PRECONDITION, "is another agent running?");
    ping_over(address);
}

static int
bind_plain(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(descriptor, 0);
    cr_assert_eq(bind(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
    cr_assert_eq(listen(descriptor, 1), 0);
    return descriptor;
}

LISTEN_TEST(live_server_without_lock_file_is_respected)
{
    char path[100], address[120];
    snprintf(path, sizeof(path), "%s/agent.sock", loopback.directory);
    snprintf(address, sizeof(address), "unix:%s", path);
    int descriptor = bind_plain(path);
    assert_error(try_second(address), ERROR_FAILED_PRECONDITION, "is another agent running?");
    close(descriptor); /* the file stays: it is stale now */
    cr_assert(file_exists(path));
    serve_unix(path, address);
    ping_over(address);
}

LISTEN_TEST(missing_folder_and_long_path)
{
    assert_error(try_second("unix:/no/such/folder/x.sock"), ERROR_NOT_FOUND, "/no/such/folder");
    char address[200] = "unix:/tmp/";
    memset(address + strlen(address), 'x', 150);
    assert_error(try_second(address), ERROR_INVALID_ARGUMENT, "longer than");
}

/* Connections that send nothing are no calls. */
LISTEN_TEST(silent_connections_do_not_block_the_stop)
{
    char path[100], address[120];
    serve_unix(path, address);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    int silent[20];
    for (size_t i = 0; i < ARRAY_LENGTH(silent); i++) {
        silent[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(connect(silent[i], (struct sockaddr *)&name, sizeof(name)), 0);
    }
    ping_over(address);
    rpc_server_stop(loopback.server, 100);
    loopback.server = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(silent); i++)
        close(silent[i]);
}
