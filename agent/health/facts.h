/* What the probes measured, as plain data. Each part carries the moment of its measurement on the
 * monotonic clock, 0 for never; its age is now minus that. Owned by the loop's thread. */
#ifndef VTAGENT_HEALTH_FACTS_H
#define VTAGENT_HEALTH_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replication/status.h"

#define HEALTH_TEXT 256

struct health_server {
    int64_t measured_ms; /* the last answer, or the last failure */
    int64_t answered_ms; /* the last good answer */
    bool answers;
    bool is_gone; /* nobody listens: certain, where a slow answer is not */
    char error[HEALTH_TEXT];
    char version[64];
    bool is_read_only;
    bool is_semi_sync_blocked; /* a primary whose writes wait and are not acknowledged */
};

/* The server's own view of its replication. */
struct health_replication {
    int64_t measured_ms;
    bool is_replica;
    enum replication_state io_state, sql_state;
    bool is_lag_unknown;
    uint32_t lag_seconds;
    char source[160]; /* "host:port" */
    char error[HEALTH_TEXT];
    int64_t received_ms; /* when something new last came from the source */
    int64_t executed_ms; /* when the executed position last moved */
    /* Since when the source is known to have transactions that have not arrived here while nothing
     * new arrives; 0: not so. */
    int64_t starved_since_ms;
};

/* The row of the heartbeat table that the primary writes. */
struct health_heartbeat {
    int64_t measured_ms;
    int64_t time_ns;  /* of the primary's wall clock; 0: there is none */
    int64_t moved_ms; /* when it last changed; 0: not since the first look */
    int64_t lag_ms;   /* our wall clock minus time_ns at that moment, not below 0 */
};

/* The shard's primary as its own health document shows it. */
struct health_source {
    int64_t measured_ms;
    bool is_known;   /* there is a document */
    bool is_serving; /* of type PRIMARY and serving */
    char alias[80];
    char *position; /* owned; NULL: none */
};

struct health_disk {
    int64_t measured_ms; /* space */
    uint64_t free_bytes, total_bytes;
    char space_error[HEALTH_TEXT];
    /* Writing a few bytes and fsync. */
    int64_t written_ms;        /* when the last one ended */
    int64_t write_started_ms;  /* one is under way since then; 0: none */
    int64_t write_duration_ms; /* of the last one */
    char write_error[HEALTH_TEXT];
};

struct health_memory {
    int64_t measured_ms;
    uint64_t used_bytes, limit_bytes; /* of our control group; limit 0: none */
    double stalled_percent;           /* PSI: time all tasks waited for memory, of the last 10 s */
};

struct health_clock {
    int64_t measured_ms;
    int64_t stepped_ms;   /* when the wall clock last jumped; 0: never */
    int64_t step_size_ms; /* by how much; negative: back */
};

struct health_certificate {
    int64_t measured_ms;
    int64_t expires_ns; /* wall clock; of the certificate that expires first; 0: none is in use */
    char file[HEALTH_TEXT];
    char error[HEALTH_TEXT]; /* it cannot be read */
};

/* One stored backup, as it was when the list was read. */
struct health_backup {
    char name[128];
    int64_t time_ns;     /* when it was begun; 0: not known */
    int64_t duration_ms; /* -1: not known */
    uint64_t stored_bytes;
    bool is_complete, is_incremental;
    char proof[16];    /* that a server started on it when it was taken: "tables"; "" none */
    char verified[16]; /* the strongest check since: "full"; "" none */
    bool has_failed;   /* that check */
    int64_t verified_ns;
    char problem[HEALTH_TEXT]; /* why it is not complete, or what the check found */
};
#define HEALTH_BACKUPS_MOST 8

struct health_backups {
    int64_t measured_ms;            /* the storage's last answer, or failure */
    int64_t complete_ns, proven_ns; /* when the newest one was taken; 0: there is none */
    char error[HEALTH_TEXT];
    int64_t listed_ms;                              /* when the list below was read; 0: never */
    struct health_backup list[HEALTH_BACKUPS_MOST]; /* newest first */
    size_t count;
};

/* Workers that were killed and do not end: the backup storage hangs. */
struct health_storage {
    size_t stuck_count;
    int64_t stuck_since_ns; /* wall clock; of the first */
    char text[HEALTH_TEXT];
};

/* Our document in the topology. */
struct health_published {
    int64_t written_ms;
    int64_t failing_since_ms; /* 0: it is up to date */
    char error[HEALTH_TEXT];
};

struct health_facts {
    struct health_server server;
    struct health_replication replication;
    char *position; /* executed, with flavor; owned; NULL: not known */
    struct health_heartbeat heartbeat;
    struct health_source source;
    struct health_disk disk;
    struct health_memory memory;
    struct health_clock clock;
    struct health_certificate certificate;
    struct health_backups backups;
    struct health_storage storage;
    struct health_published published;
};
void health_facts_done(struct health_facts *facts);

#endif
