/* The chunk index of a file in the MANIFEST: for each chunk 8 hexadecimal digits for the number of
 * its stored bytes and 8 for the CRC-32 of its plain bytes, without anything in between. */
#ifndef VTAGENT_BACKUP_MANIFEST_CHUNKS_H
#define VTAGENT_BACKUP_MANIFEST_CHUNKS_H

#include "backup/manifest.h"

void manifest_print_chunks(const struct manifest_entry *entry, struct buffer *buffer);
/* The entry's sizes are known already; an index that contradicts them is refused. */
struct error *manifest_parse_chunks(const char *text, size_t size, uint64_t chunk_bytes,
                                    uint64_t head_bytes,
                                    struct manifest_entry *entry) ERROR_MUST_CHECK;

#endif
