#include "backup/page_scan.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/memory.h"

#define PROBE_PAGES 4u
#define HEADER_BYTES 1024u

bool
page_scan_is_tablespace(const char *name)
{
    static const char *const patterns[] = {"*.ibd", "ibdata*", "undo_*", "undo[0-9]*", "*.ibu"};
    const char *slash = strrchr(name, '/');
    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
        if (fnmatch(patterns[i], slash == NULL ? name : slash + 1, 0) == 0)
            return true;
    }
    return false;
}

/* Page 0 is no help: do the pages behind it have this format? */
static bool
is_format_of(const struct page_format *format, const uint8_t *data, size_t size)
{
    size_t good = 0;
    for (uint32_t i = 1; i < PROBE_PAGES && (i + 1) * format->page_bytes <= size; i++)
        good += page_check(format, data + i * format->page_bytes, i, UINT64_MAX) == PAGE_GOOD;
    return good > 0;
}

static void
probe(const uint8_t *data, size_t size, struct page_scan *scan)
{
    for (uint32_t bytes = 1024; bytes <= PAGE_SIZE_MAX; bytes *= 2) {
        for (int i = 0; i < 3; i++) {
            struct page_format format = {
                .page_bytes = bytes, .is_full_crc32 = i == 1, .is_compressed = i == 2};
            if (!is_format_of(&format, data, size))
                continue;
            scan->format = format;
            scan->has_bad_head = true;
            return;
        }
    }
}

/* Zeros read like the header of an old system tablespace. */
static bool
is_zero(const uint8_t *data, size_t size)
{
    return size > 0 && data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

struct error *
page_scan_open(int descriptor, const char *path, struct page_scan *ret_scan)
{
    struct page_scan scan = {.first_page = 0};
    CLEANUP(freep) uint8_t *head = xmalloc(PROBE_PAGES * PAGE_SIZE_MAX);
    size_t size = 0;
    for (size_t wanted = HEADER_BYTES; size < PROBE_PAGES * PAGE_SIZE_MAX;) {
        ssize_t count = pread(descriptor, head + size, wanted - size, (off_t)size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_from_errno(errno, "read '%s'", path);
        size += (size_t)count;
        if (!is_zero(head, size < HEADER_BYTES ? size : HEADER_BYTES))
            scan.format = page_format_read(head, size);
        if (count == 0 || scan.format.page_bytes != 0)
            break;
        wanted = PROBE_PAGES * PAGE_SIZE_MAX;
    }
    if (scan.format.page_bytes == 0)
        probe(head, size, &scan);
    *ret_scan = scan;
    return NULL;
}

static bool
is_bad(enum page_verdict verdict)
{
    return verdict == PAGE_BAD_CHECKSUM || verdict == PAGE_BAD_NUMBER || verdict == PAGE_BAD_LSN;
}

void
page_scan_check(const struct page_scan *scan, const uint8_t *data, size_t size, uint64_t offset,
                uint64_t most_lsn, struct page_findings *findings)
{
    uint32_t bytes = scan->format.page_bytes;
    if (bytes == 0)
        return;
    uint64_t number = scan->first_page + offset / bytes;
    for (size_t at = 0; at + bytes <= size; at += bytes, number++) {
        enum page_verdict verdict =
            page_check(&scan->format, data + at, (uint32_t)number, most_lsn);
        if (number == 0 && scan->has_bad_head && !is_bad(verdict))
            verdict = PAGE_BAD_CHECKSUM;
        if (!is_bad(verdict))
            continue;
        if (findings->bad_pages++ == 0) {
            findings->first_page = number;
            findings->first_verdict = verdict;
        }
    }
}
