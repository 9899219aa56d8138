/* What is in a shard's directory, for people and for what looks after backups. */
#ifndef VTAGENT_BACKUP_LIST_H
#define VTAGENT_BACKUP_LIST_H

#include "backup/verdict.h"

enum backup_state {
    BACKUP_INCOMPLETE, /* no MANIFEST: being written, or left behind */
    BACKUP_UNREADABLE, /* its MANIFEST cannot be read */
    BACKUP_COMPLETE,
};
struct backup_summary {
    char *name;
    char *alias;         /* "" when the name does not say */
    int64_t time_ns;     /* of its start; 0 when neither MANIFEST nor name say */
    int64_t duration_ms; /* from start to end; -1 unknown */
    enum backup_state state;
    char *problem; /* why not complete; "" */
    char *method, *engine, *position, *mysql_version;
    bool is_incremental;
    char *quiesce_mode;         /* "stop", "freeze"; "" unknown */
    int64_t unavailable_ms;     /* -1 unknown */
    char *proof;                /* that the backup gave of itself: "start", "tables"; "" none */
    struct verdict_sum verdict; /* of the checks of it */
    size_t file_count;
    uint64_t stored_bytes, plain_bytes; /* plain: 0 when unknown */
};
struct backup_list {
    struct backup_summary *items; /* sorted by name: the newest is last */
    size_t count;
};
/* The newest `limit` of them; 0: all. Blocking; any thread. */
struct error *backup_list_read(struct storage *storage, const char *keyspace, const char *shard,
                               size_t limit, struct cancel *cancel,
                               struct backup_list *ret_list) ERROR_MUST_CHECK;
void backup_list_done(struct backup_list *list);

/* The newest that has a MANIFEST, whatever it says. NOT_FOUND when none has one. Caller frees. */
struct error *backup_find_newest(struct storage *storage, const char *keyspace, const char *shard,
                                 struct cancel *cancel, char **ret_name) ERROR_MUST_CHECK;

#endif
