/* What can be known of a storage before it is needed. Each storage has its own table of rows; the
 * ones that all have in common are here. */
#ifndef VTAGENT_BACKUP_STORAGE_CHECK_H
#define VTAGENT_BACKUP_STORAGE_CHECK_H

#include "backup/check.h"
#include "backup/storage.h"

/* The subject of the rows. */
struct storage_subject {
    struct storage *storage;
    const char *directory;
    uint64_t data_bytes;     /* of the server; 0: not known */
    uint64_t stored_bytes;   /* of the last backup; 0: not known */
    char probe[64];          /* the name of the probe object */
    const char *probe_taboo; /* why there must be none; NULL: there may be */
    int64_t written_ms;      /* what the probe took */
    int64_t server_date_s;   /* the storage's clock, since 1970; 0: not known */
};
/* Runs the storage's table on a subject with its sizes filled in as far as they are known. */
void storage_check_run(const struct storage_subject *about, bool with_advice, struct cancel *cancel,
                       check_report report, void *data);

/* Rows: create, read (back, and compare), list, delete. */
void storage_check_create(void *subject, struct cancel *cancel, struct check_result *result);
void storage_check_read(void *subject, struct cancel *cancel, struct check_result *result);
void storage_check_list(void *subject, struct cancel *cancel, struct check_result *result);
void storage_check_delete(void *subject, struct cancel *cancel, struct check_result *result);

#endif
