/* The CRC-32 of a MANIFEST in itself: of the whole text, with zeros in the place of its own digits.
 * A flipped bit anywhere in it (a position, a time, a version) is found, not believed. */
#ifndef VTAGENT_BACKUP_MANIFEST_CHECKSUM_H
#define VTAGENT_BACKUP_MANIFEST_CHECKSUM_H

#include <stddef.h>

#include "agent/base/buffer.h"
#include "agent/base/error.h"

/* The key with zeros, as a line without its newline; manifest_checksum_fill puts the sum in once
 * the text is complete. Text without the key is left alone. */
void manifest_checksum_print(struct buffer *buffer);
void manifest_checksum_fill(char *text, size_t size);
/* INVALID_ARGUMENT when the text is not what was written. NULL without the key: others write none.
 */
struct error *manifest_checksum_check(const char *text, size_t size) ERROR_MUST_CHECK;

#endif
