#include "backup/gcs/gcs_answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <isa-l/crc.h>
#include <openssl/evp.h>

#define CRC_STEP_BYTES (1u << 30)
#define LONGEST_RETRY_AFTER_S 300

void
gcs_answer_done(struct gcs_answer *answer)
{
    buffer_done(&answer->body);
    free(answer->location);
    *answer = (struct gcs_answer){.status = 0};
}

void
gcs_answer_clear(struct gcs_answer *answer)
{
    struct buffer body = answer->body;
    buffer_clear(&body);
    free(answer->location);
    *answer = (struct gcs_answer){.body = body};
}

/* ---- CRC-32C ---- */
uint32_t
gcs_crc32c(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;
    crc = ~crc;
    while (size > 0) {
        size_t step = size < CRC_STEP_BYTES ? size : CRC_STEP_BYTES;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)step, crc);
        at += step;
        size -= step;
    }
    return ~crc;
}

void
gcs_crc32c_format(uint32_t crc, char text[GCS_CRC32C_TEXT_BYTES])
{
    unsigned char bytes[4] = {(unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
                              (unsigned char)(crc >> 8), (unsigned char)crc};
    EVP_EncodeBlock((unsigned char *)text, bytes, sizeof(bytes));
}

bool
gcs_crc32c_parse(const char *text, size_t length, uint32_t *ret_crc)
{
    unsigned char bytes[6];
    if (length != GCS_CRC32C_TEXT_BYTES - 1 || memcmp(text + 6, "==", 2) != 0)
        return false;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length) != (int)sizeof(bytes))
        return false;
    *ret_crc = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
               (uint32_t)bytes[3];
    return true;
}

/* ---- Headers: each reads its value, a text without blanks at its ends ---- */
static bool
read_number(const char **at, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (; isdigit((unsigned char)**at); (*at)++, digits++) {
        if (digits == 18)
            return false;
        number = number * 10 + (uint64_t)(**at - '0');
    }
    *ret_number = number;
    return digits > 0;
}

static void
read_location(struct gcs_answer *answer, const char *value)
{
    str_replace(&answer->location, value);
}

static void
read_stored(struct gcs_answer *answer, const char *value)
{
    uint64_t last;
    if (strncasecmp(value, "bytes=0-", 8) != 0)
        return;
    value += 8;
    if (!read_number(&value, &last) || *value != '\0')
        return;
    answer->has_stored = true;
    answer->stored_bytes = last + 1;
}

static void
read_content_range(struct gcs_answer *answer, const char *value)
{
    uint64_t first, last, total;
    if (strncasecmp(value, "bytes ", 6) != 0)
        return;
    value += 6;
    if (!read_number(&value, &first) || *value++ != '-' || !read_number(&value, &last) ||
        *value++ != '/' || !read_number(&value, &total) || *value != '\0' || last < first ||
        last >= total)
        return;
    answer->has_range = true;
    answer->range_start = first;
    answer->range_size = last - first + 1;
    answer->range_total = total;
}

static void
read_hash(struct gcs_answer *answer, const char *value)
{
    CLEANUP(strv_done) struct strv hashes = {.items = NULL};
    strv_split(&hashes, value, ',');
    for (size_t i = 0; i < hashes.count; i++) {
        const char *text = hashes.items[i];
        if (strncasecmp(text, "crc32c=", 7) == 0 &&
            gcs_crc32c_parse(text + 7, strlen(text + 7), &answer->crc32c))
            answer->has_crc32c = true;
    }
}

static void
read_generation(struct gcs_answer *answer, const char *value)
{
    uint64_t number;
    if (read_number(&value, &number) && *value == '\0')
        answer->generation = (int64_t)number;
}

static void
read_date(struct gcs_answer *answer, const char *value)
{
    struct tm parts = {.tm_year = 0};
    const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end != NULL && *end == '\0')
        answer->date_seconds = (int64_t)timegm(&parts);
}

static void
read_retry_after(struct gcs_answer *answer, const char *value)
{
    uint64_t seconds;
    if (!read_number(&value, &seconds) || *value != '\0')
        return;
    if (seconds > LONGEST_RETRY_AFTER_S)
        seconds = LONGEST_RETRY_AFTER_S;
    answer->retry_after_ms = (int64_t)seconds * 1000;
}

static const struct {
    const char *name;
    void (*read)(struct gcs_answer *answer, const char *value);
} headers[] = {
    {"location", read_location},
    {"range", read_stored},
    {"content-range", read_content_range},
    {"x-goog-hash", read_hash},
    {"x-goog-generation", read_generation},
    {"date", read_date},
    {"retry-after", read_retry_after},
};

static char *
trimmed(const char *text, size_t size)
{
    while (size > 0 && isspace((unsigned char)*text)) {
        text++;
        size--;
    }
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    return xstrndup(text, size);
}

void
gcs_answer_add_header(struct gcs_answer *answer, const char *line, size_t size)
{
    if (size >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        gcs_answer_clear(answer);
        return;
    }
    const char *colon = memchr(line, ':', size);
    if (colon == NULL || size > GCS_HEADER_LIMIT_BYTES || memchr(line, '\0', size) != NULL)
        return;
    CLEANUP(freep) char *name = trimmed(line, (size_t)(colon - line));
    CLEANUP(freep) char *value = trimmed(colon + 1, size - (size_t)(colon - line) - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        if (strcasecmp(headers[i].name, name) == 0)
            headers[i].read(answer, value);
    }
}
