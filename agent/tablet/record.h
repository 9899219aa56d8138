/* The Tablet record in the topology, made from our state. Pure. */
#ifndef VTAGENT_TABLET_RECORD_H
#define VTAGENT_TABLET_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/memory.h"
#include "agent/topo/records.h"

/* Everything the record says; borrowed. */
struct tablet_facts {
    const struct tablet_alias *alias;
    const char *hostname, *keyspace, *shard, *mysql_hostname;
    const char *database_override; /* "" for vt_<keyspace> */
    int http_port, grpc_port;      /* <= 0: not listening, left out */
    int32_t mysql_port;            /* 0: not known yet */
    Topodata__TabletType type;
    int64_t term_start_ns; /* 0: none */
    int64_t start_time_ns;
    int64_t shutdown_time_ns; /* != 0: the record of a stopped tablet, without addresses */
    uint32_t collation;
    const struct strv *tag_names, *tag_values; /* sorted by name, same length */
};

/* Makes `record` say it, in place: fields that we do not know survive. INVALID_ARGUMENT when the
 * shard's name is none. */
struct error *tablet_record_fill(Topodata__Tablet *record,
                                 const struct tablet_facts *facts) ERROR_MUST_CHECK;
/* A new record; free with topodata__tablet__free_unpacked(record, NULL). */
struct error *tablet_record_new(const struct tablet_facts *facts,
                                Topodata__Tablet **ret_record) ERROR_MUST_CHECK;
void tablet_record_freep(Topodata__Tablet **record);

/* A deep copy. */
Topodata__Tablet *tablet_record_copy(const Topodata__Tablet *record);
/* Whether both pack to the same bytes. */
bool tablet_record_equal(const Topodata__Tablet *a, const Topodata__Tablet *b);
/* The port of this name, 0 when absent. */
int32_t tablet_record_port(const Topodata__Tablet *record, const char *name);
/* Whether the record is this process's: same hostname and HTTP port. Source: Vitess's rule that a
 * record taken over by another process is left alone. */
bool tablet_record_is_ours(const Topodata__Tablet *record, const char *hostname, int http_port);
/* Nanoseconds of a time message; NULL: 0. */
int64_t tablet_time_ns(const Vttime__Time *time);
/* The collation number that goes with --db-charset. */
uint32_t tablet_collation_of(const char *charset, bool is_mariadb);

#endif
