#include "agent/rpc/peer.h"

#include <grpc/grpc_security.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/rpc/crl.h"
#include "agent/rpc/pem.h"
#include "agent/rpc/stamp.h"
#include "agent/rpc/subject.h"
#include "agent/rpc/tls.h"

struct peer_rules {
    struct rpc_tls tls;
    struct stamp stamps[2];
    struct crl *crl; /* NULL: none configured */
    bool has_subjects;
    struct strv subjects;
};

static void
add_property(const grpc_auth_context *context, const char *name, STACK_OF(X509) * chain)
{
    grpc_auth_property_iterator iterator = grpc_auth_context_find_properties_by_name(context, name);
    const grpc_auth_property *property = grpc_auth_property_iterator_next(&iterator);
    if (property != NULL)
        pem_add_certificates(property->value, property->value_length, chain);
}

STACK_OF(X509) * peer_certificates(grpc_call *call)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    grpc_auth_context *context = grpc_call_auth_context(call);
    if (context == NULL)
        return chain;
    add_property(context, GRPC_X509_PEM_CERT_PROPERTY_NAME, chain);
    add_property(context, GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME, chain);
    grpc_auth_context_release(context);
    return chain;
}

void
peer_certificates_donep(STACK_OF(X509) * *chain)
{
    pem_certificates_free(*chain);
}

/* As Go's strings.Split: empty pieces count. */
static void
split_subjects(const char *text, struct strv *ret_subjects)
{
    for (const char *end; (end = strchr(text, ':')) != NULL; text = end + 1)
        strv_add_take(ret_subjects, xstrndup(text, (size_t)(end - text)));
    strv_add(ret_subjects, text);
    if (strv_contains(ret_subjects, ""))
        LOG_WARN("rpc", "every client with a certificate may call: there is an empty text in "
                        "--grpc-auth-mtls-allowed-substrings");
}

static bool
has_changed(struct peer_rules *rules)
{
    const char *paths[] = {rules->tls.crl_file, rules->tls.ca_file};
    bool is_changed = false;
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct stamp now = stamp_of(paths[i]);
        is_changed |= !stamp_equal(&now, &rules->stamps[i]);
        rules->stamps[i] = now;
    }
    return is_changed;
}

struct error *
peer_rules_new(const struct rpc_tls *tls, const char *allowed_subjects,
               struct peer_rules **ret_rules)
{
    struct crl *crl = NULL;
    if (str_is_empty(tls->certificate_file) || str_is_empty(tls->ca_file))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "client certificates can be judged only with TLS and its authorities");
    if (!str_is_empty(tls->crl_file))
        TRY(crl_load(tls->crl_file, tls->ca_file, &crl));
    struct peer_rules *rules = xcalloc(1, sizeof(*rules));
    rules->crl = crl;
    rules->tls = tls_copy(tls);
    rules->has_subjects = allowed_subjects != NULL;
    if (rules->has_subjects)
        split_subjects(allowed_subjects, &rules->subjects);
    has_changed(rules);
    *ret_rules = rules;
    return NULL;
}

void
peer_rules_free(struct peer_rules *rules)
{
    if (rules == NULL)
        return;
    crl_free(rules->crl);
    tls_done(&rules->tls);
    strv_done(&rules->subjects);
    free(rules);
}

static void
refresh(struct peer_rules *rules)
{
    if (!has_changed(rules))
        return;
    struct crl *crl = NULL;
    struct error *error = crl_load(rules->tls.crl_file, rules->tls.ca_file, &crl);
    if (error != NULL) {
        log_error_take(LOG_LEVEL_WARN, "rpc", error, "the revocation list stays as it was");
        return;
    }
    crl_free(rules->crl);
    rules->crl = crl;
}

struct error *
peer_rules_check_revoked(struct peer_rules *rules, const STACK_OF(X509) * chain)
{
    if (rules->crl == NULL)
        return NULL;
    refresh(rules);
    return crl_check(rules->crl, chain);
}

static bool
is_allowed(const struct peer_rules *rules, X509 *certificate)
{
    CLEANUP(freep) char *subject = subject_text(certificate);
    for (size_t i = 0; i < rules->subjects.count; i++)
        if (strstr(subject, rules->subjects.items[i]) != NULL)
            return true;
    return false;
}

struct error *
peer_rules_check_subject(const struct peer_rules *rules, const STACK_OF(X509) * chain)
{
    if (!rules->has_subjects)
        return NULL;
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (is_allowed(rules, sk_X509_value(chain, i)))
            return NULL;
    return error_new(ERROR_UNAUTHENTICATED, "client certificate not authorized");
}
