#include "agent/web/http.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "agent/base/memory.h"

#define HEADERS_LIMIT_BYTES 16384
#define BODY_LIMIT_BYTES 4096
#define IDLE_TIMEOUT_SECONDS 30

struct http {
    struct evhttp *server;
    http_fill fill;
    void *data;
};

static void
add_header(struct evhttp_request *request, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static void
reply(struct evhttp_request *request, struct page page, const struct buffer *body)
{
    struct evbuffer *output = evbuffer_new();
    evbuffer_add(output, buffer_text(body), body->length_bytes);
    add_header(request, "Content-Type", page.content_type);
    add_header(request, "Cache-Control", "no-store");
    add_header(request, "X-Content-Type-Options", "nosniff");
    evhttp_send_reply(request, page.status, page.status == 200 ? "OK" : "Not OK", output);
    evbuffer_free(output);
}

static void
on_request(struct evhttp_request *request, void *data)
{
    struct http *http = data;
    CLEANUP(buffer_done) struct buffer body = BUFFER_INIT;
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    page_function function = path != NULL ? pages_find(str_is_empty(path) ? "/" : path) : NULL;
    if (function == NULL) {
        buffer_append_text(&body, "no such page\n");
        reply(request, (struct page){404, "text/plain; charset=utf-8"}, &body);
        return;
    }
    struct pages_picture *picture = xcalloc(1, sizeof(*picture));
    http->fill(picture, http->data);
    struct page page = function(picture, &body);
    freep(&picture);
    reply(request, page, &body);
}

struct error *
http_start(struct loop *loop, const char *address, int port, http_fill fill, void *data,
           struct http **ret_http)
{
    struct http *http = xcalloc(1, sizeof(*http));
    *http = (struct http){.server = evhttp_new(loop_event_base(loop)), .fill = fill, .data = data};
    evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http->server, HEADERS_LIMIT_BYTES);
    evhttp_set_max_body_size(http->server, BODY_LIMIT_BYTES);
    evhttp_set_timeout(http->server, IDLE_TIMEOUT_SECONDS);
    evhttp_set_gencb(http->server, on_request, http);
    const char *host = str_is_empty(address) ? "0.0.0.0" : address;
    if (evhttp_bind_socket(http->server, host, (uint16_t)port) != 0) {
        http_stop(http);
        return error_new(ERROR_FAILED_PRECONDITION,
                         "cannot listen on %s:%d for HTTP: is another process using the port?",
                         host, port);
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
    freep(&http);
}
