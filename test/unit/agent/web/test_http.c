#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/memory.h"
#include "agent/web/http.h"
#include "picture.h"

static struct loop *loop;
static struct http *http;
static pthread_t thread;
static int port;

static void
fill(struct pages_picture *picture, void *data)
{
    (void)data;
    struct pages_picture asked = *picture;
    *picture = *picture_of_replica();
    picture->row = asked.row;
    picture->accept = asked.accept;
    picture->query = asked.query;
}

/* A port that was free a moment ago. */
static int
free_port(void)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    cr_assert_eq(bind(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    close(descriptor);
    return ntohs(address.sin_port);
}

static void *
run(void *data)
{
    (void)data;
    loop_run(loop);
    return NULL;
}

static void
set_up(void)
{
    cr_assert_null(loop_new(&loop));
    port = free_port();
    struct http_options options = {.address = "127.0.0.1", .port = port, .fill = fill};
    cr_assert_null(http_start(loop, &options, &http));
    cr_assert_eq(pthread_create(&thread, NULL, run, NULL), 0);
}

static void
tear_down(void)
{
    loop_stop(loop);
    pthread_join(thread, NULL);
    http_stop(http);
    loop_free(loop);
}

/* Sends the text, reads to the end. */
static char *
exchange(const char *text, size_t size)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(connect(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    ssize_t ignored = send(descriptor, text, size, MSG_NOSIGNAL);
    (void)ignored;
    struct buffer answer = BUFFER_INIT;
    char piece[4096];
    ssize_t count;
    while ((count = recv(descriptor, piece, sizeof(piece), 0)) > 0)
        buffer_append(&answer, piece, (size_t)count);
    close(descriptor);
    return buffer_take(&answer);
}

static void
expect(const char *request, const char *status, const char *piece)
{
    CLEANUP(freep) char *answer = exchange(request, strlen(request));
    cr_assert(str_starts_with(answer, "HTTP/1."));
    cr_assert(str_starts_with(answer + strlen("HTTP/1.x "), status));
    cr_assert_not_null(strstr(answer, piece));
}

Test(http, pages_are_served_and_nothing_else, .init = set_up, .fini = tear_down)
{
    expect("GET /healthz HTTP/1.0\r\n\r\n", "200", "ok\n");
    expect("GET /healthz?verbose HTTP/1.0\r\n\r\n", "200", "ok\n");
    expect("GET /debug/vars HTTP/1.0\r\n\r\n", "200", "application/json");
    expect("GET /debug/status HTTP/1.0\r\n\r\n", "200", "</html>");
    expect("GET /debug/status?format=text HTTP/1.0\r\n\r\n", "200", "text/plain");
    expect("GET / HTTP/1.0\r\nAccept: text/plain\r\n\r\n", "200", "\nstate ");
    expect("GET /debug/state-machine HTTP/1.0\r\n\r\n", "200", "</html>");
    expect("GET /etc/passwd HTTP/1.0\r\n\r\n", "404", "no such page");
    expect("POST /healthz HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "501", "");
}

Test(http, a_head_request_gets_no_body, .init = set_up, .fini = tear_down)
{
    static const char request[] = "HEAD /debug/status HTTP/1.0\r\n\r\n";
    CLEANUP(freep) char *answer = exchange(request, strlen(request));
    cr_assert_not_null(strstr(answer, "text/html"));
    cr_assert(str_ends_with(answer, "\r\n\r\n"), "%s", answer);
}

Test(http, nothing_but_the_page_s_own_script_and_style_may_run, .init = set_up, .fini = tear_down)
{
    expect("GET /debug/status HTTP/1.0\r\n\r\n", "200",
           "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; "
           "style-src 'sha256-");
    expect("GET /metrics HTTP/1.0\r\n\r\n", "200",
           "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'");
    expect("GET /metrics HTTP/1.0\r\n\r\n", "200", "X-Content-Type-Options: nosniff");
}

Test(http, too_large_a_header_is_refused, .init = set_up, .fini = tear_down)
{
    struct buffer request = BUFFER_INIT;
    buffer_append_text(&request, "GET /healthz HTTP/1.0\r\nX: ");
    for (int i = 0; i < 40000; i++)
        buffer_append_char(&request, 'x');
    buffer_append_text(&request, "\r\n\r\n");
    CLEANUP(freep) char *answer = exchange(request.data, request.length_bytes);
    cr_assert_null(strstr(answer, " 200 "));
    buffer_done(&request);
}

Test(http, a_taken_port_is_named, .init = set_up, .fini = tear_down)
{
    struct loop *second_loop = NULL;
    struct http *second = NULL;
    cr_assert_null(loop_new(&second_loop));
    struct http_options options = {.address = "127.0.0.1", .port = port, .fill = fill};
    struct error *error = http_start(second_loop, &options, &second);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    error_free(error);
    loop_free(second_loop);
}
