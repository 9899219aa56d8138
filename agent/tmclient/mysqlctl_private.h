/* Shared by the clients of the supervisor's socket; private to this folder. */
#ifndef VTAGENT_TMCLIENT_MYSQLCTL_PRIVATE_H
#define VTAGENT_TMCLIENT_MYSQLCTL_PRIVATE_H

#include "agent/tmclient/tmclient.h"

/* "/service/method" over a connection of its own. UNAVAILABLE is tried again every 100 ms to the
 * deadline; without a deadline for 30 s. */
struct error *mysqlctl_call(struct mysqlctl_client *client, const char *path,
                            const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *response_descriptor,
                            struct cancel *cancel,
                            ProtobufCMessage **ret_response) ERROR_MUST_CHECK;

#endif
