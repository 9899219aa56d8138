/* Private to agent/rpc: which clients may call, by their certificates. Pump thread only. */
#ifndef VTAGENT_RPC_PEER_H
#define VTAGENT_RPC_PEER_H

#include <grpc/grpc.h>
#include <openssl/x509.h>

#include "agent/base/error.h"
#include "agent/rpc/rpc.h"

/* The certificates that the caller sent, its own first; none without TLS or certificate. */
STACK_OF(X509) * peer_certificates(grpc_call *call);
void peer_certificates_donep(STACK_OF(X509) * *chain);

struct peer_rules;
/* tls->crl_file (may be empty) is read now and again when it or tls->ca_file changes; what cannot
 * be read then leaves the old list in force. allowed_subjects as in struct rpc_server_options. */
struct error *peer_rules_new(const struct rpc_tls *tls, const char *allowed_subjects,
                             struct peer_rules **ret_rules) ERROR_MUST_CHECK;
void peer_rules_free(struct peer_rules *rules);
/* Both: UNAUTHENTICATED. Source of the second: Vitess's MtlsAuthPlugin. */
struct error *peer_rules_check_revoked(struct peer_rules *rules,
                                       const STACK_OF(X509) * chain) ERROR_MUST_CHECK;
struct error *peer_rules_check_subject(const struct peer_rules *rules,
                                       const STACK_OF(X509) * chain) ERROR_MUST_CHECK;

#endif
