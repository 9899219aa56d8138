/* The HTTP port: read-only pages, on the loop's thread. */
#ifndef VTAGENT_WEB_HTTP_H
#define VTAGENT_WEB_HTTP_H

#include "agent/base/loop.h"
#include "agent/web/pages.h"

struct http;
/* Called for each request, on the loop's thread. */
typedef void (*http_fill)(struct pages_picture *picture, void *data);
/* Listens; FAILED_PRECONDITION naming the address when it is taken. Loop thread. */
struct error *http_start(struct loop *loop, const char *address, int port, http_fill fill,
                         void *data, struct http **ret_http) ERROR_MUST_CHECK;
void http_stop(struct http *http); /* loop thread; NULL is fine */

#endif
