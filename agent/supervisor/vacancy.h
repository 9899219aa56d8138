/* Whether the socket and the port that a server is about to take are free. */
#ifndef VTAGENT_SUPERVISOR_VACANCY_H
#define VTAGENT_SUPERVISOR_VACANCY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"

/* True when something listens on a unix socket. */
bool vacancy_is_socket_alive(const char *path);
/* Removes the socket, its lock file and the pid file of a dead server. FAILED_PRECONDITION when
 * somebody listens on the socket. */
struct error *vacancy_clear_socket(const char *socket, const char *pid_file) ERROR_MUST_CHECK;
/* FAILED_PRECONDITION when the TCP port is taken. Addresses that are not numeric count as all. */
struct error *vacancy_check_port(const char *bind_address, int64_t port) ERROR_MUST_CHECK;

#endif
