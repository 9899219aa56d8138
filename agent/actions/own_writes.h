/* MariaDB's positions hold one GTID per domain and compare by sequence number, so a source that is
 * further on may still lack what we wrote ourselves. Its binary log's state, which keeps the last
 * GTID of every server, tells. */
#ifndef VTAGENT_ACTIONS_OWN_WRITES_H
#define VTAGENT_ACTIONS_OWN_WRITES_H

#include "agent/tablet/tablet.h"
#include "replication/status.h"

/* FAILED_PRECONDITION when the last GTID of a domain was written by this server and the parent does
 * not have it. Nothing on MySQL. A parent that cannot be asked is no error: replication itself
 * refuses what does not fit, only less clearly. */
struct error *own_writes_refuse(struct tablet_context *context, struct cancel *cancel,
                                const struct full_status *now, const struct position *executed,
                                const Topodata__Tablet *parent) ERROR_MUST_CHECK;

/* ---- Pure ---- */
/* The GTIDs of a set ("0-100-7,1-101-3") that this server wrote. */
void own_writes_of(const char *set, uint32_t server_id, struct strv *ret_gtids);
/* Whether a binary log's state has this GTID: same domain and server, sequence at least as high. */
bool own_writes_are_in(const char *state, const char *gtid);

#endif
