/* Hooks: programs of the operator's below $VTROOT/vthook. Blocking; worker threads. */
#ifndef VTAGENT_ACTIONS_HOOK_H
#define VTAGENT_ACTIONS_HOOK_H

#include "agent/tablet/tablet.h"

/* Exit states beside the program's own (source: Vitess's hook package). */
enum hook_state {
    HOOK_SUCCESS = 0,
    HOOK_DOES_NOT_EXIST = -1,
    HOOK_STAT_FAILED = -2,
    HOOK_NO_EXIT_STATUS = -3,
    HOOK_INVALID_NAME = -4,
    HOOK_NO_VTROOT = -5,
    HOOK_GENERIC_ERROR = -6,
    HOOK_TIMEOUT = -7,
};

#define HOOK_OUTPUT_LIMIT_BYTES (4u << 20)

struct hook_result {
    int64_t exit_status;
    char *output, *errors; /* owned, never NULL after hook_run */
};
void hook_result_done(struct hook_result *result);

/* Runs it with our environment plus `environment` ("NAME=value"), later entries winning. Whatever
 * goes wrong is told in the result. */
void hook_run(const char *name, const struct strv *parameters, const struct strv *environment,
              struct cancel *cancel, struct hook_result *ret_result);

/* Runs it if it exists, with TABLET_ALIAS, KEYSPACE and SHARD; a failing hook is an error. */
struct error *hook_run_optional(const struct tablet_context *context, const char *name,
                                struct cancel *cancel) ERROR_MUST_CHECK;

#endif
