/* The header of a gzip member (RFC 1952), read byte by byte: ISA-L loses its place in optional
 * fields that are split between two calls. */
#ifndef VTAGENT_BACKUP_GZIP_HEADER_H
#define VTAGENT_BACKUP_GZIP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gzip_header_state {
    GZIP_HEADER_FIXED,
    GZIP_HEADER_EXTRA_SIZE,
    GZIP_HEADER_EXTRA,
    GZIP_HEADER_NAME,
    GZIP_HEADER_COMMENT,
    GZIP_HEADER_CHECKSUM,
    GZIP_HEADER_DONE,
};
struct gzip_header {
    enum gzip_header_state state;
    uint32_t offset; /* in the present field */
    uint32_t extra_bytes;
    uint8_t flags;
};

/* A zeroed struct starts. Reads from *data up to the end of the header or of the bytes, and moves
 * *data and *size on; true: go on (look at state); false: this is no gzip header. */
bool gzip_header_read(struct gzip_header *header, const uint8_t **data, size_t *size);

#endif
