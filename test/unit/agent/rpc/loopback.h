/* A server and a channel to it inside the test, with a few TabletManager methods:
 * Ping echoes on the pump thread; Sleep waits on a worker for its cancel; ExecuteHook echoes its
 * name from a worker; GetSchema fails as a MySQL server would; Backup streams `concurrency` events.
 */
#ifndef TEST_RPC_LOOPBACK_H
#define TEST_RPC_LOOPBACK_H

#include <criterion/criterion.h>
#include <stdatomic.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/base/worker.h"
#include "agent/rpc/rpc.h"
#include "tabletmanagerdata.pb-c.h"

#define TM "/tabletmanagerservice.TabletManager/"

enum { TEST_DEADLINE_MS = 60000 };

struct loopback {
    char directory[64];
    struct rpc_pump *pump;
    struct worker *worker;
    struct rpc_server *server;
    struct rpc_channel *channel;
    char address[128]; /* a client's target */
    atomic_int sleeping, woken, sent, refused_sends;
    atomic_int done_calls, last_code;
    _Atomic int64_t deadline_left_ms;
    _Atomic size_t most_queued;
};

extern struct loopback loopback;

void loopback_init(void); /* .init: folder, pump, worker */
void loopback_done(void); /* .fini */
/* Defaults are filled in: methods, alias, an address on 127.0.0.1 chosen by the kernel. */
void loopback_serve(struct rpc_server_options options);
struct rpc_channel *loopback_connect(struct rpc_channel_options options); /* target: ours */

struct cancel *test_cancel(void); /* 60 s */
struct error *call_ping(struct rpc_channel *channel, const char *payload, struct cancel *cancel,
                        char **ret_payload);
struct error *call_sleep(struct rpc_channel *channel, struct cancel *cancel);
struct error *call_hook(struct rpc_channel *channel, const char *name, struct cancel *cancel);
void assert_ok(struct error *take_error);
/* Checks code and a part of the text, frees. */
void assert_error(struct error *take_error, enum error_code code, const char *part);
/* Waits until *value >= least. */
void wait_for(atomic_int *value, int least);
size_t count_descriptors(void);
void write_file(const char *path, const char *text);

#endif
