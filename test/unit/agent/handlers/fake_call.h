/* A call that only remembers what was done with it; the functions are in test_dispatch.c. */
#ifndef VTAGENT_TEST_FAKE_CALL_H
#define VTAGENT_TEST_FAKE_CALL_H

#include <stdatomic.h>

#include "agent/rpc/rpc.h"
#include "query.pb-c.h"
#include "tabletmanagerdata.pb-c.h"

struct rpc_call {
    struct cancel *cancel;
    Tabletmanagerdata__BackupRequest request;
    int request_concurrency;
    atomic_bool is_finished; /* the last to be set */
    int code;
    char *message;
    char *payload;
    char events[512]; /* of a stream, one after the other */
    /* streams */
    size_t offered;
    Query__StreamHealthResponse *last; /* the copy of the last message */
    bool is_full;
    void (*on_gone)(struct rpc_call *call, void *data);
    void *gone_data;
};
void fake_call_done(struct rpc_call *call);

#endif
