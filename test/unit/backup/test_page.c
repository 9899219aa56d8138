#include <criterion/criterion.h>

#include "backup/page_scan.h"
#include "fixture.h"

enum { SIZE = FIXTURE_PAGE_BYTES };

static void
make_mariadb_page(uint8_t *page, uint32_t number)
{
    fixture_make_mysql_page(page, number, 0x15);
    fixture_put_u32(page + SIZE - 4, fixture_crc32c(page, SIZE - 4));
}

Test(page, format_is_read_from_page_0)
{
    uint8_t page[SIZE];
    fixture_make_mysql_page(page, 0, 0x4021);
    struct page_format format = page_format_read(page, SIZE);
    cr_assert_eq(format.page_bytes, 16384);
    cr_assert_eq(format.space_id, 9);
    cr_assert(!format.is_full_crc32 && !format.is_compressed && !format.is_system);
    fixture_make_mysql_page(page, 0, 0x4021 | 3 << 6 | 2 << 1);
    format = page_format_read(page, SIZE);
    cr_assert(format.is_compressed);
    cr_assert_eq(format.page_bytes, 2048);
    make_mariadb_page(page, 0);
    format = page_format_read(page, SIZE);
    cr_assert(format.is_full_crc32);
    cr_assert_eq(format.page_bytes, 16384);
    page[38] ^= 1;
    cr_assert_eq(page_format_read(page, SIZE).page_bytes, 0);
    cr_assert_eq(page_format_read(page, 100).page_bytes, 0);
}

Test(page, every_flipped_bit_of_the_sums_range_is_found)
{
    uint8_t page[SIZE];
    struct page_format mysql = {.page_bytes = SIZE},
                       mariadb = {.page_bytes = SIZE, .is_full_crc32 = true};
    fixture_make_mysql_page(page, 7, 0x4021);
    cr_assert_eq(page_check(&mysql, page, 7, UINT64_MAX), PAGE_GOOD);
    for (size_t at = 38; at < SIZE; at += 97) {
        page[at] ^= 0x10;
        cr_assert_eq(page_check(&mysql, page, 7, UINT64_MAX), PAGE_BAD_CHECKSUM);
        page[at] ^= 0x10;
    }
    make_mariadb_page(page, 7);
    page[24] = 0x45;
    fixture_put_u32(page + SIZE - 4, fixture_crc32c(page, SIZE - 4));
    cr_assert_eq(page_check(&mariadb, page, 7, UINT64_MAX), PAGE_GOOD);
    for (size_t at = 26; at < SIZE; at += 97) {
        page[at] ^= 0x10;
        cr_assert_eq(page_check(&mariadb, page, 7, UINT64_MAX), PAGE_BAD_CHECKSUM);
        page[at] ^= 0x10;
    }
}

Test(page, number_and_lsn)
{
    uint8_t page[SIZE];
    struct page_format format = {.page_bytes = SIZE};
    fixture_make_mysql_page(page, 7, 0x4021);
    cr_assert_eq(page_check(&format, page, 8, UINT64_MAX), PAGE_BAD_NUMBER);
    cr_assert_eq(page_check(&format, page, 7, 4711), PAGE_GOOD);
    cr_assert_eq(page_check(&format, page, 7, 4710), PAGE_BAD_LSN);
}

Test(page, empty_none_and_transformed_pages)
{
    uint8_t page[SIZE] = {0};
    struct page_format format = {.page_bytes = SIZE};
    cr_assert_eq(page_check(&format, page, 3, UINT64_MAX), PAGE_EMPTY);
    fixture_make_mysql_page(page, 3, 0x4021);
    fixture_put_u32(page, 0xDEADBEEF);
    fixture_put_u32(page + SIZE - 8, 0xDEADBEEF);
    cr_assert_eq(page_check(&format, page, 3, UINT64_MAX), PAGE_GOOD);
    page[24] = 0, page[25] = 15;
    fixture_put_u32(page, 1);
    cr_assert_eq(page_check(&format, page, 3, UINT64_MAX), PAGE_UNCHECKED);
    cr_assert_eq(page_check(&format, page, 4, UINT64_MAX), PAGE_BAD_NUMBER);
    format.is_system = true;
    cr_assert_eq(page_check(&format, page, 64, UINT64_MAX), PAGE_UNCHECKED);
}

Test(page, a_scan_counts_bad_pages_and_names_the_first)
{
    static uint8_t pages[3 * SIZE + 100];
    struct page_scan scan = {.format = {.page_bytes = SIZE}};
    struct page_findings findings = {.bad_pages = 0};
    for (uint32_t i = 0; i < 3; i++)
        fixture_make_mysql_page(pages + i * SIZE, 12 + i, 0x4021);
    page_scan_check(&scan, pages, sizeof(pages), 12 * SIZE, UINT64_MAX, &findings);
    cr_assert_eq(findings.bad_pages, 0);
    pages[SIZE + 500] ^= 1;
    pages[2 * SIZE + 500] ^= 1;
    page_scan_check(&scan, pages, sizeof(pages), 12 * SIZE, UINT64_MAX, &findings);
    cr_assert_eq(findings.bad_pages, 2);
    cr_assert_eq(findings.first_page, 13);
    cr_assert_str_eq(page_verdict_text(findings.first_verdict), "wrong checksum");
    /* A later file of the system tablespace starts with a later page. */
    findings = (struct page_findings){.bad_pages = 0};
    scan.first_page = 12;
    page_scan_check(&scan, pages, SIZE, 0, UINT64_MAX, &findings);
    cr_assert_eq(findings.bad_pages, 0);
}
