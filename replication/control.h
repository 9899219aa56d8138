/* Steps that change a server's replication role. Blocking, one connection, SQL by dialect; no
 * topology and no RPC. Each is idempotent where Vitess's is. Source: Vitess's tablet manager and
 * the hazards named at each function. */
#ifndef VTAGENT_REPLICATION_CONTROL_H
#define VTAGENT_REPLICATION_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/mysql/db.h"
#include "replication/gtid.h"
#include "replication/status.h"

struct error *replication_stop(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *replication_start(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *replication_stop_io(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
/* Semi-sync off, STOP, RESET ALL, reset binary logs and GTID state. Destroys binary logs. */
struct error *replication_reset(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *replication_reset_parameters(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
/* Makes the executed set equal `position` (resets binary logs first). */
struct error *replication_set_position(struct db *db, struct cancel *cancel,
                                       const struct position *position) ERROR_MUST_CHECK;

struct replication_source {
    const char *host;
    int port;
    const char *user, *password;
    double heartbeat_interval; /* seconds; 0: leave alone */
    int connect_retry_seconds; /* 0: 10 */
    bool wants_ssl;
};
/* CHANGE … TO; does not stop or start. Repairs a broken relay log (1872, 1201) as Vitess does. The
 * password never reaches an error's text. */
struct error *replication_change_source(struct db *db, struct cancel *cancel,
                                        const struct replication_source *source) ERROR_MUST_CHECK;

/* Waits until the executed set contains `position` (own set first, so primaries answer at once;
 * then the dialect's wait; FilePos positions by position_wait). DEADLINE_EXCEEDED at the cancel's
 * end. */
struct error *replication_wait_for_position(struct db *db, struct cancel *cancel,
                                            const struct position *position) ERROR_MUST_CHECK;
struct error *replication_start_until_after(struct db *db, struct cancel *cancel,
                                            const struct position *position) ERROR_MUST_CHECK;

/* Read-only switches. super_read_only where it exists (1193 tolerated), else read_only.
 * Setting read-only never waits for a semi-sync acknowledgement that cannot come: see
 * replication_fence. */
struct error *server_set_read_only(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *server_set_read_write(struct db *db, struct cancel *cancel) ERROR_MUST_CHECK;
struct error *server_is_read_only(struct db *db, struct cancel *cancel,
                                  bool *ret_is_read_only) ERROR_MUST_CHECK;

/* Fences a primary: read-only within the cancel's deadline even while writers wait for semi-sync
 * acknowledgements or hold locks. `params` opens helper connections. is_forced: release semi-sync
 * waiters at once (ERS); else wait first for them to be acknowledged (half of the time left), then
 * release. Connections that block the switch are killed after a grace of 500 ms. */
struct error *replication_fence(struct db *db, const struct db_params *params, bool is_forced,
                                struct cancel *cancel) ERROR_MUST_CHECK;

/* Semi-sync by probing variables (both name families). */
enum semi_sync_action { SEMI_SYNC_NONE, SEMI_SYNC_SET, SEMI_SYNC_UNSET };
/* wants true and no plugin: FAILED_PRECONDITION "VT09013: semi-sync plugins are not loaded". */
struct error *semi_sync_action_of(struct db *db, struct cancel *cancel, bool wants_semi_sync,
                                  enum semi_sync_action *ret_action) ERROR_MUST_CHECK;
/* SET: primary side on iff is_primary, replica side on. UNSET: both off. NONE: nothing. */
struct error *semi_sync_fix(struct db *db, struct cancel *cancel, enum semi_sync_action action,
                            bool is_primary) ERROR_MUST_CHECK;
/* Also restarts a running IO thread when its semi-sync status does not match (not for primaries).
 */
struct error *semi_sync_fix_and_replication(struct db *db, struct cancel *cancel,
                                            enum semi_sync_action action, bool is_primary,
                                            bool should_ack) ERROR_MUST_CHECK;

/* The sidecar database ("_vt"): CREATE DATABASE IF NOT EXISTS always writes one binlog event. */
struct error *sidecar_create_database(struct db *db, struct cancel *cancel,
                                      const char *sidecar) ERROR_MUST_CHECK;
/* reparent_journal, heartbeat, semisync_heartbeat; on a writable primary only. */
struct error *sidecar_create_tables(struct db *db, struct cancel *cancel,
                                    const char *sidecar) ERROR_MUST_CHECK;
/* Drops these tables with their rows; the statement is always logged. */
struct error *sidecar_drop_tables(struct db *db, struct cancel *cancel,
                                  const char *sidecar) ERROR_MUST_CHECK;
struct error *reparent_journal_insert(struct db *db, struct cancel *cancel, const char *sidecar,
                                      int64_t time_created_ns, const char *action_name,
                                      const char *primary_alias,
                                      const char *position) ERROR_MUST_CHECK;
struct error *reparent_journal_length(struct db *db, struct cancel *cancel, const char *sidecar,
                                      int32_t *ret_length) ERROR_MUST_CHECK;
/* Polls every 50 ms until the row is there; a missing table is "not yet". */
struct error *reparent_journal_wait(struct db *db, struct cancel *cancel, const char *sidecar,
                                    int64_t time_created_ns) ERROR_MUST_CHECK;

/* Errant transactions of this replica against its source: what it has (relay log included) minus
 * the source's executed set minus the source's own uuid. MariaDB: the
 * domains where we are ahead, or at the same number by another server (further behind, only the
 * source can tell, and refuses us). */
struct error *errant_transactions_find(const struct position *ours, const struct position *source,
                                       const char *source_uuid,
                                       struct position **ret_errant) ERROR_MUST_CHECK;
/* FAILED_PRECONDITION "Errant GTID detected - Errant GTID: …; Replica GTID Position: …". */
struct error *errant_transactions_refuse(const struct position *errant,
                                         const struct position *ours) ERROR_MUST_CHECK;

#endif
