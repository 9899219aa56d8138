/* Private to agent/rpc: whom a certificate is for. */
#ifndef VTAGENT_RPC_SUBJECT_H
#define VTAGENT_RPC_SUBJECT_H

#include <openssl/x509.h>

/* The subject's distinguished name as Go prints it (pkix.Name.String), which is what Vitess's
 * --grpc-auth-mtls-allowed-substrings are looked for in: "CN=a,OU=b+OU=c,O=d,C=DE", in this order
 * whatever the certificate's is; other attributes last, as OID=#DER. Caller frees. */
char *subject_text(X509 *certificate);

#endif
