/* A shard of 100,000 tables: what its MANIFEST costs in time and memory, and where a hostile one
 * ends. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "backup/manifest.h"

#define ENTRIES 100000

static long
peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static double
cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct manifest *
large_manifest(void)
{
    struct manifest *manifest = manifest_new();
    manifest->has_vtagent_details = true;
    manifest_set_entry_count(manifest, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++) {
        struct manifest_entry *entry = &manifest->entries[i];
        entry->base = xstrdup("Data");
        entry->name = xasprintf("vt_commerce/customers_of_the_year_%06zu.ibd", i);
        entry->hash = xstrdup("0123abcd");
        entry->has_details = true;
        entry->plain_bytes = 114688;
        entry->stored_bytes = 7000 + i;
    }
    return manifest;
}

Test(manifest_large, of_100000_files_is_read_in_little_time_and_memory)
{
    struct manifest *manifest = large_manifest(), *again;
    struct buffer text = BUFFER_INIT;
    manifest_print(manifest, &text);
    long before = peak_kilobytes();
    double start = cpu_seconds();
    cr_assert_null(manifest_parse(text.data, text.length_bytes, &again));
    double taken = cpu_seconds() - start;
    long grown = (peak_kilobytes() - before) / 1024;
    fprintf(stderr, "%zu bytes: %.2f s, %ld MB\n", text.length_bytes, taken, grown);
    cr_assert_eq(again->entry_count, ENTRIES);
    cr_assert_str_eq(again->entries[ENTRIES - 1].name, manifest->entries[ENTRIES - 1].name);
    manifest_free(again);
    manifest_free(manifest);
    buffer_done(&text);
#ifndef VTAGENT_DEBUG
    cr_assert(taken < 2);
    cr_assert(grown < 40);
#endif
}
