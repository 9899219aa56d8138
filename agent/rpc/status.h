/* Private to agent/rpc: gRPC status <-> struct error. */
#ifndef VTAGENT_RPC_STATUS_H
#define VTAGENT_RPC_STATUS_H

#include <grpc/grpc.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

/* Vitess's limit on the text of an error: what fits into HTTP/2 headers of 8 KiB. */
enum { STATUS_TEXT_BYTES = 8192 - 512 };

/* "TabletManager.Ping on zone1-100: detail", cut to the limit between two characters; caller frees.
 * No prefix for other services or without an alias. */
char *status_text(const char *path, const char *alias, const char *detail);

/* A client's result: NULL for OK. A call ended by our own cancel gives the cancel's error. */
struct error *status_to_error(grpc_status_code code, grpc_slice details,
                              const struct cancel *cancel) ERROR_MUST_CHECK;

/* Reads "(errno N) (sqlstate S)" out of the message. */
void status_parse_errno(struct error *error);

#endif
