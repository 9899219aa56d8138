#include "agent/rpc/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"

enum { PEM_LIMIT_BYTES = 1024 * 1024 };

void
pem_done(struct pem_files *pem)
{
    free(pem->certificate);
    free(pem->key);
    free(pem->roots);
}

struct error *
pem_read(const char *what, const char *path, size_t limit_bytes, char **ret_text)
{
    if (str_is_empty(path)) {
        *ret_text = NULL;
        return NULL;
    }
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    struct error *error = file_read(path, limit_bytes, &text);
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

void
pem_add_certificates(const char *text, size_t length_bytes, STACK_OF(X509) * list)
{
    if (length_bytes > INT_MAX)
        return;
    BIO *source = BIO_new_mem_buf(text, (int)length_bytes);
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(source, NULL, NULL, NULL)) != NULL)
        sk_X509_push(list, certificate);
    BIO_free(source);
    ERR_clear_error(); /* the end of the text is one */
}

void
pem_certificates_free(STACK_OF(X509) * list)
{
    sk_X509_pop_free(list, X509_free);
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

struct error *
pem_load(const struct rpc_tls *tls, struct pem_files *ret_pem)
{
    struct pem_files pem = {.key = NULL};
    struct error *error =
        pem_read("TLS certificate", tls->certificate_file, PEM_LIMIT_BYTES, &pem.certificate);
    if (error == NULL)
        error = pem_read("TLS key", tls->key_file, PEM_LIMIT_BYTES, &pem.key);
    if (error == NULL)
        error = pem_read("TLS authorities", tls->ca_file, PEM_LIMIT_BYTES, &pem.roots);
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
