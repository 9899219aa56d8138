/* TLS for the HTTP port: certificate, key and authority of clients from files that are read again
 * when they change. A pair that does not fit, as in the middle of a rotation, leaves the old one in
 * use. Loop thread. */
#ifndef VTAGENT_WEB_HTTP_TLS_H
#define VTAGENT_WEB_HTTP_TLS_H

#include "agent/base/error.h"

struct http_tls_files {
    const char *certificate, *key;
    const char *authority; /* of client certificates, which are then demanded; NULL or "": none */
};
struct http_tls;
struct evhttp;
/* The files' names are borrowed. INVALID_ARGUMENT naming the file that is not what it should be. */
struct error *http_tls_new(const struct http_tls_files *files,
                           struct http_tls **ret_tls) ERROR_MUST_CHECK;
/* Every new connection speaks TLS. The server must go before the tls. */
void http_tls_use(struct http_tls *tls, struct evhttp *server);
void http_tls_free(struct http_tls *tls); /* NULL is fine */

#endif
