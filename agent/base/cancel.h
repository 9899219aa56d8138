/* Cancel token: one per RPC, job or command. Carries a deadline and a request to stop; every wait
 * in the program takes one. Reference-counted; any thread.
 *
 * `struct cancel *` NULL is a token that never ends. */
#ifndef VTAGENT_BASE_CANCEL_H
#define VTAGENT_BASE_CANCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"

struct cancel;

/* deadline: clock_monotonic_ms() value, or INT64_MAX for none. */
struct cancel *cancel_new(int64_t deadline_monotonic_ms);
/* A token that ends with its parent, or at the earlier deadline. Holds the parent. */
struct cancel *cancel_new_child(struct cancel *parent, int64_t timeout_ms);
struct cancel *cancel_ref(struct cancel *cancel);
void cancel_unref(struct cancel *cancel);
void cancel_unrefp(struct cancel **cancel);

/* Asks for the end. Idempotent. Children end too. */
void cancel_request(struct cancel *cancel);

bool cancel_is_requested(const struct cancel *cancel); /* asked, or past its deadline */
/* NULL while it may go on; else CANCELED "canceled" or DEADLINE_EXCEEDED "deadline exceeded". */
struct error *cancel_check(const struct cancel *cancel) ERROR_MUST_CHECK;
/* Milliseconds to the deadline, >= 0; INT64_MAX without one. */
int64_t cancel_remaining_ms(const struct cancel *cancel);
int64_t cancel_deadline_ms(const struct cancel *cancel);

/* A descriptor that polls readable once the end was asked for (not at the deadline: use
 * cancel_remaining_ms as the poll timeout). Belongs to the token. -1 for NULL. */
int cancel_descriptor(struct cancel *cancel);

/* Sleeps; ends early with cancel_check()'s error. */
struct error *cancel_sleep_ms(struct cancel *cancel, int64_t milliseconds) ERROR_MUST_CHECK;

#endif
