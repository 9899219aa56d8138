/* What the tests of backup/ share: a folder of their own, files with known bytes, a datadir. */
#ifndef TEST_BACKUP_FIXTURE_H
#define TEST_BACKUP_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "backup/backup.h"
#include "backup/manifest.h"

extern char *fixture_folder; /* between fixture_open and fixture_close */
void fixture_open(void);
void fixture_close(void);

char *fixture_path(const char *name); /* below the folder; caller frees */
/* Writes a file below the folder, making its folders; content "" is an empty file. */
void fixture_write(const char *name, const char *content);
/* A file of pseudo-random bytes, half of them compressible. */
void fixture_write_noise(const char *name, size_t size, uint32_t seed);
void fixture_fill_noise(uint8_t *data, size_t size, uint32_t seed);
/* Text of a file below the folder; caller frees; NULL when there is none. */
char *fixture_read(const char *name);
/* Every path below a and b exists in the other with equal bytes. */
bool fixture_trees_are_equal(const char *a, const char *b);

/* Ends the test when error is not this code or its text lacks `part`; frees it. */
void fixture_expect(struct error *error, enum error_code code, const char *part);

/* Vitess's three folders below `name`: "<name>/data" and so on, with a server's usual files. */
void fixture_make_server(const char *name, struct backup_directories *ret);
struct backup_take_options fixture_take_options(void);

/* A page of MySQL's format with everything in place, of tablespace 9. */
#define FIXTURE_PAGE_BYTES 16384
void fixture_make_mysql_page(uint8_t *page, uint32_t number, uint32_t flags);
uint32_t fixture_crc32c(const uint8_t *data, size_t size);
void fixture_put_u32(uint8_t *at, uint32_t value);

#endif
