/* The pages of one file, checked while its bytes pass by. */
#ifndef VTAGENT_BACKUP_PAGE_SCAN_H
#define VTAGENT_BACKUP_PAGE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "backup/page.h"

struct page_scan {
    struct page_format format; /* page_bytes 0: nothing to check */
    uint64_t first_page;       /* later files of the system tablespace do not start with page 0 */
    bool has_bad_head;         /* page 0 does not say what the pages behind it show */
};
/* By name: tablespaces, the system's and undo logs included. */
bool page_scan_is_tablespace(const char *name);
/* Looks at the start of the file. */
struct error *page_scan_open(int descriptor, const char *path,
                             struct page_scan *ret_scan) ERROR_MUST_CHECK;

struct page_findings {
    uint64_t bad_pages, first_page; /* first_page and first_verdict: of the bad ones */
    enum page_verdict first_verdict;
};
/* Bytes from file offset `offset` on, a multiple of PAGE_SIZE_MAX; a rest that is no whole page is
 * not looked at. Adds to *findings. most_lsn: UINT64_MAX when unknown. */
void page_scan_check(const struct page_scan *scan, const uint8_t *data, size_t size,
                     uint64_t offset, uint64_t most_lsn, struct page_findings *findings);

#endif
