/* Private to agent/rpc: certificate revocation lists, with Vitess's rules: a list counts for the
 * certificates of the authority that signed it; one that is past its date counts still, with a
 * warning in the log; entries that are no list are passed over.
 * Unlike Vitess, a file without any list is an error. */
#ifndef VTAGENT_RPC_CRL_H
#define VTAGENT_RPC_CRL_H

#include <openssl/x509.h>

#include "agent/base/error.h"

struct crl; /* the lists of one file; any thread */
/* ca_file: the authorities that may have signed them. INVALID_ARGUMENT naming the file that holds
 * no list, or a damaged one. */
struct error *crl_load(const char *crl_file, const char *ca_file,
                       struct crl **ret_crl) ERROR_MUST_CHECK;
void crl_free(struct crl *crl);
/* The peer's certificates, its own first, then those that it sent to vouch for it: UNAUTHENTICATED
 * naming the one that was revoked. */
struct error *crl_check(const struct crl *crl, const STACK_OF(X509) * chain) ERROR_MUST_CHECK;

#endif
