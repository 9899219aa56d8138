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
/* storage_gcs_check.c */
extern const struct check_table storage_gcs_checks;
struct error *storage_gcs_probe_write(struct storage *storage, struct cancel *cancel,
                                      const char *directory, const char *name, const void *data,
                                      size_t size) ERROR_MUST_CHECK;
struct error *storage_gcs_probe_read(struct storage *storage, struct cancel *cancel,
                                     const char *directory, const char *name, size_t size,
                                     struct buffer *buffer) ERROR_MUST_CHECK;
struct error *storage_gcs_probe_delete(struct storage *storage, struct cancel *cancel,
                                       const char *directory, const char *name) ERROR_MUST_CHECK;

#endif
