/* One mysqld process: started, found again, asked, stopped, buried. Blocking; one thread at a time
 * (the supervisor's action worker). */
#ifndef VTAGENT_SUPERVISOR_MYSQLD_H
#define VTAGENT_SUPERVISOR_MYSQLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/mysql/db.h"
#include "agent/supervisor/layout.h"
#include "agent/supervisor/server_binary.h"

struct mysqld {
    const struct layout *layout;         /* borrowed */
    const struct server_binary *server;  /* borrowed */
    char *socket, *pid_file, *error_log; /* as my.cnf says, or as given */
    char *bind_address;                  /* NULL: all addresses */
    int64_t port;                        /* 0: no TCP */
    const char *user, *password;         /* who asks whether it answers; borrowed */
    pid_t pid;                           /* 0: none */
    int pidfd;
    bool is_child;      /* its exit status comes to us */
    bool has_arguments; /* started with more than my.cnf says */
    int64_t started_ms, log_offset, memory_kills;
};

void mysqld_init(struct mysqld *mysqld, const struct layout *layout,
                 const struct server_binary *server, const char *user, const char *password);
void mysqld_done(struct mysqld *mysqld); /* leaves the process alone */

/* Takes paths and port from the text of my.cnf. */
void mysqld_configure(struct mysqld *mysqld, const char *my_cnf_text);

/* Finds a running server of this my.cnf that somebody else started; pid stays 0 when there is none.
 * Does nothing when one is known. */
void mysqld_adopt(struct mysqld *mysqld);
/* Clears what a dead server left, and starts one. FAILED_PRECONDITION when another server answers
 * on the socket or the port is taken. `arguments` go behind ours. */
struct error *mysqld_spawn(struct mysqld *mysqld, char *const *arguments,
                           size_t count) ERROR_MUST_CHECK;
/* Waits until it answers. It died: FAILED_PRECONDITION with the reason, and pid is 0. Still
 * starting: DEADLINE_EXCEEDED or CANCELED, and pid stays. */
struct error *mysqld_wait_ready(struct mysqld *mysqld, struct cancel *cancel,
                                int64_t timeout_ms) ERROR_MUST_CHECK;
/* Ends connections that wait for their next statement. A server that shuts down gives them two
 * seconds to go before it closes them, and they do not go. Bounded; what fails is only slower. */
void mysqld_dismiss_idle(const struct mysqld *mysqld);
/* Asks for a clean end. */
void mysqld_terminate(struct mysqld *mysqld);
/* Waits for the end, buries, and removes socket and pid file, whose absence tells others. A server
 * that needs longer goes on ending: DEADLINE_EXCEEDED. */
struct error *mysqld_wait_stopped(struct mysqld *mysqld, struct cancel *cancel,
                                  int64_t timeout_ms) ERROR_MUST_CHECK;
bool mysqld_has_ended(const struct mysqld *mysqld);
/* Collects the exit status of an ended server; pid becomes 0. Returns why it ended; caller frees.
 */
char *mysqld_bury(struct mysqld *mysqld);

/* True when a server answers there, even if only to refuse the account. */
bool mysqld_answers(const char *socket, const char *user, const char *password,
                    struct cancel *cancel);

#endif
