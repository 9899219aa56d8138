#include "agent/web/http_tls.h"

#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/rpc/pem.h"
#include "agent/rpc/stamp.h"

#define COMPONENT "http"

struct http_tls {
    struct http_tls_files files;
    struct stamp stamps[3];
    SSL_CTX *context;
};

/* ---- From files to a context ---- */

static struct error *
check_files(const struct http_tls_files *files)
{
    struct rpc_tls names = {.certificate_file = (char *)(uintptr_t)files->certificate,
                            .key_file = (char *)(uintptr_t)files->key,
                            .ca_file = (char *)(uintptr_t)files->authority};
    struct pem_files pem;
    TRY(pem_load(&names, &pem));
    pem_done(&pem);
    return NULL;
}

static struct error *
openssl_error(const char *what, const char *path)
{
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return error_new(ERROR_INVALID_ARGUMENT, "use the %s '%s': %s", what, path, text);
}

static struct error *
demand_clients(SSL_CTX *context, const char *authority)
{
    if (str_is_empty(authority))
        return NULL;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(authority);
    if (names == NULL || SSL_CTX_load_verify_locations(context, authority, NULL) != 1)
        return openssl_error("authority", authority);
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return NULL;
}

static struct error *
fill_context(SSL_CTX *context, const struct http_tls_files *files)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* No session outlives the files that it was made with. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1)
        return openssl_error("certificate", files->certificate);
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1)
        return openssl_error("key", files->key);
    return demand_clients(context, files->authority);
}

static struct error *
load(const struct http_tls_files *files, SSL_CTX **ret_context)
{
    TRY(check_files(files));
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        abort(); /* out of memory */
    struct error *error = fill_context(context, files);
    if (error != NULL) {
        SSL_CTX_free(context);
        return error;
    }
    *ret_context = context;
    return NULL;
}

static bool
has_changed(struct http_tls *tls)
{
    const char *paths[] = {tls->files.certificate, tls->files.key, tls->files.authority};
    bool is_changed = false;
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct stamp now = stamp_of(paths[i]);
        is_changed |= !stamp_equal(&now, &tls->stamps[i]);
        tls->stamps[i] = now;
    }
    return is_changed;
}

static void
look_again(struct http_tls *tls)
{
    SSL_CTX *fresh = NULL;
    if (!has_changed(tls))
        return;
    struct error *error = load(&tls->files, &fresh);
    if (error != NULL) {
        log_error_take(LOG_LEVEL_WARN, COMPONENT, error, "the TLS certificate stays as it was");
        return;
    }
    SSL_CTX_free(tls->context); /* connections hold it as long as they need it */
    tls->context = fresh;
    LOG_INFO(COMPONENT, "the TLS certificate was read again");
}

/* ---- Connections ---- */

/* Never NULL: libevent would go on without TLS. */
static struct bufferevent *
make_connection(struct event_base *base, void *data)
{
    struct http_tls *tls = data;
    look_again(tls);
    SSL *session = SSL_new(tls->context);
    struct bufferevent *connection =
        session == NULL ? NULL
                        : bufferevent_openssl_socket_new(
                              base, -1, session, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (connection == NULL)
        abort(); /* out of memory */
    bufferevent_openssl_set_allow_dirty_shutdown(connection, 1);
    return connection;
}

struct error *
http_tls_new(const struct http_tls_files *files, struct http_tls **ret_tls)
{
    SSL_CTX *context = NULL;
    struct http_tls *tls = xcalloc(1, sizeof(*tls));
    tls->files = *files;
    (void)has_changed(tls); /* before reading: a change while we read counts as one */
    struct error *error = load(files, &context);
    if (error != NULL) {
        freep(&tls);
        return error;
    }
    tls->context = context;
    *ret_tls = tls;
    return NULL;
}

void
http_tls_use(struct http_tls *tls, struct evhttp *server)
{
    evhttp_set_bevcb(server, make_connection, tls);
}

void
http_tls_free(struct http_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    freep(&tls);
}
