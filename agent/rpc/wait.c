/* A waiting thread polls: its call's eventfd and the cancel token's descriptor. The core ends a
 * call at its deadline; should it be late, the call is canceled. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/rpc/client.h"

enum { LONGEST_POLL_MS = 60000, LATENESS_MS = 500 };

struct error *
signal_init(struct signal *signal)
{
    signal->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (signal->descriptor < 0)
        return error_from_errno(errno, "create an eventfd");
    return NULL;
}

void
signal_done(struct signal *signal)
{
    if (signal->descriptor >= 0)
        close(signal->descriptor);
    signal->descriptor = -1;
}

void
signal_raise(const struct signal *signal)
{
    uint64_t one = 1;
    ssize_t ignored = write(signal->descriptor, &one, sizeof(one));
    (void)ignored; /* fails only when already raised 2^64 - 2 times */
}

static int
patience_ms(const struct cancel *cancel, bool is_canceled)
{
    int64_t left = is_canceled ? INT64_MAX : cancel_remaining_ms(cancel);
    return left > LONGEST_POLL_MS ? LONGEST_POLL_MS : (int)left + LATENESS_MS;
}

void
signal_wait(const struct signal *signal, grpc_call *call, struct cancel *cancel, bool *is_canceled)
{
    for (;;) {
        struct pollfd watched[2] = {
            {.fd = signal->descriptor, .events = POLLIN},
            {.fd = *is_canceled ? -1 : cancel_descriptor(cancel), .events = POLLIN}};
        int ready = poll(watched, 2, patience_ms(cancel, *is_canceled));
        if (ready < 0)
            continue;
        bool is_late = ready == 0 && !*is_canceled && cancel_remaining_ms(cancel) == 0;
        if (watched[1].revents != 0 || is_late) {
            *is_canceled = true;
            grpc_call_cancel(call, NULL);
        }
        uint64_t count;
        if (watched[0].revents != 0 && read(signal->descriptor, &count, sizeof(count)) > 0)
            return;
    }
}
