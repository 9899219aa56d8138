/* The file storage from inside. */
#ifndef VTAGENT_BACKUP_STORAGE_FILE_H
#define VTAGENT_BACKUP_STORAGE_FILE_H

#include <stdatomic.h>

#include "backup/io_watch.h"
#include "backup/storage.h"

struct storage_file {
    struct storage base;
    char *root;
    struct io_watch *watch; /* NULL: none */
    atomic_uint temporary_count;
};

/* storage_file_check.c */
extern const struct check_table storage_file_checks;
struct error *storage_file_probe_write(struct storage *storage, struct cancel *cancel,
                                       const char *directory, const char *name, const void *data,
                                       size_t size) ERROR_MUST_CHECK;
struct error *storage_file_probe_read(struct storage *storage, struct cancel *cancel,
                                      const char *directory, const char *name, size_t size,
                                      struct buffer *buffer) ERROR_MUST_CHECK;
struct error *storage_file_probe_delete(struct storage *storage, struct cancel *cancel,
                                        const char *directory, const char *name) ERROR_MUST_CHECK;

#endif
