/* The journal of the running job: a file beside the data that says what to put back after a crash.
 * Written safely before anything is changed, removed when all is as before. */
#ifndef VTAGENT_JOB_JOURNAL_H
#define VTAGENT_JOB_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"

#define JOURNAL_NAME "vtagent_job.json"

enum journal_kind { JOURNAL_BACKUP, JOURNAL_RESTORE };
struct journal {
    enum journal_kind kind;
    char *backup_name;
    char *image_name;  /* the supervisor's image that this job owns; "" (or NULL): none */
    bool is_copying;   /* the server goes on: nothing is to be put back */
    int original_type; /* topodata.TabletType */
    /* What the server was before; see server.h. */
    bool was_replicating, was_writable, semi_sync_primary, semi_sync_replica;
    int worker_pid; /* 0: none yet */
    uint64_t worker_start_ticks;
    struct strv worker_words; /* of a copy from an image: what is run again to go on with it */
};
void journal_done(struct journal *journal);

/* `directory` is the tablet's. */
struct error *journal_write(const char *directory, const struct journal *journal) ERROR_MUST_CHECK;
/* NOT_FOUND when there is none; DATA_LOSS when it cannot be read as one. */
struct error *journal_read(const char *directory, struct journal *ret_journal) ERROR_MUST_CHECK;
struct error *journal_remove(const char *directory) ERROR_MUST_CHECK;

#endif
