/* What the files behind control.h share. */
#ifndef VTAGENT_REPLICATION_CONTROL_PRIVATE_H
#define VTAGENT_REPLICATION_CONTROL_PRIVATE_H

#include "agent/mysql/dialect.h"
#include "replication/control.h"

/* The names of one semi-sync plugin family, or NULL members when there is none. */
struct semi_sync_names {
    const char *primary_enabled, *replica_enabled; /* variables */
    const char *replica_status, *wait_sessions;    /* status variables */
};
/* By probing variables: which family a server has does not follow from its version. */
struct error *semi_sync_names_read(struct db *db, struct cancel *cancel,
                                   struct semi_sync_names *ret_names) ERROR_MUST_CHECK;
struct error *semi_sync_wait_sessions_read(struct db *db, struct cancel *cancel,
                                           const struct semi_sync_names *names,
                                           uint64_t *ret_count) ERROR_MUST_CHECK;
/* Both switches; nothing when there is no plugin. */
struct error *semi_sync_switch(struct db *db, struct cancel *cancel,
                               const struct semi_sync_names *names, bool is_primary_on,
                               bool is_replica_on) ERROR_MUST_CHECK;

/* A statement on replication's settings or threads: refused once the cancel has ended, but never
 * killed half-way (bounded by two minutes). A killed CHANGE or RESET makes MySQL lose its
 * replication metadata until it is restarted (1794), a killed STOP can leave half an event in the
 * relay log. */
struct error *control_execute(struct db *db, struct cancel *cancel,
                              const char *sql) ERROR_MUST_CHECK;

/* Whether the error tells of a relay log that only RESET REPLICA repairs. */
bool error_is_broken_relay_log(const struct error *error);
/* STOP, RESET REPLICA: afterwards a CHANGE or START works again. Frees the error. */
struct error *relay_log_repair(struct db *db, struct cancel *cancel,
                               struct error *take_error) ERROR_MUST_CHECK;

/* The set's text as an SQL literal. INVALID_ARGUMENT when its flavor is not the server's. */
struct error *position_literal(const struct db *db, const struct position *position,
                               char **ret_literal) ERROR_MUST_CHECK;

#define MYSQL_ERRNO_UNKNOWN_VARIABLE 1193
#define MYSQL_ERRNO_NO_SUCH_TABLE 1146
#define MYSQL_ERRNO_NO_SUCH_DATABASE 1049
#define MYSQL_ERRNO_NO_SUCH_THREAD 1094

#endif
