#include "agent/web/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "agent/base/memory.h"

#define HEADERS_LIMIT_BYTES 16384
#define BODY_LIMIT_BYTES 4096
#define IDLE_TIMEOUT_SECONDS 30

#define NOTHING_ALLOWED "default-src 'none'; frame-ancestors 'none'"

struct http {
    struct evhttp *server;
    struct http_tls *tls; /* NULL: none */
    http_fill fill;
    void *data;
};

static void
add_header(struct evhttp_request *request, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

/* An answer goes out in pieces; none waits for the other side's word about the last one. */
static void
hurry(struct evhttp_request *request)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    int descriptor = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    int one = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void
reply(struct evhttp_request *request, struct page page, const struct buffer *body)
{
    struct evbuffer *output = evbuffer_new();
    char length[24];
    snprintf(length, sizeof(length), "%zu", body->length_bytes);
    add_header(request, "Content-Length", length);
    if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD)
        evbuffer_add(output, buffer_text(body), body->length_bytes);
    add_header(request, "Content-Type", page.content_type);
    add_header(request, "Cache-Control", "no-store");
    add_header(request, "Vary", "Accept");
    add_header(request, "X-Content-Type-Options", "nosniff");
    add_header(request, "Referrer-Policy", "no-referrer");
    add_header(request, "Content-Security-Policy",
               page.policy != NULL ? page.policy : NOTHING_ALLOWED);
    hurry(request);
    evhttp_send_reply(request, page.status, page.status == 200 ? "OK" : "Not OK", output);
    evbuffer_free(output);
}

static void
on_request(struct evhttp_request *request, void *data)
{
    struct http *http = data;
    CLEANUP(buffer_done) struct buffer body = BUFFER_INIT;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = evhttp_uri_get_path(uri);
    const struct page_row *row = path != NULL ? pages_find(str_is_empty(path) ? "/" : path) : NULL;
    if (row == NULL) {
        buffer_append_text(&body, "no such page\n");
        reply(request, (struct page){404, PAGE_PLAIN, NULL}, &body);
        return;
    }
    struct pages_picture *picture = xcalloc(1, sizeof(*picture));
    picture->row = row;
    picture->query = evhttp_uri_get_query(uri);
    picture->accept = evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
    http->fill(picture, http->data);
    struct page page = row->function(picture, &body);
    freep(&picture);
    reply(request, page, &body);
}

static void
limit(struct evhttp *server)
{
    evhttp_set_allowed_methods(server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(server, HEADERS_LIMIT_BYTES);
    evhttp_set_max_body_size(server, BODY_LIMIT_BYTES);
    evhttp_set_timeout(server, IDLE_TIMEOUT_SECONDS);
}

static struct error *
listen_at(struct http *http, const struct http_options *options)
{
    const char *host = str_is_empty(options->address) ? "0.0.0.0" : options->address;
    if (!str_is_empty(options->tls.certificate)) {
        TRY(http_tls_new(&options->tls, &http->tls));
        http_tls_use(http->tls, http->server);
    }
    if (evhttp_bind_socket(http->server, host, (uint16_t)options->port) == 0)
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION,
                     "cannot listen on %s:%d for HTTP: is another process using the port?", host,
                     options->port);
}

struct error *
http_start(struct loop *loop, const struct http_options *options, struct http **ret_http)
{
    struct http *http = xcalloc(1, sizeof(*http));
    *http = (struct http){
        .server = evhttp_new(loop_event_base(loop)), .fill = options->fill, .data = options->data};
    limit(http->server);
    evhttp_set_gencb(http->server, on_request, http);
    struct error *error = listen_at(http, options);
    if (error != NULL) {
        http_stop(http);
        return error;
    }
    *ret_http = http;
    return NULL;
}

void
http_stop(struct http *http)
{
    if (http == NULL)
        return;
    evhttp_free(http->server);
    http_tls_free(http->tls);
    freep(&http);
}
