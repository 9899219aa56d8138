/* The stores under test: memory, and a real etcd started for the test when there is one. */
#ifndef TEST_TOPO_STORES_H
#define TEST_TOPO_STORES_H

#include "agent/topo/records.h"

struct etcd_server;
/* NULL when this machine has no etcd. */
struct etcd_server *etcd_server_start(void);
/* Asks clients for certificates; its own also serves as the CA's and the client's. NULL also when
 * there is no openssl to make one. */
struct etcd_server *etcd_server_start_tls(void);
/* Names of the files; caller frees. */
char *etcd_server_certificate(const struct etcd_server *server);
char *etcd_server_key(const struct etcd_server *server);
/* "127.0.0.1:port" */
const char *etcd_server_address(const struct etcd_server *server);
void etcd_server_stop(struct etcd_server *server); /* kill, wait, remove its files */
/* Same data and port, after etcd_server_kill. */
void etcd_server_kill(struct etcd_server *server);
void etcd_server_restart(struct etcd_server *server);

/* Fails the test with the error's text. */
void must(struct error *error);
void must_be(struct error *error, enum error_code code);

#endif
