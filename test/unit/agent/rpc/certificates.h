/* Authorities and certificates in the test's folder, made by openssl, and a loopback that uses
 * them.
 */
#ifndef TEST_RPC_CERTIFICATES_H
#define TEST_RPC_CERTIFICATES_H

#include "loopback.h"

char *in_folder(const char *name);                              /* its path; caller frees */
void openssl(const char *arguments);                            /* separated by single blanks */
void make_authority(const char *name);                          /* NAME.crt, NAME.key */
void make_certificate(const char *name, const char *authority); /* for tablet.example */

/* Paths of NAME's pair and AUTHORITY's certificate; NULL: none. */
struct rpc_tls tls_files(const char *name, const char *authority);
void tls_files_done(struct rpc_tls *tls);
void serve_tls(const char *name, const char *authority, bool requires_client_certificate);
/* One call by a new channel. */
struct error *ping_with(const char *name, const char *authority);
/* Starts a server that only this is about, and stops it; frees the paths. */
struct error *start_with(struct rpc_tls tls);

#endif
