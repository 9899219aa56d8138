/* A connection that breaks in the middle of a call: through a relay that can be cut. */
#include "loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct relay {
    int listener, cut[2]; /* a pipe: closing its end cuts */
    uint16_t port, server_port;
    pthread_t thread;
} relay;

static struct sockaddr_in
local(uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return name;
}

static bool
forward(int from, int to)
{
    char bytes[16384];
    ssize_t count = read(from, bytes, sizeof(bytes));
    return count > 0 && write(to, bytes, (size_t)count) == count;
}

static void *
relay_main(void *data)
{
    (void)data;
    struct sockaddr_in name = local(relay.server_port);
    int client = accept(relay.listener, NULL, NULL);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_up = connect(server, (struct sockaddr *)&name, sizeof(name)) == 0;
    while (is_up) {
        struct pollfd watched[] = {{.fd = client, .events = POLLIN},
                                   {.fd = server, .events = POLLIN},
                                   {.fd = relay.cut[0], .events = POLLIN}};
        poll(watched, 3, -1);
        if (watched[2].revents != 0)
            break;
        if (watched[0].revents != 0)
            is_up = forward(client, server);
        if (is_up && watched[1].revents != 0)
            is_up = forward(server, client);
    }
    close(client);
    close(server);
    return NULL;
}

static void
relay_start(void)
{
    struct sockaddr_in name = local(0);
    socklen_t size = sizeof(name);
    relay.server_port = (uint16_t)rpc_server_port(loopback.server, 0);
    relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(relay.listener, (struct sockaddr *)&name, sizeof(name)), 0);
    cr_assert_eq(listen(relay.listener, 5), 0);
    cr_assert_eq(getsockname(relay.listener, (struct sockaddr *)&name, &size), 0);
    relay.port = ntohs(name.sin_port);
    cr_assert_eq(pipe(relay.cut), 0);
    cr_assert_eq(pthread_create(&relay.thread, NULL, relay_main, NULL), 0);
}

static void
relay_cut(void)
{
    close(relay.cut[1]);
    pthread_join(relay.thread, NULL);
    close(relay.cut[0]);
    close(relay.listener);
}

static void *
sleep_thread(void *data)
{
    (void)data;
    return call_sleep(loopback.channel, NULL);
}

Test(rpc_disconnect, handler_and_client_notice, .init = loopback_init, .fini = loopback_done)
{
    loopback_serve((struct rpc_server_options){.addresses = NULL});
    relay_start();
    char target[64];
    snprintf(target, sizeof(target), "127.0.0.1:%d", relay.port);
    loopback.channel = loopback_connect((struct rpc_channel_options){.target = target});
    pthread_t thread;
    void *error;
    cr_assert_eq(pthread_create(&thread, NULL, sleep_thread, NULL), 0);
    wait_for(&loopback.sleeping, 1);
    relay_cut();
    wait_for(&loopback.woken, 1);
    pthread_join(thread, &error);
    assert_error(error, ERROR_UNAVAILABLE, "");
}
