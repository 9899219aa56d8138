#include "backup/gzip_header.h"

#define FIXED_BYTES 10u
#define FLAGS_AT 3u
#define FLAG_CHECKSUM 0x02
#define FLAG_EXTRA 0x04
#define FLAG_NAME 0x08
#define FLAG_COMMENT 0x10
#define FLAGS_RESERVED 0xe0

static bool
read_fixed(struct gzip_header *header, uint8_t byte)
{
    static const uint8_t expected[] = {0x1f, 0x8b, 8}; /* magic, deflate */
    if (header->offset < sizeof(expected) && byte != expected[header->offset])
        return false;
    if (header->offset == FLAGS_AT)
        header->flags = byte;
    return (header->flags & FLAGS_RESERVED) == 0;
}

static bool
is_present(const struct gzip_header *header, enum gzip_header_state state)
{
    switch (state) {
    case GZIP_HEADER_EXTRA_SIZE:
    case GZIP_HEADER_EXTRA:
        return (header->flags & FLAG_EXTRA) != 0 &&
               (state == GZIP_HEADER_EXTRA_SIZE || header->extra_bytes > 0);
    case GZIP_HEADER_NAME:
        return (header->flags & FLAG_NAME) != 0;
    case GZIP_HEADER_COMMENT:
        return (header->flags & FLAG_COMMENT) != 0;
    case GZIP_HEADER_CHECKSUM:
        return (header->flags & FLAG_CHECKSUM) != 0;
    case GZIP_HEADER_FIXED:
    case GZIP_HEADER_DONE:
        return true;
    }
    return true;
}

/* Takes one byte of the present field; true when it was the field's last. */
static bool
ends_field(struct gzip_header *header, uint8_t byte)
{
    uint32_t offset = header->offset++;
    switch (header->state) {
    case GZIP_HEADER_FIXED:
        return offset + 1 == FIXED_BYTES;
    case GZIP_HEADER_EXTRA_SIZE:
        header->extra_bytes |= (uint32_t)byte << (8 * offset);
        return offset == 1;
    case GZIP_HEADER_EXTRA:
        return offset + 1 == header->extra_bytes;
    case GZIP_HEADER_NAME:
    case GZIP_HEADER_COMMENT:
        return byte == 0;
    case GZIP_HEADER_CHECKSUM:
        return offset == 1;
    case GZIP_HEADER_DONE:
        return true;
    }
    return true;
}

bool
gzip_header_read(struct gzip_header *header, const uint8_t **data, size_t *size)
{
    while (*size > 0 && header->state != GZIP_HEADER_DONE) {
        uint8_t byte = **data;
        (*data)++;
        (*size)--;
        if (header->state == GZIP_HEADER_FIXED && !read_fixed(header, byte))
            return false;
        if (!ends_field(header, byte))
            continue;
        header->offset = 0;
        do
            header->state++;
        while (!is_present(header, header->state));
    }
    return true;
}
