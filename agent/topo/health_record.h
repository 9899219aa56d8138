/* A tablet's health as it stands in its cell's topology: a small JSON document that lives with a
 * lease, so that it is gone when the agent is. Below vtagent/, never below tablets/. */
#ifndef VTAGENT_TOPO_HEALTH_RECORD_H
#define VTAGENT_TOPO_HEALTH_RECORD_H

#include "agent/base/buffer.h"
#include "agent/topo/records.h"

/* Texts are owned, NULL counts as "". */
struct health_record {
    char *alias, *keyspace, *shard, *type;
    bool is_serving;
    char *state;    /* the sentence: "replica, serving, 0.3 s behind db:3306" */
    char *cause;    /* "fine", "disk-full" */
    char *position; /* executed, with its flavor; "" when not known or too long */
    int64_t lag_ms; /* -1: not known */
    char *source;   /* "db:3306" */
    char *job;      /* what runs; "" */
    char *agent_version, *server_version;
    int64_t time_ns, term_start_ns, backup_complete_ns, backup_proven_ns; /* 0: none */
    uint64_t disk_free_bytes, disk_total_bytes;
};
void health_record_done(struct health_record *record);
#define HEALTH_RECORD_MOST_POSITION 16384
void health_record_print(const struct health_record *record, struct buffer *json);
/* Members that are missing stay zero. DATA_LOSS when it is no JSON object. */
struct error *health_record_parse(const void *json, size_t size,
                                  struct health_record *ret_record) ERROR_MUST_CHECK;
/* "vtagent/zone1-0000000100/Health"; caller frees. */
char *health_record_path(const struct tablet_alias *alias);
/* NOT_FOUND when the tablet has none: its agent does not run, or is another program. */
struct error *topo_get_health(struct topo *topo, struct cancel *cancel,
                              const struct tablet_alias *alias,
                              struct health_record *ret_record) ERROR_MUST_CHECK;

#endif
