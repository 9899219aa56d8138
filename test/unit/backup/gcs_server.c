#include "gcs_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gcs_bucket.h"

#define HEAD_LIMIT_BYTES 65536u
#define CONNECTIONS_MOST 256
#define FAULTS_MOST 16

const char *const gcs_op_names[GCS_OP_COUNT] = {"list",    "get",    "media", "delete",
                                                "insert",  "start",  "send",  "ask",
                                                "compose", "bucket", "token"};
const char *const gcs_fault_names[GCS_FAULT_KINDS] = {
    "status", "status after", "reset", "reset after", "cut request", "cut answer", "cut head",
    "stall",  "short",        "lose",  "flip",        "other range", "garbage"};

struct gcs_server {
    int listener;
    char url[64];
    pthread_t acceptor;
    atomic_bool is_ending;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int connections[CONNECTIONS_MOST];
    size_t connection_count;
    struct bucket bucket;
    struct gcs_server_settings settings;
    struct gcs_fault faults[FAULTS_MOST];
    size_t fault_count;
    unsigned requests[GCS_OP_COUNT], faults_met;
    struct buffer last_form;
};
struct connection {
    struct gcs_server *server;
    int socket;
    struct buffer bytes; /* read, not used yet */
};

/* ---- Reading a request ---- */
static bool
read_more(struct connection *connection)
{
    buffer_reserve(&connection->bytes, 65536);
    ssize_t count =
        recv(connection->socket, connection->bytes.data + connection->bytes.length_bytes, 65536, 0);
    if (count <= 0)
        return false;
    connection->bytes.length_bytes += (size_t)count;
    connection->bytes.data[connection->bytes.length_bytes] = '\0';
    return true;
}

static void
drop(struct buffer *buffer, size_t size)
{
    memmove(buffer->data, buffer->data + size, buffer->length_bytes - size + 1);
    buffer->length_bytes -= size;
}

static const struct gcs_fault *
find_fault(struct gcs_server *server, enum gcs_op op)
{
    const struct gcs_fault *found = NULL;
    pthread_mutex_lock(&server->lock);
    unsigned number = server->requests[op]++;
    for (size_t i = 0; i < server->fault_count && found == NULL; i++) {
        const struct gcs_fault *fault = &server->faults[i];
        unsigned count = fault->count == 0 ? 1 : fault->count;
        if (fault->op == op && number >= fault->nth && number - fault->nth < count) {
            found = fault;
            server->faults_met++;
        }
    }
    pthread_mutex_unlock(&server->lock);
    return found;
}

/* False: the connection has ended. */
static bool
read_request(struct connection *connection, struct wanted *wanted)
{
    const char *end;
    while ((end = strstr(buffer_text(&connection->bytes), "\r\n\r\n")) == NULL) {
        if (connection->bytes.length_bytes > HEAD_LIMIT_BYTES || !read_more(connection))
            return false;
    }
    size_t head_bytes = (size_t)(end - connection->bytes.data) + 4;
    CLEANUP(freep) char *head = xstrndup(connection->bytes.data, head_bytes);
    CLEANUP(freep) char *length = head_get(head, "Content-Length");
    size_t size = length == NULL ? 0 : strtoul(length, NULL, 10);
    wanted->base = connection->server->url;
    wanted_parse(head, wanted);
    drop(&connection->bytes, head_bytes);
    wanted->fault = find_fault(connection->server, wanted->op);
    if (wanted->fault != NULL && wanted->fault->kind == GCS_FAULT_RESET)
        return true;
    if (wanted->fault != NULL && wanted->fault->kind == GCS_FAULT_CUT_REQUEST)
        size = size * (size_t)wanted->fault->argument / 100;
    while (connection->bytes.length_bytes < size) {
        if (!read_more(connection))
            return false;
    }
    buffer_append(&wanted->body, buffer_text(&connection->bytes), size);
    if (size > 0)
        drop(&connection->bytes, size);
    return true;
}

/* ---- Answering ---- */
static void
answer_token(struct gcs_server *server, const struct wanted *wanted, struct reply *reply)
{
    const struct gcs_server_settings *settings = &server->settings;
    int lifetime = settings->token_lifetime_s > 0 ? settings->token_lifetime_s : 3600;
    buffer_clear(&server->last_form);
    buffer_append(&server->last_form, buffer_text(&wanted->body), wanted->body.length_bytes);
    reply->status = settings->refuses_grant ? 400 : 200;
    if (settings->refuses_grant)
        buffer_append_text(&reply->body, "{\"error\":\"invalid_grant\",\"error_description\":"
                                         "\"Invalid JWT: Token must be a short-lived token.\"}");
    else
        buffer_appendf(&reply->body,
                       "{\"access_token\":\"%s\",\"expires_in\":%d,\"token_type\":\"Bearer\","
                       "\"accessToken\":\"%s\",\"expireTime\":\"2099-01-01T00:00:00Z\"}",
                       settings->token == NULL ? "t" : settings->token, lifetime,
                       settings->token == NULL ? "t" : settings->token);
}

