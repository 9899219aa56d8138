#include "agent/supervisor/vacancy.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"

bool
vacancy_is_socket_alive(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path, strlen(path));
    CLEANUP(closep) int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    return errno == EAGAIN; /* its queue is full, so somebody listens */
}

struct error *
vacancy_clear_socket(const char *socket_path, const char *pid_file)
{
    if (vacancy_is_socket_alive(socket_path))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "another process listens on '%s': stop it, or choose another folder or "
                         "socket",
                         socket_path);
    CLEANUP(freep) char *lock = xasprintf("%s.lock", socket_path);
    TRY(file_remove(socket_path));
    TRY(file_remove(lock));
    return file_remove(pid_file);
}

static bool
is_taken(const struct addrinfo *address)
{
    CLEANUP(closep) int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return false;
    int one = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->ai_family == AF_INET6)
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    return bind(descriptor, address->ai_addr, address->ai_addrlen) != 0 && errno == EADDRINUSE;
}

struct error *
vacancy_check_port(const char *bind_address, int64_t port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)(port & 0xffff));
    struct addrinfo *found = NULL;
    if (bind_address == NULL || getaddrinfo(bind_address, service, &hints, &found) != 0) {
        if (getaddrinfo(NULL, service, &hints, &found) != 0)
            return NULL;
    }
    bool taken = false;
    for (const struct addrinfo *address = found; address != NULL; address = address->ai_next)
        taken = taken || is_taken(address);
    freeaddrinfo(found);
    if (!taken)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "port %s is taken by another process: end it or choose another with "
                     "--mysql-port",
                     service);
}
