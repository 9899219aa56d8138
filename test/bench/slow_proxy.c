/* slow_proxy PORT UPSTREAM_PORT DELAY_MS MB_PER_S FAULTS_PERCENT SEED
 *
 * Stands on 127.0.0.1 between a client and an HTTP server as a network would: an answer comes
 * DELAY_MS later, and no connection carries more than MB_PER_S in either direction. Of the requests
 * FAULTS_PERCENT fail, in one of the ways of `faults`. At SIGTERM it prints how many of each.
 * One thread a connection; only the counters are shared. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES (4u << 20)
#define STEP_BYTES (256u << 10)
#define MARKS 4096u
#define HEAD_BYTES 16384u
#define MS 1000000LL
#define CATCH_UP_NS (8 * MS)
#define STALL_NS (120000 * MS)

enum fault { NONE, REFUSE, CUT_REQUEST, CUT_ANSWER, STALL_REQUEST, STALL_ANSWER, FAULTS };
static const char *const fault_names[FAULTS] = {"passed",
                                                "503",
                                                "reset in the request",
                                                "reset in the answer",
                                                "stall in the request",
                                                "stall in the answer"};
static const char refusal[] =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    "Content-Length: 50\r\n\r\n"
    "{\"error\":{\"code\":503,\"message\":\"try again later\"}}";

static int upstream_port;
static int64_t delay_ns;
static double bytes_per_ns, share_of_faults;
static atomic_uint_fast64_t seed, counts[FAULTS];

/* Bytes on their way in one direction. */
struct stream {
    int from, to;
    unsigned char *ring;
    size_t start, used;
    struct mark {
        int64_t ready_ns;
        size_t size;
    } marks[MARKS];
    size_t first_mark, mark_count;
    int64_t free_ns; /* when the next bytes may go */
    bool has_ended;
};
struct connection {
    struct stream up, down;
    enum fault fault;
    char head[HEAD_BYTES]; /* of the request, or of the answer that is to fail */
    size_t head_size;
    uint64_t body_left; /* of the request */
    double share;       /* of the message that passes before it fails */
    uint64_t may_pass;
    bool is_opaque, is_hanging, must_reset, knows_answer;
    int64_t end_ns; /* of hanging */
};

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* SplitMix64: the same faults for the same seed, as far as requests come in the same order. */
static double
draw(void)
{
    uint64_t x = atomic_fetch_add(&seed, 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 31)) >> 11) / (double)(1ull << 53);
}

/* ---- Streams ---- */
static size_t
room(const struct stream *stream)
{
    return stream->mark_count == MARKS ? 0 : RING_BYTES - stream->used;
}

static void
push(struct stream *stream, const void *data, size_t size, int64_t ready_ns)
{
    size_t at = (stream->start + stream->used) % RING_BYTES;
    size_t straight = RING_BYTES - at < size ? RING_BYTES - at : size;
    if (size == 0)
        return;
    memcpy(stream->ring + at, data, straight);
    memcpy(stream->ring, (const unsigned char *)data + straight, size - straight);
    stream->used += size;
    stream->marks[(stream->first_mark + stream->mark_count++) % MARKS] =
        (struct mark){ready_ns, size};
}

/* When its next bytes may go; INT64_MAX: there are none. */
static int64_t
next_ns(const struct stream *stream)
{
    if (stream->used == 0)
        return INT64_MAX;
    int64_t ready_ns = stream->marks[stream->first_mark].ready_ns;
    return ready_ns > stream->free_ns ? ready_ns : stream->free_ns;
}

