/* The HTTP port: read-only pages, on the loop's thread. */
#ifndef VTAGENT_WEB_HTTP_H
#define VTAGENT_WEB_HTTP_H

#include "agent/base/loop.h"
#include "agent/web/http_tls.h"
#include "agent/web/pages.h"

struct http;
/* Called for each request, on the loop's thread. row, accept and query are filled already. */
typedef void (*http_fill)(struct pages_picture *picture, void *data);
struct http_options {
    const char *address; /* NULL or "": all */
    int port;
    struct http_tls_files tls; /* borrowed; without a certificate there is no TLS */
    http_fill fill;
    void *data;
};
/* Listens; FAILED_PRECONDITION naming the address when it is taken, INVALID_ARGUMENT naming a file
 * that is not what it should be. Loop thread. */
struct error *http_start(struct loop *loop, const struct http_options *options,
                         struct http **ret_http) ERROR_MUST_CHECK;
void http_stop(struct http *http); /* loop thread; NULL is fine */

#endif
