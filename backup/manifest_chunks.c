#include "backup/manifest_chunks.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEXT_BYTES 16u /* of one chunk */
#define CRC64_TEXT_BYTES 16

void
manifest_print_chunks(const struct manifest_entry *entry, struct buffer *buffer)
{
    buffer_appendf(buffer,
                   ", \"ChunkBytes\": %" PRIu32 ", \"HeadBytes\": %" PRIu32 ", \"Chunks\": \"",
                   entry->chunk_bytes, entry->head_bytes);
    for (size_t i = 0; i < entry->chunk_count; i++)
        buffer_appendf(buffer, "%08" PRIx32 "%08" PRIx32, entry->chunks[i].stored_bytes,
                       entry->chunks[i].plain_crc32);
    buffer_append_char(buffer, '"');
}

static bool
read_hex64(const char *text, int digits, uint64_t *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++) {
        char digit = text[i];
        uint64_t value;
        if (digit >= '0' && digit <= '9')
            value = (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = (uint64_t)(digit - 'a') + 10;
        else
            return false;
        *number = *number << 4 | value;
    }
    return true;
}

static bool
read_hex(const char *text, uint32_t *number)
{
    uint64_t wide;
    bool is_number = read_hex64(text, 8, &wide);
    *number = (uint32_t)wide;
    return is_number;
}

void
manifest_print_crc64(const struct manifest_entry *entry, struct buffer *buffer)
{
    buffer_append_text(buffer, ", \"PlainCrc64\": \"");
    for (size_t i = 0; i < entry->chunk_count; i++)
        buffer_appendf(buffer, "%016" PRIx64, entry->chunks[i].plain_crc64);
    if (entry->chunks == NULL)
        buffer_appendf(buffer, "%016" PRIx64, entry->plain_crc64);
    buffer_append_char(buffer, '"');
}

struct error *
manifest_parse_crc64(const char *text, size_t size, struct manifest_entry *entry)
{
    size_t count = entry->chunks == NULL ? 1 : entry->chunk_count;
    if (size != count * CRC64_TEXT_BYTES)
        return error_new(ERROR_INVALID_ARGUMENT, "MANIFEST: 'PlainCrc64' does not fit the index");
    for (size_t i = 0; i < count; i++, text += CRC64_TEXT_BYTES) {
        uint64_t *place =
            entry->chunks == NULL ? &entry->plain_crc64 : &entry->chunks[i].plain_crc64;
        if (!read_hex64(text, CRC64_TEXT_BYTES, place))
            return error_new(ERROR_INVALID_ARGUMENT,
                             "MANIFEST: 'PlainCrc64' is not made of hexadecimal digits");
    }
    entry->has_crc64 = true;
    return NULL;
}

static struct error *
refuse(const char *problem)
{
    return error_new(ERROR_INVALID_ARGUMENT, "MANIFEST: 'Chunks' %s", problem);
}

uint64_t
manifest_tail_bytes(const struct manifest_entry *entry)
{
    uint64_t used = entry->head_bytes;
    for (size_t i = 0; i < entry->chunk_count; i++)
        used += entry->chunks[i].stored_bytes;
    return entry->stored_bytes - used;
}

static struct error *
read_all(const char *text, struct manifest_entry *entry)
{
    for (size_t i = 0; i < entry->chunk_count; i++, text += TEXT_BYTES) {
        if (!read_hex(text, &entry->chunks[i].stored_bytes) ||
            !read_hex(text + 8, &entry->chunks[i].plain_crc32))
            return refuse("is not made of hexadecimal digits");
    }
    /* An overlong index wraps around to a huge tail. */
    if (manifest_tail_bytes(entry) > MANIFEST_TAIL_BYTES_MOST)
        return refuse("does not have the object's size");
    return NULL;
}

struct error *
manifest_parse_chunks(const char *text, size_t size, uint64_t chunk_bytes, uint64_t head_bytes,
                      struct manifest_entry *entry)
{
    if (chunk_bytes < MANIFEST_CHUNK_BYTES_LEAST || chunk_bytes > MANIFEST_CHUNK_BYTES_MOST)
        return refuse("has chunks of an impossible size");
    if (head_bytes > MANIFEST_TAIL_BYTES_MOST || entry->chunks != NULL)
        return refuse("has an impossible head");
    uint64_t count = entry->plain_bytes / chunk_bytes + (entry->plain_bytes % chunk_bytes != 0);
    if (count == 0 || size % TEXT_BYTES != 0 || size / TEXT_BYTES != count)
        return refuse("does not have the file's size");
    entry->chunk_bytes = (uint32_t)chunk_bytes;
    entry->head_bytes = (uint32_t)head_bytes;
    entry->chunk_count = size / TEXT_BYTES;
    entry->chunks = xcalloc(entry->chunk_count, sizeof(*entry->chunks));
    return read_all(text, entry);
}
