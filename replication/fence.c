/* Making a primary read-only waits in the server for every commit under way and every lock held,
 * and a commit may itself wait for an acknowledgement that nobody will give. So the switch runs on
 * a thread and a connection of its own, while this thread removes what stands in its way. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "replication/control_private.h"
#include "replication/fence_private.h"

#define FIRST_LOOK_MS 10
#define LOOK_MS 50
#define KILL_GRACE_MS 500
#define LONGEST_PATIENCE_MS 10000
#define RESTORE_MS 2000

struct fence {
    struct db *db; /* looks and removes */
    struct semi_sync_names names;
    bool is_forced, has_released;
    int64_t start_ms, patience_ms; /* how long semi-sync waiters may wait for their replica */
    int64_t next_kill_ms;
    unsigned kill_round;

    struct db *switcher;
    struct cancel *switch_cancel;
    struct error *switch_error; /* the thread's, until it is joined */
    int done_descriptor;
    pthread_t thread;
};

static void *
switch_main(void *data)
{
    struct fence *fence = data;
    uint64_t one = 1;
    fence->switch_error = server_set_read_only(fence->switcher, fence->switch_cancel);
    ssize_t ignored = write(fence->done_descriptor, &one, sizeof(one));
    (void)ignored;
    return NULL;
}

static struct error *
start_switch(struct fence *fence, const struct db_params *params, struct cancel *cancel)
{
    TRY(error_wrap(db_open(params, cancel, &fence->switcher), "open a connection for the fence"));
    fence->switch_cancel = cancel_new_child(cancel, INT64_MAX);
    fence->done_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fence->done_descriptor < 0)
        return error_from_errno(errno, "make an event descriptor");
    int code = pthread_create(&fence->thread, NULL, switch_main, fence);
    if (code != 0)
        return error_from_errno(code, "start the fence's thread");
    return NULL;
}

static void
fence_done(struct fence *fence)
{
    db_close(fence->switcher);
    cancel_unref(fence->switch_cancel);
    closep(&fence->done_descriptor);
}

static bool
wait_until_switched(const struct fence *fence, int timeout_ms)
{
    struct pollfd watched = {.fd = fence->done_descriptor, .events = POLLIN};
    return poll(&watched, 1, timeout_ms) > 0;
}

static struct error *
release_waiters(struct fence *fence, struct cancel *cancel)
{
    uint64_t waiting = 0;
    if (fence->has_released || fence->names.primary_enabled == NULL)
        return NULL;
    if (!fence->is_forced && clock_monotonic_ms() - fence->start_ms < fence->patience_ms)
        return NULL;
    TRY(semi_sync_wait_sessions_read(fence->db, cancel, &fence->names, &waiting));
    if (waiting == 0)
        return NULL;
    fence->has_released = true; /* even a failed switch may have had its effect */
    return error_wrap(
        db_executef(fence->db, cancel, "SET GLOBAL %s = 0", fence->names.primary_enabled),
        "release the semi-sync waiters");
}

static struct error *
kill_blockers(struct fence *fence, struct cancel *cancel)
{
    if (clock_monotonic_ms() < fence->next_kill_ms)
        return NULL;
    uint64_t ours[] = {db_connection_id(fence->db), db_connection_id(fence->switcher)};
    fence->kill_round++;
    TRY(error_wrap(
        fence_kill_blockers(fence->db, cancel, fence->kill_round, ours, ARRAY_LENGTH(ours)),
        "end the connections that hold up the fence"));
    fence->next_kill_ms = clock_monotonic_ms() + KILL_GRACE_MS;
    return NULL;
}

/* Until the thread is done. An error means that nobody clears the way any more. */
static struct error *
clear_the_way(struct fence *fence, struct cancel *cancel)
{
    if (wait_until_switched(fence, FIRST_LOOK_MS))
        return NULL;
    TRY(semi_sync_names_read(fence->db, cancel, &fence->names));
    for (;;) {
        TRY(release_waiters(fence, cancel));
        TRY(kill_blockers(fence, cancel));
        if (wait_until_switched(fence, LOOK_MS))
            return NULL;
        TRY(cancel_check(cancel));
    }
}

/* The primary goes on writing, so its writes have to wait for acknowledgements as before. */
static struct error *
restore_semi_sync(struct fence *fence, const struct db_params *params)
{
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + RESTORE_MS);
    CLEANUP(db_closep) struct db *db = NULL;
    if (!fence->has_released)
        return NULL;
    TRY(db_open(params, cancel, &db));
    return db_executef(db, cancel, "SET GLOBAL %s = 1", fence->names.primary_enabled);
}

static struct error *
verify(struct db *db, struct cancel *cancel)
{
    bool is_read_only = false;
    TRY(server_is_read_only(db, cancel, &is_read_only));
    if (!is_read_only)
        return error_new(ERROR_INTERNAL, "the server is writable although it was made read-only");
    return NULL;
}

static struct error *
run_fence(struct fence *fence, const struct db_params *params, struct cancel *cancel)
{
    TRY(start_switch(fence, params, cancel));
    struct error *error = clear_the_way(fence, cancel);
    if (error != NULL)
        cancel_request(fence->switch_cancel);
    pthread_join(fence->thread, NULL);
    error = error_first(error, fence->switch_error);
    if (error == NULL)
        error = verify(fence->db, cancel);
    if (error != NULL)
        error_free(restore_semi_sync(fence, params));
    return error;
}

static int64_t
patience_of(const struct cancel *cancel)
{
    int64_t half = cancel_remaining_ms(cancel) / 2;
    return half < LONGEST_PATIENCE_MS ? half : LONGEST_PATIENCE_MS;
}

struct error *
replication_fence(struct db *db, const struct db_params *params, bool is_forced,
                  struct cancel *cancel)
{
    int64_t now = clock_monotonic_ms();
    struct fence fence = {
        .db = db,
        .is_forced = is_forced,
        .start_ms = now,
        .patience_ms = patience_of(cancel),
        .next_kill_ms = now + KILL_GRACE_MS,
        .done_descriptor = -1,
    };
    struct error *error = run_fence(&fence, params, cancel);
    fence_done(&fence);
    return error_wrap(error, "make the primary read-only");
}
