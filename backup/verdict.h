/* What checks of a stored backup found, as small objects beside it: VTAGENT_VERDICT.1, .2, … in the
 * order in which they were made; none is ever changed. Vitess looks at none of them, and removing a
 * backup removes them too. Blocking; any thread. */
#ifndef VTAGENT_BACKUP_VERDICT_H
#define VTAGENT_BACKUP_VERDICT_H

#include "backup/storage.h"

#define VERDICT_NAME_PREFIX "VTAGENT_VERDICT."

/* Each finds what the ones before it find, and more. */
enum verdict_mode {
    VERDICT_NONE,
    VERDICT_SIZE,    /* every object is there with its size */
    VERDICT_FULL,    /* every byte was read and compared */
    VERDICT_RESTORE, /* a server started on the restored data and checked all tables */
};
/* "", "size", "full", "restore". */
const char *verdict_mode_name(enum verdict_mode mode);
/* INVALID_ARGUMENT for another name. */
struct error *verdict_mode_parse(const char *name, enum verdict_mode *ret_mode) ERROR_MUST_CHECK;

struct verdict {
    int64_t time_ns; /* when the check ended */
    enum verdict_mode mode;
    bool is_good;
    char *problem;                          /* "" when good */
    char *alias, *server_version, *program; /* who checked; "" unknown */
};
void verdict_done(struct verdict *verdict);

void verdict_print(const struct verdict *verdict, struct buffer *text);
/* INVALID_ARGUMENT for anything that verdict_print cannot have written; unknown keys are fine. */
struct error *verdict_parse(const char *text, size_t size,
                            struct verdict *ret_verdict) ERROR_MUST_CHECK;

/* Writes it beside the backup `name` in `directory` ("ks/shard"), behind those that are there.
 * RESOURCE_EXHAUSTED when there are VERDICTS_MOST of them. */
#define VERDICTS_MOST 100000u
struct error *verdict_write(struct storage *storage, struct cancel *cancel, const char *directory,
                            const char *name, const struct verdict *verdict) ERROR_MUST_CHECK;

/* What all of a backup's verdicts say together: a failure counts until a check that finds as much
 * has passed; what has passed counts while no failure does. */
struct verdict_sum {
    bool has_failed;
    enum verdict_mode mode; /* the one that failed, or the strongest that passed; NONE: none did */
    int64_t time_ns;
    char *problem; /* "" unless failed */
};
void verdict_sum_done(struct verdict_sum *sum);
/* Pure. Oldest first; problem is set in any case. */
void verdict_sum_add(struct verdict_sum *sum, const struct verdict *verdict);
/* The newest VERDICTS_READ of them; those that cannot be parsed say nothing. */
#define VERDICTS_READ 16u
struct error *verdict_read(struct storage *storage, struct cancel *cancel, const char *directory,
                           const char *name, struct verdict_sum *ret_sum) ERROR_MUST_CHECK;

#endif
