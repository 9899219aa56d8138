// sources: backup/manifest.c backup/manifest_*.c backup/version.c
// sources: replication/gtid_*.c replication/position.c agent/base/error.c agent/base/memory.c
// sources: agent/base/buffer.c agent/base/clock.c
/* A MANIFEST from a storage that others can write to: never a crash, never a leak; what is accepted
 * stays inside its directories and is the same after printing and reading it again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backup/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_names(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->entry_count; i++) {
        const char *name = manifest->entries[i].name;
        if (name[0] == '/' || name[0] == '\0' || strncmp(name, "../", 3) == 0 ||
            strstr(name, "/../") != NULL || strcmp(name, "..") == 0)
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(manifest_freep) struct manifest *first = NULL;
    CLEANUP(manifest_freep) struct manifest *second = NULL;
    CLEANUP(error_freep) struct error *error = manifest_parse((const char *)data, size, &first);
    if (error != NULL)
        return 0;
    check_names(first);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(buffer_done) struct buffer again = BUFFER_INIT;
    manifest_print(first, &text);
    error = manifest_parse(text.data, text.length_bytes, &second);
    if (error != NULL)
        abort();
    manifest_print(second, &again);
    if (strcmp(text.data, again.data) != 0)
        abort();
    error_free(manifest_check_version(first, "Ver 8.0.40 MySQL Community Server - GPL"));
    return 0;
}
