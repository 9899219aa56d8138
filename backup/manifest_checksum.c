#include "backup/manifest_checksum.h"

#include <string.h>

#include <isa-l/crc.h>

#include "backup/manifest.h"

#define KEY "\"ManifestCrc32\": \""
#define DIGITS (MANIFEST_HASH_TEXT_BYTES - 1)
static const char zeros[] = "00000000";

void
manifest_checksum_print(struct buffer *buffer)
{
    buffer_appendf(buffer, "    " KEY "%s\"", zeros);
}

/* The offset of the digits; 0: there are none. No value can look like the key: quotes in values are
 * escaped. */
static size_t
find_digits(const char *text, size_t size)
{
    const char *found = size == 0 ? NULL : memmem(text, size, KEY, strlen(KEY));
    if (found == NULL)
        return 0;
    size_t offset = (size_t)(found - text) + strlen(KEY);
    return size - offset > DIGITS ? offset : 0;
}

static uint32_t
sum(const char *text, size_t size, size_t digits)
{
    uint32_t crc = crc32_gzip_refl(0, (const uint8_t *)text, digits);
    crc = crc32_gzip_refl(crc, (const uint8_t *)zeros, DIGITS);
    return crc32_gzip_refl(crc, (const uint8_t *)text + digits + DIGITS, size - digits - DIGITS);
}

void
manifest_checksum_fill(char *text, size_t size)
{
    size_t digits = find_digits(text, size);
    char hash[MANIFEST_HASH_TEXT_BYTES];
    if (digits == 0)
        return;
    manifest_format_hash(sum(text, size, digits), hash);
    memcpy(text + digits, hash, DIGITS);
}

struct error *
manifest_checksum_check(const char *text, size_t size)
{
    size_t digits = find_digits(text, size);
    char hash[MANIFEST_HASH_TEXT_BYTES];
    if (digits == 0)
        return NULL;
    manifest_format_hash(sum(text, size, digits), hash);
    if (memcmp(text + digits, hash, DIGITS) == 0)
        return NULL;
    return error_new(ERROR_INVALID_ARGUMENT,
                     "MANIFEST: it was changed after it was written: its CRC-32 is %s, it says "
                     "%.*s (whoever changed it on purpose removes the key 'ManifestCrc32')",
                     hash, (int)DIGITS, text + digits);
}