static void
answer(struct gcs_server *server, const struct wanted *wanted, struct reply *reply)
{
    const char *token = server->settings.token;
    CLEANUP(freep) char *bearer = xasprintf("Bearer %s", token == NULL ? "" : token);
    bool is_session = wanted->op == GCS_OP_SEND || wanted->op == GCS_OP_ASK;
    if (wanted->op == GCS_OP_TOKEN) {
        answer_token(server, wanted, reply);
    } else if (token != NULL && !is_session && !str_equal(bearer, wanted->authorization)) {
        reply->status = 401;
        buffer_append_text(&reply->body, "{\"error\":{\"code\":401,\"message\":\"Invalid "
                                         "Credentials\"}}");
    } else if (wanted->op != GCS_OP_SEND && wanted->fault != NULL &&
               wanted->fault->kind == GCS_FAULT_CUT_REQUEST) {
        reply->status = 400; /* nobody will see it */
    } else {
        bucket_answer(&server->bucket, &server->settings, wanted, reply);
    }
}

static const enum gcs_fault_kind silent[] = {GCS_FAULT_RESET, GCS_FAULT_RESET_AFTER,
                                             GCS_FAULT_CUT_REQUEST, GCS_FAULT_STALL};

/* What of an answer is sent; false: the connection ends. */
static bool
spoil(const struct gcs_fault *fault, struct buffer *text, size_t head_bytes)
{
    size_t body_bytes = text->length_bytes - head_bytes;
    if (fault != NULL && fault->kind == GCS_FAULT_CUT_HEAD)
        text->length_bytes = head_bytes * (size_t)fault->argument / 100;
    else if (fault != NULL && fault->kind == GCS_FAULT_CUT_ANSWER)
        text->length_bytes = head_bytes + body_bytes * (size_t)fault->argument / 100;
    else
        return true;
    return false;
}

static bool
send_all(int socket, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = send(socket, data, size, MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

static bool
send_reply(struct connection *connection, const struct wanted *wanted, struct reply *reply)
{
    struct gcs_server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    time_t now = time(NULL) + server->settings.clock_ahead_s;
    pthread_mutex_unlock(&server->lock);
    struct tm parts;
    char date[64];
    gmtime_r(&now, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    buffer_appendf(&text, "HTTP/1.1 %d Whatever\r\nDate: %s\r\n%sContent-Length: %zu\r\n\r\n",
                   reply->status, date, buffer_text(&reply->headers), reply->body.length_bytes);
    size_t head_bytes = text.length_bytes;
    buffer_append(&text, buffer_text(&reply->body), reply->body.length_bytes);
    bool stays = spoil(wanted->fault, &text, head_bytes);
    return send_all(connection->socket, text.data, text.length_bytes) && stays;
}

/* Until the client goes, or the server ends. */
static void
wait_for_end(const struct connection *connection)
{
    struct pollfd entry = {.fd = connection->socket, .events = POLLRDHUP};
    while (!atomic_load(&connection->server->is_ending) && poll(&entry, 1, 100) == 0)
        ;
}

/* True: another request may follow. */
static bool
serve(struct connection *connection)
{
    struct gcs_server *server = connection->server;
    CLEANUP(wanted_done) struct wanted wanted = {.method = NULL};
    struct reply reply = {.status = 200};
    if (!read_request(connection, &wanted))
        return false;
    const struct gcs_fault *fault = wanted.fault;
    bool stays = true;
    if (fault != NULL && fault->kind == GCS_FAULT_STATUS) {
        reply.status = fault->argument;
        buffer_append_text(&reply.body, "{\"error\":{\"message\":\"as told\"}}");
    } else if (fault == NULL || fault->kind != GCS_FAULT_RESET) {
        pthread_mutex_lock(&server->lock);
        answer(server, &wanted, &reply);
        pthread_mutex_unlock(&server->lock);
    }
    if (fault != NULL && fault->kind == GCS_FAULT_STATUS_AFTER) {
        reply.status = fault->argument;
        buffer_clear(&reply.body);
        buffer_clear(&reply.headers);
    } else if (fault != NULL && fault->kind == GCS_FAULT_GARBAGE) {
        buffer_clear(&reply.body);
        buffer_append_text(&reply.body, "<html>not what you expect</html>");
    }
    for (size_t i = 0; fault != NULL && i < ARRAY_LENGTH(silent); i++)
        stays = stays && fault->kind != silent[i];
    if (stays)
        stays = send_reply(connection, &wanted, &reply);
    else if (fault->kind == GCS_FAULT_STALL)
        wait_for_end(connection);
    buffer_done(&reply.headers);
    buffer_done(&reply.body);
    return stays;
}

static void *
run_connection(void *data)
{
    struct connection *connection = data;
    struct gcs_server *server = connection->server;
    while (serve(connection))
        ;
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->connection_count; i++) {
        if (server->connections[i] != connection->socket)
            continue;
        server->connections[i] = server->connections[--server->connection_count];
        break;
    }
    /* Unread bytes make it a reset, as from a server that dies. */
    close(connection->socket);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    buffer_done(&connection->bytes);
    free(connection);
    return NULL;
}

static void
add_connection(struct gcs_server *server, int socket)
{
    struct connection *connection = xcalloc(1, sizeof(*connection));
    pthread_t thread;
    connection->server = server;
    connection->socket = socket;
    pthread_mutex_lock(&server->lock);
    bool has_room = server->connection_count < CONNECTIONS_MOST;
    if (has_room)
        server->connections[server->connection_count++] = socket;
    pthread_mutex_unlock(&server->lock);
    if (!has_room || pthread_create(&thread, NULL, run_connection, connection) != 0)
        abort();
    pthread_detach(thread);
}

static void *
run_acceptor(void *data)
{
    struct gcs_server *server = data;
    while (!atomic_load(&server->is_ending)) {
        struct pollfd entry = {.fd = server->listener, .events = POLLIN};
        if (poll(&entry, 1, 50) <= 0)
            continue;
        int socket = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (socket >= 0)
            add_connection(server, socket);
    }
    return NULL;
}

/* ---- For tests ---- */
struct gcs_server *
gcs_server_start(void)
{
    struct gcs_server *server = xcalloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(server->listener, 128) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&server->acceptor, NULL, run_acceptor, server) != 0)
        abort();
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    return server;
}