static bool
send_some(struct stream *stream)
{
    struct mark *mark = &stream->marks[stream->first_mark];
    size_t size = RING_BYTES - stream->start;
    int64_t now = now_ns();
    size = size < mark->size ? size : mark->size;
    ssize_t sent =
        send(stream->to, stream->ring + stream->start, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    if (stream->free_ns < now - CATCH_UP_NS)
        stream->free_ns = now - CATCH_UP_NS;
    stream->free_ns += (int64_t)((double)sent / bytes_per_ns);
    stream->start = (stream->start + (size_t)sent) % RING_BYTES;
    stream->used -= (size_t)sent;
    mark->size -= (size_t)sent;
    if (mark->size == 0) {
        stream->first_mark = (stream->first_mark + 1) % MARKS;
        stream->mark_count--;
    }
    return true;
}

/* ---- Requests and what happens to them ---- */
static uint64_t
content_length(const char *head)
{
    const char *line = strcasestr(head, "\r\ncontent-length:");
    return line == NULL ? 0 : strtoull(line + 17, NULL, 10);
}

static void
hang(struct connection *connection)
{
    connection->is_hanging = true;
    connection->end_ns = now_ns() + STALL_NS;
}

/* All of what may pass has passed. */
static void
fail(struct connection *connection)
{
    if (connection->fault == CUT_REQUEST || connection->fault == CUT_ANSWER)
        connection->must_reset = true;
    else
        hang(connection);
}

static void
begin_request(struct connection *connection)
{
    connection->head[connection->head_size] = '\0';
    connection->body_left = content_length(connection->head);
    connection->is_opaque = strcasestr(connection->head, "\r\ntransfer-encoding:") != NULL;
    connection->fault = NONE;
    if (!connection->is_opaque && draw() < share_of_faults)
        connection->fault = (enum fault)(1 + (int)(draw() * (FAULTS - 1)));
    connection->share = draw();
    connection->knows_answer = false;
    connection->may_pass = connection->fault == CUT_REQUEST || connection->fault == STALL_REQUEST
                               ? (uint64_t)(connection->share *
                                            (double)(connection->head_size + connection->body_left))
                               : UINT64_MAX;
    atomic_fetch_add(&counts[connection->fault], 1);
}

static void
forward(struct connection *connection, const char *data, size_t size)
{
    if (connection->fault == REFUSE)
        return;
    size_t step = size < connection->may_pass ? size : (size_t)connection->may_pass;
    push(&connection->up, data, step, now_ns() + delay_ns / 2);
    if (connection->may_pass == UINT64_MAX)
        return;
    connection->may_pass -= step;
    if (connection->may_pass == 0 &&
        (connection->fault == CUT_REQUEST || connection->fault == STALL_REQUEST))
        fail(connection);
}

static void
end_request(struct connection *connection)
{
    if (connection->fault == REFUSE)
        push(&connection->down, refusal, sizeof(refusal) - 1, now_ns() + delay_ns);
    connection->head_size = 0;
}

/* Takes of the data what belongs to one head; whether that is complete. */
static bool
collect_head(struct connection *connection, const char *data, size_t size, size_t *ret_taken)
{
    for (size_t i = 0; i < size && connection->head_size < HEAD_BYTES - 1; i++) {
        connection->head[connection->head_size++] = data[i];
        *ret_taken = i + 1;
        if (connection->head_size >= 4 &&
            memcmp(connection->head + connection->head_size - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static void
from_client(struct connection *connection, const char *data, size_t size)
{
    while (size > 0 && !connection->must_reset && !connection->is_hanging) {
        if (connection->is_opaque) {
            push(&connection->up, data, size, now_ns() + delay_ns / 2);
            return;
        }
        size_t taken = 0;
        if (connection->body_left == 0) {
            bool is_complete = collect_head(connection, data, size, &taken);
            if (is_complete) {
                begin_request(connection);
                forward(connection, connection->head, connection->head_size);
            }
            if (is_complete && connection->body_left == 0)
                end_request(connection);
        } else {
            taken = size < connection->body_left ? size : (size_t)connection->body_left;
            forward(connection, data, taken);
            connection->body_left -= taken;
            if (connection->body_left == 0)
                end_request(connection);
        }
        data += taken;
        size -= taken;
    }
}

static void
pass_answer(struct connection *connection, const char *data, size_t size)
{
    size_t step = size < connection->may_pass ? size : (size_t)connection->may_pass;
    push(&connection->down, data, step, now_ns() + delay_ns / 2);
    connection->may_pass -= step;
    if (connection->may_pass == 0)
        fail(connection);
}

static void
from_server(struct connection *connection, const char *data, size_t size)
{
    if (connection->fault != CUT_ANSWER && connection->fault != STALL_ANSWER) {
        push(&connection->down, data, size, now_ns() + delay_ns / 2);
        return;
    }
    size_t taken = 0;
    if (!connection->knows_answer) {
        if (!collect_head(connection, data, size, &taken))
            return;
        connection->head[connection->head_size] = '\0';
        connection->knows_answer = true;
        uint64_t all = connection->head_size + content_length(connection->head);
        connection->may_pass = (uint64_t)(connection->share * (double)all);
        pass_answer(connection, connection->head, connection->head_size);
    }
    if (!connection->is_hanging && !connection->must_reset)
        pass_answer(connection, data + taken, size - taken);
}

/* ---- A connection ---- */
static bool
receive(struct connection *connection, struct stream *stream)
{
    static _Thread_local char data[STEP_BYTES];
    size_t most = room(stream) < sizeof(data) ? room(stream) : sizeof(data);
    ssize_t size = recv(stream->from, data, most, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    if (size == 0)
        stream->has_ended = true;
    else if (stream == &connection->up)
        from_client(connection, data, (size_t)size);
    else
        from_server(connection, data, (size_t)size);
    return true;
}

static bool
wants_input(const struct connection *connection, const struct stream *stream)
{
    return !stream->has_ended && !connection->is_hanging && !connection->must_reset &&
           room(stream) >= STEP_BYTES + HEAD_BYTES;
}

static void
wait_for(struct connection *connection, struct pollfd polls[2])
{
    struct stream *streams[2] = {&connection->up, &connection->down};
    int64_t now = now_ns(), wake_ns = now + 1000 * MS;
    for (int i = 0; i < 2; i++)
        polls[i] =
            (struct pollfd){.fd = streams[i]->from,
                            .events = (short)((wants_input(connection, streams[i]) ? POLLIN : 0) |
                                              (i == 0 ? POLLRDHUP : 0))};
    for (int i = 0; i < 2; i++) {
        int64_t next = next_ns(streams[i]);
        if (next <= now)
            polls[1 - i].events |= POLLOUT;
        else if (next < wake_ns)
            wake_ns = next;
    }
    struct timespec timeout = {(wake_ns - now) / 1000000000LL, (wake_ns - now) % 1000000000LL};
    (void)ppoll(polls, 2, &timeout, NULL);
}

/* Whether it goes on. */
static bool
step(struct connection *connection)
{
    struct pollfd polls[2];
    struct stream *streams[2] = {&connection->up, &connection->down};
    wait_for(connection, polls);
    if (connection->is_hanging && (polls[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        return false;
    if (connection->is_hanging && now_ns() > connection->end_ns)
        return false;
    for (int i = 0; i < 2; i++) {
        if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
            wants_input(connection, streams[i]) && !receive(connection, streams[i]))
            return false;
    }
    for (int i = 0; i < 2; i++) {
        if (next_ns(streams[i]) <= now_ns() && !send_some(streams[i]))
            return false;
    }
    if (connection->must_reset && connection->down.used == 0)
        return false;
    /* Neither side speaks on when the other has gone. */
    return !(connection->up.has_ended || connection->down.has_ended) || connection->down.used > 0;
}

static int
connect_upstream(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)upstream_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void *
serve(void *data)
{
    int client = (int)(intptr_t)data, one = 1, server = connect_upstream();
    if (server < 0) {
        close(client);
        return NULL;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        abort();
    connection->up = (struct stream){.from = client, .to = server, .ring = malloc(RING_BYTES)};
    connection->down = (struct stream){.from = server, .to = client, .ring = malloc(RING_BYTES)};
    if (connection->up.ring == NULL || connection->down.ring == NULL)
        abort();
    while (step(connection))
        ;
    if (connection->must_reset) {
        const struct linger now = {1, 0};
        setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    close(client);
    close(server);
    free(connection->up.ring);
    free(connection->down.ring);
    free(connection);
    return NULL;
}

static void *
await_end(void *data)
{
    int number;
    sigwait(data, &number);
    for (int i = 0; i < FAULTS; i++)
        printf("%s%s: %llu", i == 0 ? "" : ", ", fault_names[i], (unsigned long long)counts[i]);
    printf("\n");
    fflush(stdout);
    _exit(0);
}

static int
open_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 512) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int
main(int argc, char **argv)
{
    static sigset_t signals;
    pthread_t thread;
    if (argc != 7) {
        fputs("usage: slow_proxy PORT UPSTREAM_PORT DELAY_MS MB_PER_S FAULTS_PERCENT SEED\n",
              stderr);
        return 2;
    }
    int listener = open_port((int)strtol(argv[1], NULL, 10));
    upstream_port = (int)strtol(argv[2], NULL, 10);
    delay_ns = strtoll(argv[3], NULL, 10) * MS;
    bytes_per_ns = strtod(argv[4], NULL) * 1e6 / 1e9;
    share_of_faults = strtod(argv[5], NULL) / 100;
    seed = strtoull(argv[6], NULL, 10);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pthread_create(&thread, NULL, await_end, &signals);
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0)
            pthread_detach(thread);
        else
            close(client);
    }
}
