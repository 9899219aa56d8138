/* From facts to a verdict: what is wrong (judge), and whether that lasts long enough to matter
 * (settle). Pure. */
#ifndef VTAGENT_HEALTH_DECIDE_H
#define VTAGENT_HEALTH_DECIDE_H

#include "agent/health/facts.h"
#include "topodata.pb-c.h"

struct health_rules {
    int64_t interval_ms; /* between two looks at the server */
    int64_t unhealthy_ms, degraded_ms;
    int64_t disk_timeout_ms;    /* a write that takes longer: the disk is stalled */
    int64_t disk_reserve_bytes; /* least free space; 0: 3 % of the disk, at most 2 GiB */
    bool expects_heartbeats;    /* --heartbeat-enable */
    int64_t heartbeat_ms;       /* between two of them */
};

/* In the order in which they are told. */
enum health_cause {
    HEALTH_FINE,
    HEALTH_DISK_STALLED, /* a server that hangs hangs because of it */
    HEALTH_DISK_FULL,
    HEALTH_UNCHECKED,
    HEALTH_SERVER,
    HEALTH_CLOCK,
    HEALTH_CERTIFICATE,
    HEALTH_NO_SOURCE,
    HEALTH_REPLICATION,
    HEALTH_LAG,
    HEALTH_CATCHING_UP,
    HEALTH_READ_ONLY,
    HEALTH_SEMI_SYNC,
    HEALTH_MEMORY,
    HEALTH_TOPOLOGY,
    HEALTH_STORAGE,
    HEALTH_CAUSE_COUNT
};
/* "disk-full": for metrics and documents. */
const char *health_cause_name(enum health_cause cause);

struct health_problem {
    enum health_cause cause;
    bool is_fatal; /* not to serve with it; else a warning */
    bool is_sure;  /* counts at once; else from the second look */
    char text[HEALTH_TEXT];
};

/* The last lag that was known: while it cannot be measured, it grows with time. */
struct health_lag_memory {
    bool is_known;
    int64_t lag_ms, measured_ms;
};

struct health_input {
    const struct health_facts *facts;
    const struct health_rules *rules;
    Topodata__TabletType type;
    bool is_catching_up;   /* restored, must not serve before it has caught up once */
    bool is_hurried;       /* something was just done to the server: no pause before it serves */
    int64_t type_since_ms; /* monotonic; what was measured before is of another role */
    int64_t now_ms;        /* monotonic */
    int64_t now_ns;        /* wall */
};

struct health_judgement {
    struct health_problem problems[HEALTH_CAUSE_COUNT]; /* at most one of each cause */
    int problem_count;
    bool is_lag_known, is_lag_estimated; /* estimated: from the last one known */
    int64_t lag_ms;
    bool has_caught_up;       /* a restored replica may serve */
    bool is_disk_stalled;     /* for FullStatus */
    bool is_silent;           /* nothing comes from a source that should be heard */
    char detail[HEALTH_TEXT]; /* "0.3 s behind db:3306" */
};
/* Updates the memory. */
void health_judge(const struct health_input *input, struct health_lag_memory *memory,
                  struct health_judgement *ret_judgement);

#define HEALTH_LEAVES 3
/* What the last verdicts were. Zeroes: none. */
struct health_settling {
    bool has_verdict, is_serving;
    Topodata__TabletType type;
    int64_t bad_since_ms[HEALTH_CAUSE_COUNT]; /* 0: not now */
    int64_t good_since_ms;                    /* nothing fatal since; 0: not now */
    int64_t left_ms[HEALTH_LEAVES];           /* the last times serving ended, newest first */
    enum health_cause last_cause;
    char last_text[HEALTH_TEXT];
};

struct health_verdict {
    bool is_serving;
    enum health_cause cause;  /* HEALTH_FINE when serving */
    char reason[HEALTH_TEXT]; /* the cause, or the detail and the first warning */
    bool is_broken;           /* a replica that does not replicate, whether it serves or not */
    bool is_lag_known, is_lag_estimated;
    int64_t lag_ms;
};
/* Leaving takes a problem that is sure, or one that two looks saw; coming back takes two good
 * looks, and more of them after it came and went; one will do when an action may have mended
 * replication. A new type starts afresh. */
void health_settle(const struct health_judgement *judgement, const struct health_input *input,
                   struct health_settling *settling, struct health_verdict *ret_verdict);

/* "12 s", "3 min", "0.3 s", "5 h": how long, for people. */
const char *health_duration(int64_t milliseconds, char text[32]);

#endif
