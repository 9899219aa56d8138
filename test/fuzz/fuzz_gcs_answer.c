// sources: backup/gcs/gcs_answer.c backup/gcs/gcs_refusal.c backup/gcs/gcs_json.c
// sources: agent/base/error.c agent/base/memory.c agent/base/buffer.c agent/base/clock.c
/* What a server says: headers, then a body that is read as an object, as a page of a listing and as
 * a refusal. Never a crash, never a leak; a page that is refused leaves nothing of itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backup/gcs/gcs_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_listing(const char *text, size_t size)
{
    struct gcs_listing listing = {.count = 0};
    CLEANUP(freep) char *next = NULL;
    struct error *error = gcs_listing_add_page(&listing, text, size, &next);
    if (error != NULL && (listing.count > 0 || listing.prefixes.count > 0 || next != NULL))
        abort();
    for (size_t i = 1; i < listing.count; i++) {
        if (strcmp(listing.objects[i - 1].name, listing.objects[i].name) >= 0)
            abort();
    }
    error_free(error);
    gcs_listing_done(&listing);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
    CLEANUP(gcs_object_done) struct gcs_object object = {.name = NULL};
    const char *text = (const char *)data;
    if (size < 2)
        return 0;
    answer.status = 400 + data[0];
    for (const char *end; (end = memchr(text, '\n', size)) != NULL && end > text;) {
        size_t line = (size_t)(end - text) + 1;
        gcs_answer_add_header(&answer, text, line);
        text += line;
        size -= line;
    }
    if (answer.has_range && answer.range_start + answer.range_size > answer.range_total)
        abort();
    error_free(gcs_object_parse(text, size, &object));
    read_listing(text, size);
    buffer_append(&answer.body, text, size);
    error_free(gcs_answer_error(&answer, "bucket", data[1] & 1 ? "object" : NULL));
    return 0;
}
