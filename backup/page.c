#include "backup/page.h"

#include <isa-l/crc.h>
#include <string.h>

#define FIL_CHECKSUM 0
#define FIL_NUMBER 4
#define FIL_LSN 16
#define FIL_TYPE 24
#define FIL_FLUSH_LSN 26
#define FIL_SPACE 34
#define FIL_DATA 38
#define FSP_SPACE (FIL_DATA + 0)
#define FSP_FLAGS (FIL_DATA + 16)
#define TRAILER_BYTES 8

#define CHECKSUM_NONE 0xDEADBEEFu /* innodb_checksum_algorithm=none */

#define TYPE_COMPRESSED 14 /* MySQL's transparent page compression */
#define TYPE_ENCRYPTED 15
#define TYPE_COMPRESSED_ENCRYPTED 16
#define TYPE_ENCRYPTED_RTREE 17
#define TYPE_MARIADB_COMPRESSED 34354
#define TYPE_MARIADB_COMPRESSED_ENCRYPTED 37401

#define FLAGS_FULL_CRC32 (1u << 4)
#define FLAGS_ENCRYPTED (1u << 13)

#define EXTENT_BYTES (1u << 20)
#define BASE_PAGE_BYTES 16384u

static uint32_t
read_u16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t
read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t
read_u64(const uint8_t *at)
{
    return (uint64_t)read_u32(at) << 32 | read_u32(at + 4);
}

static uint32_t
crc32c(const uint8_t *data, size_t size)
{
    return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)size, ~0u);
}

static bool
is_page_size(uint32_t size)
{
    return size >= 1024 && size <= PAGE_SIZE_MAX && (size & (size - 1)) == 0;
}

struct page_format
page_format_read(const uint8_t *data, size_t size)
{
    struct page_format format = {.page_bytes = 0};
    if (size < 1024 || read_u32(data + FIL_NUMBER) != 0)
        return format;
    uint32_t flags = read_u32(data + FSP_FLAGS);
    uint32_t space = read_u32(data + FSP_SPACE);
    if (space != read_u32(data + FIL_SPACE))
        return format;
    uint32_t page_bytes;
    format.space_id = space;
    format.is_system = space == 0;
    format.is_full_crc32 = (flags & FLAGS_FULL_CRC32) != 0 && (flags & 0xF) >= 3 &&
                           (flags & 0xF) <= 7 && (flags & ~0xFFu) == 0;
    if (format.is_full_crc32) {
        page_bytes = 512u << (flags & 0xF);
    } else {
        uint32_t logical = flags >> 6 & 0xF, zip = flags >> 1 & 0xF;
        page_bytes = logical == 0 ? BASE_PAGE_BYTES : 512u << logical;
        format.is_compressed = zip != 0;
        if (zip != 0)
            page_bytes = 512u << zip;
        format.is_encrypted = (flags & FLAGS_ENCRYPTED) != 0;
    }
    format.page_bytes = is_page_size(page_bytes) ? page_bytes : 0;
    return format;
}

static bool
is_zero(const uint8_t *page, size_t size)
{
    return page[0] == 0 && memcmp(page, page + 1, size - 1) == 0;
}

/* InnoDB's older checksum: a folding of the bytes, mod 2^32. */
static uint32_t
fold(const uint8_t *data, size_t size)
{
    const uint64_t mask = 1463735687, mask2 = 1653893711;
    uint64_t folded = 0;
    for (size_t i = 0; i < size; i++)
        folded = ((((folded ^ data[i] ^ mask2) << 8) + folded) ^ mask) + data[i];
    return (uint32_t)folded;
}

static bool
plain_checksum_is_good(const uint8_t *page, uint32_t size)
{
    uint32_t stored = read_u32(page + FIL_CHECKSUM);
    uint32_t trailer = read_u32(page + size - TRAILER_BYTES);
    uint32_t trailer_lsn = read_u32(page + size - 4);
    if (trailer_lsn != read_u32(page + FIL_LSN + 4))
        return false;
    if (stored == CHECKSUM_NONE && trailer == CHECKSUM_NONE)
        return true;
    size_t body = size - TRAILER_BYTES - FIL_DATA;
    uint32_t crc =
        crc32c(page + FIL_NUMBER, FIL_FLUSH_LSN - FIL_NUMBER) ^ crc32c(page + FIL_DATA, body);
    if (stored == crc && trailer == crc)
        return true;
    uint32_t old =
        fold(page + FIL_NUMBER, FIL_FLUSH_LSN - FIL_NUMBER) + fold(page + FIL_DATA, body);
    return stored == old;
}

