/* Server processes of this tablet, ours or left behind by an earlier supervisor. Linux's /proc and
 * pidfds. */
#ifndef VTAGENT_SUPERVISOR_PROCESS_H
#define VTAGENT_SUPERVISOR_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/base/memory.h"

/* Living processes of this user that were started with --defaults-file=<my_cnf>: that very word in
 * their command line, whatever the program. Fills at most `most`; returns how many. */
size_t process_find(const char *my_cnf, pid_t *pids, size_t most);
/* True when the process's command line has `word` as one of its words, or, when it ends in '=',
 * a word that starts so. */
bool process_has_word(pid_t pid, const char *word);

/* -1 when the process is gone. */
int process_open(pid_t pid);
/* Waits until the pidfd says that the process ended; DEADLINE_EXCEEDED or CANCELED otherwise. */
struct error *process_wait_end(int pidfd, struct cancel *cancel,
                               int64_t timeout_ms) ERROR_MUST_CHECK;
/* Kills (SIGKILL) every process that process_find finds, until there is none. */
struct error *process_kill_all(const char *my_cnf, int64_t timeout_ms) ERROR_MUST_CHECK;

/* As PID 1: collects the exit status of orphans that became our children; never of `known`. */
void process_reap_orphans(pid_t known);

#endif
