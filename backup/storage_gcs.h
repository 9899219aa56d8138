/* The GCS storage from inside. */
#ifndef VTAGENT_BACKUP_STORAGE_GCS_H
#define VTAGENT_BACKUP_STORAGE_GCS_H

#include "backup/gcs/gcs_api.h"
#include "backup/gcs/gcs_lanes.h"
#include "backup/storage.h"

struct storage_gcs {
    struct storage base;
    struct gcs_client *client;
    struct gcs_lanes *lanes;
    char *root;        /* "" for none */
    bool parts_may_go; /* set by start() */
    pthread_mutex_t lock;
    char *listed_folder; /* of the listing; NULL: none */
    struct gcs_listing listing;
};

extern const struct storage_interface storage_gcs_interface;
/* ---- storage_gcs_check.c ---- */
struct error *storage_gcs_check(struct storage *storage, struct cancel *cancel,
                                const char *directory, struct strv *ret_notes) ERROR_MUST_CHECK;

#endif
