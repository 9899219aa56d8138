/* The chunk index of a file in the MANIFEST: for each chunk 8 hexadecimal digits for the number of
 * its stored bytes and 8 for the CRC-32 of its plain bytes, without anything in between. Beside it,
 * 16 digits a chunk, the CRC-64; a file without an index has one of them. */
#ifndef VTAGENT_BACKUP_MANIFEST_CHUNKS_H
#define VTAGENT_BACKUP_MANIFEST_CHUNKS_H

#include "backup/manifest.h"

void manifest_print_chunks(const struct manifest_entry *entry, struct buffer *buffer);
/* The entry's sizes are known already; an index that contradicts them is refused. */
struct error *manifest_parse_chunks(const char *text, size_t size, uint64_t chunk_bytes,
                                    uint64_t head_bytes,
                                    struct manifest_entry *entry) ERROR_MUST_CHECK;
void manifest_print_crc64(const struct manifest_entry *entry, struct buffer *buffer);
/* After the index, if there is one. */
struct error *manifest_parse_crc64(const char *text, size_t size,
                                   struct manifest_entry *entry) ERROR_MUST_CHECK;

#endif
