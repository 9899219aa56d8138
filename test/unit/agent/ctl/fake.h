/* A shard whose tablets are played by the test: a topology in memory, and calls answered from a few
 * fields. Every call is noted as "Method uid arguments". */
#ifndef TEST_CTL_FAKE_H
#define TEST_CTL_FAKE_H

#include "agent/ctl/session.h"

#define FAKE_MAX 8

struct fake_tablet {
    uint32_t uid;
    Topodata__TabletType type;
    const char *cell;             /* NULL: zone1 */
    const char *executed, *relay; /* positions; relay NULL: as executed */
    const char *source_uuid;
    bool is_replica, has_backup, has_unknown_lag;
    unsigned lag_seconds, journal_length;
    const char *buffer_pool;
    const char *fails; /* this method fails; "*": all */
};

struct fake {
    struct ctl ctl;
    struct fake_tablet tablets[FAKE_MAX];
    size_t count;
    pthread_mutex_t mutex;
    struct strv calls;
    char *out_text, *err_text;
    size_t out_size, err_size;
};

/* The tablets are registered in commerce/0; `primary_uid` 0: the shard never had one. */
struct fake *fake_new(const char *durability, uint32_t primary_uid,
                      const struct fake_tablet *tablets, size_t count);
void fake_free(struct fake *fake);
/* Index of the first call that starts with this text; -1: there was none. */
int fake_find(const struct fake *fake, const char *call);
/* A call that starts with `first` came before one that starts with `second`. */
bool fake_in_order(const struct fake *fake, const char *first, const char *second);
const char *fake_out(struct fake *fake);
const char *fake_err(struct fake *fake);
uint32_t fake_shard_primary(struct fake *fake);

void must(struct error *error);
/* Checks the code and that the text holds `part` (may be NULL); frees the error. */
void must_be(struct error *error, enum error_code code, const char *part);

#endif
