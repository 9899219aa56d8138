#include "stores.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"

#define ETCD "/usr/bin/etcd"
#define OPENSSL "/usr/bin/openssl"
#define READY_MS 60000

struct etcd_server {
    char folder[64];
    int port;
    bool is_tls;
    char *address, *client_url, *peer_url;
    pid_t pid;
};

void
must(struct error *error)
{
    if (error != NULL)
        fprintf(stderr, "unexpected: %s: %s\n", error_code_name(error->code), error->message);
    cr_assert_null(error);
}

void
must_be(struct error *error, enum error_code code)
{
    if (error == NULL || error->code != code)
        fprintf(stderr, "expected %s, got %s: %s\n", error_code_name(code),
                error == NULL ? "success" : error_code_name(error->code),
                error == NULL ? "" : error->message);
    cr_assert(error_is(error, code));
    error_free(error);
}

static struct sockaddr_in
loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int
free_port(void)
{
    for (int tries = 0; tries < 1000; tries++) {
        int port = 12000 + (int)((clock_monotonic_us() * 7919 + getpid()) % 20000);
        struct sockaddr_in address = loopback(port);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int result = bind(listener, (struct sockaddr *)&address, sizeof(address));
        close(listener);
        if (result == 0)
            return port;
    }
    cr_assert(false);
    return -1;
}

static bool
accepts(const struct etcd_server *server)
{
    struct sockaddr_in address = loopback(server->port);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connect(client, (struct sockaddr *)&address, sizeof(address));
    close(client);
    return result == 0;
}

char *
etcd_server_certificate(const struct etcd_server *server)
{
    return xasprintf("%s/cert.pem", server->folder);
}

char *
etcd_server_key(const struct etcd_server *server)
{
    return xasprintf("%s/key.pem", server->folder);
}

static void
make_certificate(const struct etcd_server *server)
{
    CLEANUP(freep) char *certificate = etcd_server_certificate(server);
    CLEANUP(freep) char *key = etcd_server_key(server);
    const char *argv[] = {
        OPENSSL, "req",       "-x509",   "-newkey",  "rsa:2048", "-nodes",
        "-days", "2",         "-subj",   "/CN=test", "-addext",  "subjectAltName=IP:127.0.0.1",
        "-out",  certificate, "-keyout", key,        NULL};
    struct child_options options = child_options_default();
    options.argv = argv;
    struct child_status status;
    struct buffer out = BUFFER_INIT, err = BUFFER_INIT;
    must(child_run(&options, NULL, 65536, NULL, &status, &out, &err));
    cr_assert(!status.is_signaled && status.exit_code == 0);
    buffer_done(&out);
    buffer_done(&err);
}

/* Dies with us, whatever happens to the test. */
static bool
launch(struct etcd_server *server)
{
    CLEANUP(freep) char *data = xasprintf("%s/data", server->folder);
    CLEANUP(freep) char *cluster = xasprintf("default=%s", server->peer_url);
    CLEANUP(strv_done) struct strv words = {0};
    const char *plain[] = {"setpriv",
                           "--pdeathsig",
                           "KILL",
                           ETCD,
                           "--data-dir",
                           data,
                           "--listen-client-urls",
                           server->client_url,
                           "--advertise-client-urls",
                           server->client_url,
                           "--listen-peer-urls",
                           server->peer_url,
                           "--initial-advertise-peer-urls",
                           server->peer_url,
                           "--initial-cluster",
                           cluster,
                           "--unsafe-no-fsync",
                           "--log-level",
                           "error"};
    for (size_t i = 0; i < ARRAY_LENGTH(plain); i++)
        strv_add(&words, plain[i]);
    if (server->is_tls) {
        strv_add(&words, "--client-cert-auth");
        strv_addf(&words, "--cert-file=%s/cert.pem", server->folder);
        strv_addf(&words, "--key-file=%s/key.pem", server->folder);
        strv_addf(&words, "--trusted-ca-file=%s/cert.pem", server->folder);
    }
    struct child_options options = child_options_default();
    CLEANUP(closep) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    options.argv = (const char *const *)words.items;
    options.stderr_descriptor = null; /* it warns about its own defaults */
    must(child_spawn(&options, &server->pid));
    for (int64_t end = clock_monotonic_ms() + READY_MS; clock_monotonic_ms() < end;) {
        if (accepts(server))
            return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            return false;
        must(cancel_sleep_ms(NULL, 20));
    }
    return false;
}

static struct etcd_server *
start(bool is_tls)
{
    if (!file_exists(ETCD)) {
        fprintf(stderr, "no %s: only the memory store is tested\n", ETCD);
        return NULL;
    }
    struct etcd_server *server = xcalloc(1, sizeof(*server));
    (void)snprintf(server->folder, sizeof(server->folder), "/tmp/vtagent-etcd-XXXXXX");
    cr_assert_not_null(mkdtemp(server->folder));
    server->is_tls = is_tls;
    if (is_tls)
        make_certificate(server);
    for (int tries = 0; tries < 5; tries++) {
        server->port = free_port();
        free(server->address);
        free(server->client_url);
        free(server->peer_url);
        server->address = xasprintf("127.0.0.1:%d", server->port);
        server->client_url = xasprintf("http%s://127.0.0.1:%d", is_tls ? "s" : "", server->port);
        server->peer_url = xasprintf("http://127.0.0.1:%d", free_port());
        if (launch(server))
            return server;
    }
    cr_assert(false);
    return NULL;
}

struct etcd_server *
etcd_server_start(void)
{
    return start(false);
}

struct etcd_server *
etcd_server_start_tls(void)
{
    return file_exists(OPENSSL) ? start(true) : NULL;
}

const char *
etcd_server_address(const struct etcd_server *server)
{
    return server->address;
}

void
etcd_server_kill(struct etcd_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

void
etcd_server_restart(struct etcd_server *server)
{
    cr_assert(launch(server));
}

void
etcd_server_stop(struct etcd_server *server)
{
    if (server == NULL)
        return;
    etcd_server_kill(server);
    must(file_remove_tree(server->folder));
    free(server->address);
    free(server->client_url);
    free(server->peer_url);
    free(server);
}
