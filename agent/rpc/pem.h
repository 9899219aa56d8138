/* For listeners: PEM files, read and checked before the core sees them: it would only say
 * "no security connector". */
#ifndef VTAGENT_RPC_PEM_H
#define VTAGENT_RPC_PEM_H

#include <openssl/x509.h>

#include "agent/base/error.h"
#include "agent/rpc/rpc.h"

struct pem_files {
    char *certificate, *key, *roots; /* contents; NULL: not configured */
};

/* Reads what is configured; INVALID_ARGUMENT naming the file that is not what it should be. */
struct error *pem_load(const struct rpc_tls *tls, struct pem_files *ret_pem) ERROR_MUST_CHECK;
void pem_done(struct pem_files *pem);

/* One file's text; NULL for no path. `what` names it in errors. Caller frees. */
struct error *pem_read(const char *what, const char *path, size_t limit_bytes,
                       char **ret_text) ERROR_MUST_CHECK;
/* Adds the certificates in a text to a list; what is no certificate ends it. */
void pem_add_certificates(const char *text, size_t length_bytes, STACK_OF(X509) * list);
void pem_certificates_free(STACK_OF(X509) * list);

#endif
