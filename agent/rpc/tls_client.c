/* Credentials of our channels. With a revocation list the core's own checks (authority, validity,
 * then the server's name) are followed by ours, before anything is sent. */
#include <stdlib.h>
#include <string.h>

#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>

#include "agent/base/memory.h"
#include "agent/rpc/crl.h"
#include "agent/rpc/pem.h"
#include "agent/rpc/tls.h"

struct verifier {
    grpc_tls_certificate_verifier_external external;
    grpc_tls_certificate_verifier *host_name;
    struct crl *crl;
};

static struct error *
check_chain(const struct crl *crl, const grpc_tls_custom_verification_check_request *request)
{
    const char *texts[] = {request->peer_info.peer_cert, request->peer_info.peer_cert_full_chain};
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (texts[i] != NULL)
            pem_add_certificates(texts[i], strlen(texts[i]), chain);
    struct error *error = sk_X509_num(chain) == 0
                              ? error_new(ERROR_UNAUTHENTICATED, "the server sent no certificate")
                              : crl_check(crl, chain);
    pem_certificates_free(chain);
    return error;
}

/* On a thread of the core's. Returns whether it has answered: always. */
static int
verify(void *data, grpc_tls_custom_verification_check_request *request,
       grpc_tls_on_custom_verification_check_done_cb callback, void *callback_arg,
       grpc_status_code *ret_status, char **ret_details)
{
    struct verifier *verifier = data;
    if (!grpc_tls_certificate_verifier_verify(verifier->host_name, request, callback, callback_arg,
                                              ret_status, ret_details))
        return 0;
    if (*ret_status != GRPC_STATUS_OK)
        return 1;
    struct error *error = check_chain(verifier->crl, request);
    if (error != NULL) {
        *ret_status = GRPC_STATUS_UNAUTHENTICATED;
        *ret_details = gpr_strdup(error->message);
        error_free(error);
    }
    return 1;
}

static void
no_cancel(void *data, grpc_tls_custom_verification_check_request *request)
{
    (void)data;
    (void)request;
}

static void
destruct(void *data)
{
    struct verifier *verifier = data;
    grpc_tls_certificate_verifier_release(verifier->host_name);
    crl_free(verifier->crl);
    free(verifier);
}

static void
add_verifier(grpc_tls_credentials_options *options, struct crl *take_crl)
{
    struct verifier *verifier = xcalloc(1, sizeof(*verifier));
    verifier->crl = take_crl;
    verifier->host_name = grpc_tls_certificate_verifier_host_name_create();
    verifier->external = (grpc_tls_certificate_verifier_external){
        .user_data = verifier, .verify = verify, .cancel = no_cancel, .destruct = destruct};
    grpc_tls_certificate_verifier *shown =
        grpc_tls_certificate_verifier_external_create(&verifier->external);
    grpc_tls_credentials_options_set_certificate_verifier(options, shown);
    grpc_tls_certificate_verifier_release(shown);
}

static void
add_files(grpc_tls_credentials_options *options, const struct pem_files *pem)
{
    grpc_tls_identity_pairs *pairs = NULL;
    if (pem->roots == NULL && pem->certificate == NULL)
        return;
    if (pem->certificate != NULL) {
        pairs = grpc_tls_identity_pairs_create();
        grpc_tls_identity_pairs_add_pair(pairs, pem->key, pem->certificate);
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    }
    if (pem->roots != NULL)
        grpc_tls_credentials_options_watch_root_certs(options);
    grpc_tls_certificate_provider *provider =
        grpc_tls_certificate_provider_static_data_create(pem->roots, pairs);
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_certificate_provider_release(provider);
}

static struct error *
load_crl(const struct rpc_tls *tls, struct crl **ret_crl)
{
    if (str_is_empty(tls->crl_file))
        return NULL;
    if (str_is_empty(tls->ca_file))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "a revocation list for servers needs a file of their authorities");
    return crl_load(tls->crl_file, tls->ca_file, ret_crl);
}

struct error *
tls_client_credentials(const struct rpc_tls *tls, grpc_channel_credentials **ret_credentials)
{
    struct pem_files pem;
    struct crl *crl = NULL;
    TRY(load_crl(tls, &crl));
    struct error *error = pem_load(tls, &pem);
    if (error != NULL) {
        crl_free(crl);
        return error;
    }
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    add_files(options, &pem);
    pem_done(&pem);
    if (crl != NULL)
        add_verifier(options, crl);
    *ret_credentials = grpc_tls_credentials_create(options);
    if (*ret_credentials == NULL)
        return error_new(ERROR_INTERNAL, "the gRPC core refused the TLS files");
    return NULL;
}
