#include "agent/rpc/crl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/rpc/pem.h"
#include "agent/rpc/subject.h"

enum {
    LIST_LIMIT_BYTES = 32 * 1024 * 1024,
    AUTHORITIES_LIMIT_BYTES = 1024 * 1024,
    WARN_EVERY_MS = 3600 * 1000,
};

struct crl {
    char *path;
    STACK_OF(X509_CRL) * lists;
    STACK_OF(X509) * authorities;
};

void
crl_free(struct crl *crl)
{
    if (crl == NULL)
        return;
    sk_X509_CRL_pop_free(crl->lists, X509_CRL_free);
    pem_certificates_free(crl->authorities);
    free(crl->path);
    free(crl);
}

static struct error *
parse_lists(struct crl *crl, const char *text)
{
    BIO *source = BIO_new_mem_buf(text, -1);
    X509_CRL *list;
    while ((list = PEM_read_bio_X509_CRL(source, NULL, NULL, NULL)) != NULL)
        sk_X509_CRL_push(crl->lists, list);
    BIO_free(source);
    bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!is_end)
        return error_new(ERROR_INVALID_ARGUMENT, "revocation list %d in '%s' is damaged",
                         sk_X509_CRL_num(crl->lists) + 1, crl->path);
    if (sk_X509_CRL_num(crl->lists) == 0)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "no revocation list in '%s': it must be in PEM format (X509 CRL)",
                         crl->path);
    return NULL;
}

static struct error *
read_files(struct crl *crl, const char *ca_file)
{
    CLEANUP(freep) char *lists = NULL, *authorities = NULL;
    TRY(pem_read("certificate revocation list", crl->path, LIST_LIMIT_BYTES, &lists));
    TRY(parse_lists(crl, lists));
    TRY(pem_read("TLS authorities", ca_file, AUTHORITIES_LIMIT_BYTES, &authorities));
    if (authorities != NULL)
        pem_add_certificates(authorities, strlen(authorities), crl->authorities);
    return NULL;
}

struct error *
crl_load(const char *crl_file, const char *ca_file, struct crl **ret_crl)
{
    struct crl *crl = xcalloc(1, sizeof(*crl));
    crl->path = xstrdup(crl_file);
    crl->lists = sk_X509_CRL_new_null();
    crl->authorities = sk_X509_new_null();
    struct error *error = read_files(crl, ca_file);
    if (error != NULL) {
        crl_free(crl);
        return error;
    }
    *ret_crl = crl;
    return NULL;
}

/* Channels are short-lived: an hour's silence is the process's. */
static void
warn_of_age(const struct crl *crl, const X509_CRL *list)
{
    static atomic_int_least64_t last_ms;
    const ASN1_TIME *end = X509_CRL_get0_nextUpdate(list);
    if (end == NULL || X509_cmp_current_time(end) > 0)
        return;
    int64_t now_ms = clock_monotonic_ms(), before_ms = atomic_load(&last_ms);
    if ((before_ms == 0 || now_ms - before_ms > WARN_EVERY_MS) &&
        atomic_compare_exchange_strong(&last_ms, &before_ms, now_ms))
        LOG_WARN("rpc",
                 "a revocation list in '%s' is past its date: put a new one there; those it names "
                 "are refused still",
                 crl->path);
}

/* Whether the list is of the authority that it names: two may have one name, as in a rotation. */
static bool
is_signed_by_one_of(X509_CRL *list, const STACK_OF(X509) * candidates, bool *is_known)
{
    for (int i = 0; i < sk_X509_num(candidates); i++) {
        X509 *candidate = sk_X509_value(candidates, i);
        if (X509_NAME_cmp(X509_get_subject_name(candidate), X509_CRL_get_issuer(list)) != 0)
            continue;
        *is_known = true;
        EVP_PKEY *key = X509_get0_pubkey(candidate);
        if (key != NULL && X509_CRL_verify(list, key) == 1)
            return true;
    }
    return false;
}

static bool
is_genuine(const struct crl *crl, X509_CRL *list, const STACK_OF(X509) * chain)
{
    bool is_known = false;
    bool is_signed = is_signed_by_one_of(list, crl->authorities, &is_known) ||
                     is_signed_by_one_of(list, chain, &is_known);
    ERR_clear_error();
    return is_signed || !is_known; /* in doubt the one who put the file there is believed */
}

static bool
is_listed(X509_CRL *list, X509 *certificate)
{
    X509_REVOKED *entry = NULL;
    return X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_issuer_name(certificate)) == 0 &&
           X509_CRL_get0_by_serial(list, &entry, X509_get_serialNumber(certificate)) == 1;
}

struct error *
crl_check(const struct crl *crl, const STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_CRL_num(crl->lists); i++) {
        X509_CRL *list = sk_X509_CRL_value(crl->lists, i);
        warn_of_age(crl, list);
        for (int k = 0; k < sk_X509_num(chain); k++) {
            X509 *certificate = sk_X509_value(chain, k);
            if (!is_listed(list, certificate) || !is_genuine(crl, list, chain))
                continue;
            CLEANUP(freep) char *subject = subject_text(certificate);
            return error_new(ERROR_UNAUTHENTICATED, "certificate revoked: '%s'", subject);
        }
    }
    return NULL;
}
