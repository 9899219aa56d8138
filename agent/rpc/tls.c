/* Files are checked here, before the core sees them: it would only say "no security connector". A
 * certificate and key that do not fit, as in the middle of a rotation, leave the old pair in use.
 */
#include "agent/rpc/tls.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"

enum { PEM_LIMIT_BYTES = 1024 * 1024 };

struct pem_files {
    char *certificate, *key, *roots; /* contents; NULL: not configured */
};

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
    copy.server_name = xstrdup(tls->server_name);
    return copy;
}

void
tls_done(struct rpc_tls *tls)
{
    free(tls->certificate_file);
    free(tls->key_file);
    free(tls->ca_file);
    free(tls->server_name);
    *tls = (struct rpc_tls){.key_file = NULL};
}

bool
tls_is_used(const struct rpc_tls *tls)
{
    return tls->is_enabled || !str_is_empty(tls->ca_file) || !str_is_empty(tls->certificate_file);
}

static void
pem_done(struct pem_files *pem)
{
    free(pem->certificate);
    free(pem->key);
    free(pem->roots);
}

static struct error *
read_pem(const char *what, const char *path, char **ret_text)
{
    if (str_is_empty(path))
        return NULL;
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    struct error *error = file_read(path, PEM_LIMIT_BYTES, &text);
    if (error != NULL)
        return error_wrap(error, "read the %s", what);
    *ret_text = buffer_take(&text);
    return NULL;
}

static X509 *
parse_certificate(const char *pem)
{
    BIO *source = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(source, NULL, NULL, NULL);
    BIO_free(source);
    return certificate;
}

static int
no_passphrase(char *text, int size, int is_writing, void *data)
{
    (void)text;
    (void)size;
    (void)is_writing;
    (void)data;
    return -1;
}

static EVP_PKEY *
parse_key(const char *pem)
{
    BIO *source = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, no_passphrase, NULL);
    BIO_free(source);
    return key;
}

static struct error *
check_pair(const struct rpc_tls *tls, const struct pem_files *pem)
{
    if ((pem->certificate == NULL) != (pem->key == NULL))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "TLS needs a certificate and its key, not only one");
    if (pem->certificate == NULL)
        return NULL;
    X509 *certificate = parse_certificate(pem->certificate);
    EVP_PKEY *key = parse_key(pem->key);
    struct error *error = NULL;
    if (certificate == NULL)
        error =
            error_new(ERROR_INVALID_ARGUMENT, "no PEM certificate in '%s'", tls->certificate_file);
    else if (key == NULL)
        error = error_new(ERROR_INVALID_ARGUMENT, "no PEM key without passphrase in '%s'",
                          tls->key_file);
    else if (X509_check_private_key(certificate, key) != 1)
        error = error_new(ERROR_INVALID_ARGUMENT, "the key in '%s' is not that of '%s'",
                          tls->key_file, tls->certificate_file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return error;
}

static struct error *
check_roots(const struct rpc_tls *tls, const struct pem_files *pem)
{
    if (pem->roots == NULL)
        return NULL;
    X509 *root = parse_certificate(pem->roots);
    if (root == NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "no PEM certificate in '%s'", tls->ca_file);
    X509_free(root);
    return NULL;
}

static struct error *
load(const struct rpc_tls *tls, struct pem_files *ret_pem)
{
    struct pem_files pem = {.key = NULL};
    struct error *error = read_pem("TLS certificate", tls->certificate_file, &pem.certificate);
    if (error == NULL)
        error = read_pem("TLS key", tls->key_file, &pem.key);
    if (error == NULL)
        error = read_pem("TLS authorities", tls->ca_file, &pem.roots);
    if (error == NULL)
        error = check_pair(tls, &pem);
    if (error == NULL)
        error = check_roots(tls, &pem);
    if (error != NULL) {
        pem_done(&pem);
        return error;
    }
    *ret_pem = pem;
    return NULL;
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
    struct error *error = load(&listener->files, &pem);
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
    TRY(load(tls, &pem));
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

struct error *
tls_client_credentials(const struct rpc_tls *tls, grpc_channel_credentials **ret_credentials)
{
    struct pem_files pem;
    TRY(load(tls, &pem));
    grpc_ssl_pem_key_cert_pair pair = {pem.key, pem.certificate};
    *ret_credentials = grpc_ssl_credentials_create_ex(
        pem.roots, pem.certificate != NULL ? &pair : NULL, NULL, NULL);
    pem_done(&pem);
    if (*ret_credentials == NULL)
        return error_new(ERROR_INTERNAL, "the gRPC core refused the TLS files");
    return NULL;
}
