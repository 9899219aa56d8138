/* A certificate and key that do not fit, as in the middle of a rotation, leave the old pair in use.
 */
#include "agent/rpc/tls.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/rpc/pem.h"

struct tls_listener {
    struct rpc_tls files;
    pthread_mutex_t lock; /* handshakes may run on several of the core's threads */
    struct stamp stamps[3];
    bool has_loaded;
};

struct rpc_tls
tls_copy(const struct rpc_tls *tls)
{
    struct rpc_tls copy = *tls;
    copy.certificate_file = xstrdup(tls->certificate_file);
    copy.key_file = xstrdup(tls->key_file);
    copy.ca_file = xstrdup(tls->ca_file);
    copy.crl_file = xstrdup(tls->crl_file);
    copy.server_name = xstrdup(tls->server_name);
    return copy;
}

void
tls_done(struct rpc_tls *tls)
{
    free(tls->certificate_file);
    free(tls->key_file);
    free(tls->ca_file);
    free(tls->crl_file);
    free(tls->server_name);
    *tls = (struct rpc_tls){.key_file = NULL};
}

bool
tls_is_used(const struct rpc_tls *tls)
{
    return tls->is_enabled || !str_is_empty(tls->ca_file) || !str_is_empty(tls->certificate_file);
}

static bool
has_changed(struct tls_listener *listener)
{
    const char *paths[] = {listener->files.certificate_file, listener->files.key_file,
                           listener->files.ca_file};
    bool is_changed = !listener->has_loaded;
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct stamp now = stamp_of(paths[i]);
        is_changed |= !stamp_equal(&now, &listener->stamps[i]);
        listener->stamps[i] = now;
    }
    return is_changed;
}

/* The core asks at each handshake. */
static grpc_ssl_certificate_config_reload_status
fetch(void *data, grpc_ssl_server_certificate_config **ret_config)
{
    struct tls_listener *listener = data;
    pthread_mutex_lock(&listener->lock);
    bool is_changed = has_changed(listener);
    pthread_mutex_unlock(&listener->lock);
    if (!is_changed)
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    struct pem_files pem;
    struct error *error = pem_load(&listener->files, &pem);
    if (error != NULL) {
        log_error_take(LOG_LEVEL_WARN, "rpc", error, "the TLS certificate stays as it was");
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    }
    grpc_ssl_pem_key_cert_pair pair = {pem.key, pem.certificate};
    /* The core asserts that there are roots, though it has no use for them when it asks clients for
     * no certificate. */
    *ret_config = grpc_ssl_server_certificate_config_create(
        pem.roots != NULL ? pem.roots : pem.certificate, &pair, 1);
    pem_done(&pem);
    pthread_mutex_lock(&listener->lock);
    listener->has_loaded = true;
    pthread_mutex_unlock(&listener->lock);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

static grpc_ssl_client_certificate_request_type
client_certificate_rule(const struct rpc_tls *tls)
{
    if (str_is_empty(tls->ca_file))
        return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    return tls->requires_client_certificate
               ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
               : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
}

struct error *
tls_listener_new(const struct rpc_tls *tls, struct tls_listener **ret_listener,
                 grpc_server_credentials **ret_credentials)
{
    if (tls->requires_client_certificate && str_is_empty(tls->ca_file))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "client certificates can be required only with a file of authorities");
    struct pem_files pem;
    TRY(pem_load(tls, &pem));
    pem_done(&pem);
    struct tls_listener *listener = xcalloc(1, sizeof(*listener));
    listener->files = tls_copy(tls);
    pthread_mutex_init(&listener->lock, NULL);
    *ret_listener = listener;
    *ret_credentials = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            client_certificate_rule(tls), fetch, listener));
    return NULL;
}

void
tls_listener_free(struct tls_listener *listener)
{
    if (listener == NULL)
        return;
    tls_done(&listener->files);
    pthread_mutex_destroy(&listener->lock);
    free(listener);
}
