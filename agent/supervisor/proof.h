/* Proving an image: a server of its own starts on it, recovers it, opens every table, and is shut
 * down cleanly. The image is then as after a clean shutdown. Blocking; one proof of a tablet at a
 * time. */
#ifndef VTAGENT_SUPERVISOR_PROOF_H
#define VTAGENT_SUPERVISOR_PROOF_H

#include "agent/base/cancel.h"
#include "agent/supervisor/image_store.h"
#include "agent/supervisor/server_binary.h"

struct proof_request {
    const struct layout *layout; /* the tablet's */
    const struct server_binary *server;
    const char *user, *password; /* of the administration's account */
    const char *my_cnf_text;     /* the tablet's my.cnf; NULL: none */
    const char *image_name;
    const char *position; /* that the image must contain; "": not looked at */
    bool checks_tables;   /* CHECK TABLE on all */
};
struct proof_result {
    int64_t milliseconds, table_count;
    char *position; /* what the image holds; "" for MariaDB, which tells only by its binary log */
};
void proof_result_done(struct proof_result *result);
/* DATA_LOSS: the image is no good, and why. Anything else: it could not be found out. The server
 * has ended in every case. */
struct error *proof_run(const struct proof_request *request, struct cancel *cancel,
                        struct proof_result *ret_result) ERROR_MUST_CHECK;

/* my.cnf of the server on the image: the tablet's own, so that page size, encryption, plugins and
 * names are read as they were written; then what must be different. Caller frees. Pure. */
char *proof_config(const struct proof_request *request, const char *image_path);

#endif
