/* InnoDB's pages, verified while they stream by: checksum, page number, and no LSN beyond what the
 * redo log can explain. Pure functions over bytes; any thread.
 *
 * Source of the formats: MySQL's and MariaDB's documented page layout (FIL header of 38 bytes, FSP
 * header behind it on page 0, trailer of 8 bytes), checked against files of both servers. */
#ifndef VTAGENT_BACKUP_PAGE_H
#define VTAGENT_BACKUP_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE_MAX 65536u

/* What page 0 of a tablespace says about the rest. */
struct page_format {
    uint32_t page_bytes; /* as stored; 0: not a tablespace we know */
    uint32_t space_id;
    bool is_full_crc32; /* MariaDB's format: one CRC-32C over the whole page */
    bool is_compressed; /* ROW_FORMAT=COMPRESSED: a checksum of its own */
    bool is_encrypted;  /* MySQL: bodies are ciphertext, only page numbers can be checked */
    bool is_system;     /* ibdata1: holds the doublewrite buffer */
};

/* Reads the format from the first `size` bytes of a file (at least 1024; more never needed).
 * page_bytes is 0 when this is no tablespace. */
struct page_format page_format_read(const uint8_t *data, size_t size);

/* One page's verdict. */
enum page_verdict {
    PAGE_GOOD,
    PAGE_EMPTY,
    PAGE_UNCHECKED,
    PAGE_BAD_CHECKSUM,
    PAGE_BAD_NUMBER,
    PAGE_BAD_LSN
};
/* most_lsn: UINT64_MAX when unknown. */
enum page_verdict page_check(const struct page_format *format, const uint8_t *page,
                             uint32_t page_number, uint64_t most_lsn);
/* "checksum", "page number", "LSN beyond the redo log" for the bad ones. */
const char *page_verdict_text(enum page_verdict verdict);

#endif
