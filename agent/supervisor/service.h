/* The RPC service of the supervisor: mysqlctl.MysqlCtl and vtagent.Supervisor. */
#ifndef VTAGENT_SUPERVISOR_SERVICE_H
#define VTAGENT_SUPERVISOR_SERVICE_H

#include "agent/base/error.h"
#include "agent/base/worker.h"
#include "agent/rpc/rpc.h"
#include "agent/supervisor/keeper.h"

struct service;

/* Listens on the unix socket, and on --grpc-port when given. `actions` runs what changes something,
 * `quick` the rest. */
struct error *service_start(struct keeper *keeper, struct rpc_pump *pump, struct worker *actions,
                            struct worker *quick, struct service **ret_service) ERROR_MUST_CHECK;
/* Waits for running calls; both workers must still run. Not on one of them. NULL is fine. */
void service_stop(struct service *service);

#endif
