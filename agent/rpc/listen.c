/* A unix socket's path: the core removes whatever socket is there before it binds, a live server's
 * too. So a lock file beside it decides who may, and a server that knows no lock file (Vitess's) is
 * found by connecting to it. */
#include "agent/rpc/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/memory.h"
#include "agent/rpc/pump.h"
#include "agent/rpc/tls.h"

static const char UNIX[] = "unix:";

static const char *
unix_path(const char *address)
{
    if (!str_starts_with(address, UNIX))
        return NULL;
    const char *path = address + strlen(UNIX);
    return str_starts_with(path, "//") ? path + 2 : path;
}

static struct error *
in_use(const char *address)
{
    return error_new(ERROR_FAILED_PRECONDITION,
                     "cannot listen on '%s': it is in use: is another agent running?", address);
}

/* Locks the file; *ret_descriptor -1 when it was replaced meanwhile: try again. */
static struct error *
try_lock(const struct listener *listener, int *ret_descriptor)
{
    CLEANUP(closep)
    int descriptor = open(listener->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0)
        return error_from_errno(errno, "cannot listen on '%s': create the lock file '%s'",
                                listener->address, listener->lock_path);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? in_use(listener->address)
                                    : error_from_errno(errno, "lock '%s'", listener->lock_path);
    struct stat ours, named;
    if (fstat(descriptor, &ours) != 0 || stat(listener->lock_path, &named) != 0 ||
        ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
        return NULL;
    *ret_descriptor = descriptor;
    descriptor = -1;
    return NULL;
}

static struct error *
lock_path(struct listener *listener)
{
    for (int i = 0; i < 10; i++) {
        TRY(try_lock(listener, &listener->lock_descriptor));
        if (listener->lock_descriptor >= 0)
            return NULL;
    }
    return in_use(listener->address);
}

static struct error *
refuse_live_server(const char *address, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(name.sun_path))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "cannot listen on '%s': the path is longer than %zu bytes", address,
                         sizeof(name.sun_path) - 1);
    memcpy(name.sun_path, path, strlen(path));
    CLEANUP(closep) int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return error_from_errno(errno, "create a socket");
    /* EAGAIN: somebody listens but has no room for us just now. */
    if (connect(probe, (const struct sockaddr *)&name, sizeof(name)) == 0 || errno == EAGAIN)
        return in_use(address);
    return NULL;
}

static struct error *
claim_unix_path(struct listener *listener, const char *path)
{
    TRY(refuse_live_server(listener->address, path));
    listener->lock_path = xasprintf("%s.lock", path);
    TRY(lock_path(listener));
    return refuse_live_server(listener->address, path);
}

static struct error *
bind_failure(const char *address)
{
    CLEANUP(freep) char *reason = rpc_core_errors_take();
    if (strstr(reason, "Address already in use") != NULL)
        return in_use(address);
    return error_new(ERROR_FAILED_PRECONDITION, "cannot listen on '%s'%s%s", address,
                     *reason == '\0' ? "" : ": ", reason);
}

static struct error *
bind_port(struct listener *listener, grpc_server *server, grpc_server_credentials *credentials)
{
    const char *address = listener->address;
    CLEANUP(freep) char *any = address[0] == ':' ? xasprintf("[::]%s", address) : xstrdup(address);
    rpc_core_errors_collect();
    int port = grpc_server_add_http2_port(server, any, credentials);
    grpc_server_credentials_release(credentials);
    if (port == 0)
        return bind_failure(address);
    free(rpc_core_errors_take());
    listener->port = unix_path(address) == NULL ? port : 0;
    return NULL;
}

static struct error *
listener_open(struct listener *listener, grpc_server *server, const struct rpc_tls *tls)
{
    const char *path = unix_path(listener->address);
    if (path != NULL)
        TRY(claim_unix_path(listener, path));
    grpc_server_credentials *credentials;
    if (path != NULL || (str_is_empty(tls->certificate_file) && str_is_empty(tls->key_file)))
        credentials = grpc_insecure_server_credentials_create();
    else
        TRY(tls_listener_new(tls, &listener->tls, &credentials));
    return bind_port(listener, server, credentials);
}

struct error *
listeners_open(struct listeners *listeners, grpc_server *server,
               const struct rpc_server_options *options)
{
    size_t count = 0;
    while (options->addresses[count] != NULL)
        count++;
    listeners->items = xcalloc(count + 1, sizeof(*listeners->items));
    for (size_t i = 0; i < count; i++) {
        struct listener *listener = &listeners->items[listeners->count++];
        listener->lock_descriptor = -1;
        listener->address = xstrdup(options->addresses[i]);
        TRY(listener_open(listener, server, &options->tls));
    }
    return NULL;
}

void
listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->items[i];
        if (listener->lock_descriptor >= 0) {
            unlink(listener->lock_path); /* before the lock is let go: see try_lock() */
            close(listener->lock_descriptor);
        }
        tls_listener_free(listener->tls);
        free(listener->lock_path);
        free(listener->address);
    }
    free(listeners->items);
    *listeners = (struct listeners){.items = NULL};
}
