/* The gate before calls that need the dba account's privileges: at the first start mysqld answers
 * before its accounts are set up. */
#ifndef VTAGENT_ACTIONS_GRANTS_H
#define VTAGENT_ACTIONS_GRANTS_H

#include <stdatomic.h>

#include "agent/tablet/tablet.h"

struct grants_gate {
    _Atomic bool is_open; /* stays open once the privileges were seen */
};
/* Waits until the dba account has SUPER or ALL PRIVILEGES; only the token ends the wait, except
 * that a server that is not there is an error at once unless waits_for_server. */
struct error *grants_wait(struct grants_gate *gate, struct tablet_context *context,
                          bool waits_for_server, struct cancel *cancel) ERROR_MUST_CHECK;

/* Whether one line of SHOW GRANTS gives SUPER or ALL PRIVILEGES on everything. Pure. */
bool grants_line_suffices(const char *line);

#endif
