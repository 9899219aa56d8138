/* The server around a job: what it was before, stopping, starting, putting back. Action thread. */
#ifndef VTAGENT_JOB_SERVER_H
#define VTAGENT_JOB_SERVER_H

#include "agent/tablet/tablet.h"
#include "replication/status.h"

/* What must be as before when the job is over. */
struct server_before {
    bool was_replicating; /* both threads healthy */
    bool was_writable;
    bool semi_sync_primary, semi_sync_replica;
};
/* Also what a backup's MANIFEST wants to know. Strings are owned. */
struct server_facts {
    struct server_before before;
    bool is_replica;
    char *server_uuid, *version_text, *purged_position;
};
struct error *server_facts_read(struct db *db, struct cancel *cancel,
                                struct server_facts *ret_facts) ERROR_MUST_CHECK;
void server_facts_done(struct server_facts *facts);

/* Stops mysqld and waits. timeout_ms bounds the server's own shutdown. */
struct error *server_stop(struct tablet_context *context, struct cancel *cancel,
                          int64_t timeout_ms) ERROR_MUST_CHECK;
/* Starts mysqld and waits until it takes connections; tries again for a while. Success at once when
 * it runs. */
struct error *server_start(struct tablet_context *context, struct cancel *cancel) ERROR_MUST_CHECK;
/* One attempt without network and grants, then an upgrade of its tables, then a clean stop. */
struct error *server_upgrade(struct tablet_context *context, struct cancel *cancel,
                             int64_t shutdown_timeout_ms) ERROR_MUST_CHECK;
/* Semi-sync flags as before. */
struct error *server_put_semi_sync_back(struct db *db, struct cancel *cancel,
                                        const struct server_before *before) ERROR_MUST_CHECK;
/* Starts replication and waits up to 30 s until both threads run; DEADLINE_EXCEEDED names the
 * server's own error. */
struct error *server_resume_replication(struct tablet_context *context, struct db *db,
                                        struct cancel *cancel) ERROR_MUST_CHECK;

#endif
