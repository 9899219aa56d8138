#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/supervisor/vacancy.h"

static int
listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(descriptor, (const struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(descriptor, 4), 0);
    return descriptor;
}

Test(vacancy, a_dead_servers_socket_is_cleared)
{
    char folder[] = "/tmp/vtagent-vacancy-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    CLEANUP(freep) char *path = xasprintf("%s/s", folder);
    CLEANUP(freep) char *lock = xasprintf("%s/s.lock", folder);
    CLEANUP(freep) char *pid = xasprintf("%s/pid", folder);
    cr_assert_null(vacancy_clear_socket(path, pid));
    int descriptor = listen_unix(path);
    cr_assert_null(file_write_safely(lock, "1", 1, 0600));
    cr_assert_null(file_write_safely(pid, "1", 1, 0600));
    cr_assert(vacancy_is_socket_alive(path));
    CLEANUP(error_freep) struct error *error = vacancy_clear_socket(path, pid);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    cr_assert(file_exists(path));
    close(descriptor);
    cr_assert(!vacancy_is_socket_alive(path));
    cr_assert_null(vacancy_clear_socket(path, pid));
    cr_assert(!file_exists(path));
    cr_assert(!file_exists(lock));
    cr_assert(!file_exists(pid));
    cr_assert_null(file_remove_tree(folder));
}

Test(vacancy, a_taken_port_is_named)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    cr_assert_eq(bind(descriptor, (const struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(descriptor, 1), 0);
    cr_assert_eq(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
    int port = ntohs(address.sin_port);
    CLEANUP(freep) char *text = xasprintf("port %d ", port);
    static const char *const binds[] = {NULL, "127.0.0.1", "*"};
    for (size_t i = 0; i < ARRAY_LENGTH(binds); i++) {
        CLEANUP(error_freep) struct error *error = vacancy_check_port(binds[i], port);
        cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
        cr_assert_not_null(strstr(error->message, text));
    }
    cr_assert_null(vacancy_check_port("127.0.0.2", port));
    close(descriptor);
}