void
gcs_server_stop(struct gcs_server *server)
{
    atomic_store(&server->is_ending, true);
    pthread_join(server->acceptor, NULL);
    close(server->listener);
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->connection_count; i++)
        shutdown(server->connections[i], SHUT_RDWR);
    while (server->connection_count > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    bucket_clear(&server->bucket);
    buffer_done(&server->last_form);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->changed);
    free(server);
}

const char *
gcs_server_url(const struct gcs_server *server)
{
    return server->url;
}

void
gcs_server_reset(struct gcs_server *server)
{
    pthread_mutex_lock(&server->lock);
    bucket_clear(&server->bucket);
    server->settings = (struct gcs_server_settings){.token = NULL};
    server->fault_count = 0;
    server->faults_met = 0;
    memset(server->requests, 0, sizeof(server->requests));
    pthread_mutex_unlock(&server->lock);
}

void
gcs_server_add_fault(struct gcs_server *server, const struct gcs_fault *fault)
{
    pthread_mutex_lock(&server->lock);
    if (server->fault_count < FAULTS_MOST)
        server->faults[server->fault_count++] = *fault;
    pthread_mutex_unlock(&server->lock);
}

void
gcs_server_clear_faults(struct gcs_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->fault_count = 0;
    pthread_mutex_unlock(&server->lock);
}

unsigned
gcs_server_requests(struct gcs_server *server, enum gcs_op op)
{
    pthread_mutex_lock(&server->lock);
    unsigned count = server->requests[op];
    pthread_mutex_unlock(&server->lock);
    return count;
}

unsigned
gcs_server_faults_met(struct gcs_server *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned count = server->faults_met;
    pthread_mutex_unlock(&server->lock);
    return count;
}

void
gcs_server_set(struct gcs_server *server, const struct gcs_server_settings *settings)
{
    pthread_mutex_lock(&server->lock);
    server->settings = *settings;
    pthread_mutex_unlock(&server->lock);
}

void
gcs_server_names(struct gcs_server *server, struct strv *ret_names)
{
    struct strv names = {.items = NULL};
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->bucket.object_count; i++)
        strv_add(&names, server->bucket.objects[i]->name);
    pthread_mutex_unlock(&server->lock);
    *ret_names = names;
}

bool
gcs_server_read(struct gcs_server *server, const char *name, struct buffer *buffer)
{
    pthread_mutex_lock(&server->lock);
    const struct stored_object *object = bucket_find(&server->bucket, name);
    if (object != NULL)
        buffer_append(buffer, buffer_text(&object->bytes), object->bytes.length_bytes);
    pthread_mutex_unlock(&server->lock);
    return object != NULL;
}

void
gcs_server_write(struct gcs_server *server, const char *name, const void *data, size_t size)
{
    pthread_mutex_lock(&server->lock);
    bucket_store(&server->bucket, name, "", data, size);
    pthread_mutex_unlock(&server->lock);
}

void
gcs_server_delete(struct gcs_server *server, const char *name)
{
    pthread_mutex_lock(&server->lock);
    bucket_remove(&server->bucket, name);
    pthread_mutex_unlock(&server->lock);
}

void
gcs_server_last_form(struct gcs_server *server, struct buffer *buffer)
{
    pthread_mutex_lock(&server->lock);
    buffer_append(buffer, buffer_text(&server->last_form), server->last_form.length_bytes);
    pthread_mutex_unlock(&server->lock);
}