static uint32_t
adler32_of(const uint8_t *data, size_t size, uint32_t start)
{
    uint32_t low = start & 0xFFFF, high = start >> 16;
    for (size_t i = 0; i < size; i++) {
        low = (low + data[i]) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

/* ROW_FORMAT=COMPRESSED: no trailer; the LSN and the flush LSN are left out of the sum. */
static bool
compressed_checksum_is_good(const uint8_t *page, uint32_t size)
{
    uint32_t stored = read_u32(page + FIL_CHECKSUM);
    if (stored == CHECKSUM_NONE)
        return true;
    uint32_t crc = crc32c(page + FIL_NUMBER, FIL_LSN - FIL_NUMBER) ^ crc32c(page + FIL_TYPE, 2) ^
                   crc32c(page + FIL_SPACE, size - FIL_SPACE);
    if (stored == crc)
        return true;
    uint32_t adler = adler32_of(page + FIL_NUMBER, FIL_LSN - FIL_NUMBER, 0);
    adler = adler32_of(page + FIL_TYPE, 2, adler);
    adler = adler32_of(page + FIL_SPACE, size - FIL_SPACE, adler);
    return stored == adler;
}

static bool
body_is_opaque(const struct page_format *format, const uint8_t *page)
{
    uint32_t type = read_u16(page + FIL_TYPE);
    bool is_transformed = type == TYPE_COMPRESSED || type == TYPE_ENCRYPTED ||
                          type == TYPE_COMPRESSED_ENCRYPTED || type == TYPE_ENCRYPTED_RTREE ||
                          type == TYPE_MARIADB_COMPRESSED ||
                          type == TYPE_MARIADB_COMPRESSED_ENCRYPTED;
    return is_transformed || (format->is_encrypted && read_u32(page + FIL_NUMBER) != 0);
}

static enum page_verdict
check_sum(const struct page_format *format, const uint8_t *page)
{
    uint32_t size = format->page_bytes;
    bool is_good;
    if (format->is_full_crc32) {
        /* The highest bit of the type marks a compressed page, whose sum stands earlier. */
        if ((read_u16(page + FIL_TYPE) & 0x8000) != 0)
            return PAGE_UNCHECKED;
        is_good = read_u32(page + size - 4) == crc32c(page, size - 4);
    } else if (body_is_opaque(format, page)) {
        return PAGE_UNCHECKED;
    } else if (format->is_compressed) {
        is_good = compressed_checksum_is_good(page, size);
    } else {
        is_good = plain_checksum_is_good(page, size);
    }
    return is_good ? PAGE_GOOD : PAGE_BAD_CHECKSUM;
}

/* The system tablespace's second and third extent hold copies of other pages. */
static bool
is_doublewrite(const struct page_format *format, uint32_t page_number)
{
    uint64_t offset = (uint64_t)page_number * format->page_bytes;
    return format->is_system && offset >= EXTENT_BYTES && offset < 3u * EXTENT_BYTES;
}

enum page_verdict
page_check(const struct page_format *format, const uint8_t *page, uint32_t page_number,
           uint64_t most_lsn)
{
    if (is_zero(page, format->page_bytes))
        return PAGE_EMPTY;
    if (is_doublewrite(format, page_number))
        return PAGE_UNCHECKED;
    enum page_verdict verdict = check_sum(format, page);
    if (verdict == PAGE_BAD_CHECKSUM)
        return verdict;
    if (read_u32(page + FIL_NUMBER) != page_number)
        return PAGE_BAD_NUMBER;
    if (verdict == PAGE_GOOD && most_lsn != UINT64_MAX && read_u64(page + FIL_LSN) > most_lsn)
        return PAGE_BAD_LSN;
    return verdict;
}

const char *
page_verdict_text(enum page_verdict verdict)
{
    switch (verdict) {
    case PAGE_BAD_CHECKSUM:
        return "wrong checksum";
    case PAGE_BAD_NUMBER:
        return "wrong page number";
    case PAGE_BAD_LSN:
        return "LSN beyond the redo log";
    case PAGE_GOOD:
    case PAGE_EMPTY:
    case PAGE_UNCHECKED:
        break;
    }
    return "good";
}
