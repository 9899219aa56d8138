/* What the tests of the GCS storage share: a server, and a storage that is quick to try again. */
#ifndef TEST_BACKUP_GCS_FIXTURE_H
#define TEST_BACKUP_GCS_FIXTURE_H

#include "fixture.h"
#include "gcs_server.h"

#define GCS_TEST_PART_BYTES 16384u

extern struct gcs_server *gcs_server; /* between gcs_open and gcs_close */
extern struct storage *gcs_storage;
void gcs_open(void);
void gcs_close(void);
/* A storage of the server's bucket, with the settings for tests; the metadata server gives tokens.
 */
struct storage *gcs_open_storage(const char *root, int64_t stall_ms, size_t part_bytes);

/* What is found before a backup of "ks/0": the first failure, and the warnings, "<seen>: <advice>".
 */
struct error *gcs_check(struct storage *storage, struct strv *ret_notes);

struct error *gcs_write_object(struct storage *storage, const char *name, const char *object,
                               const uint8_t *data, size_t size);
/* Reads all of it, or a range. */
struct error *gcs_read_object(struct storage *storage, const char *name, const char *object,
                              uint64_t offset, uint64_t size, struct buffer *buffer);

#endif
