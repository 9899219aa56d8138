/* Holes cost neither reading, nor compressing, nor writing; their bytes are zeros all the same. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

#ifdef VTAGENT_DEBUG
#define HOLE_BYTES (64ull << 20)
#else
#define HOLE_BYTES (1ull << 30)
#endif
#define ISLAND "an island"

static struct backup_directories source;

static double
cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Data in the first chunk, somewhere in the middle, and nothing at the end. */
static void
make_sparse(const char *name)
{
    fixture_write(name, ISLAND);
    char *path = fixture_path(name);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert(descriptor >= 0);
    cr_assert_eq(pwrite(descriptor, ISLAND, strlen(ISLAND), HOLE_BYTES / 2 + 5),
                 (ssize_t)strlen(ISLAND));
    cr_assert_eq(ftruncate(descriptor, HOLE_BYTES + 12345), 0);
    close(descriptor);
    freep(&path);
}

static void
open_server(void)
{
    fixture_open();
    fixture_make_server("s", &source);
    make_sparse("s/data/vt_ks/hole.MYD");
}

static void
close_server(void)
{
    backup_directories_done(&source);
    fixture_close();
}

static bool
reads(int descriptor, uint64_t offset, const char *expected, size_t size)
{
    char found[64];
    return pread(descriptor, found, size, (off_t)offset) == (ssize_t)size &&
           memcmp(found, expected, size) == 0;
}

static void
expect_same_file(const char *path)
{
    static const char nothing[32];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(descriptor >= 0);
    cr_assert_eq(lseek(descriptor, 0, SEEK_END), (off_t)(HOLE_BYTES + 12345));
    cr_assert(reads(descriptor, 0, ISLAND, strlen(ISLAND)));
    cr_assert(reads(descriptor, HOLE_BYTES / 2 + 5, ISLAND, strlen(ISLAND)));
    cr_assert(reads(descriptor, HOLE_BYTES / 4, nothing, sizeof(nothing)));
    cr_assert(reads(descriptor, HOLE_BYTES + 12345 - 32, nothing, sizeof(nothing)));
    close(descriptor);
}

static void
round_trip(const char *compression)
{
    struct backup_directories target;
    struct storage *storage = storage_memory_new();
    struct backup_take_options options = fixture_take_options();
    const struct restore_options restore = {.concurrency = 2};
    struct manifest *manifest;
    char *name;
    options.compression = compression;
    double start = cpu_seconds();
    cr_assert_null(backup_take(storage, &source, &options, NULL, &name));
    double taken = cpu_seconds() - start;
    cr_assert_null(restore_open(storage, "ks", "-80", name, NULL, &manifest));
    fixture_make_server("t", &target);
    /* What lies there from before must not show through. */
    fixture_write_noise("t/data/vt_ks/hole.MYD", HOLE_BYTES / 64, 77);
    char *path = fixture_path("t/data/vt_ks/hole.MYD");
    cr_assert_eq(truncate(path, 2 * HOLE_BYTES), 0);
    start = cpu_seconds();
    cr_assert_null(restore_copy(storage, manifest, &target, &restore, NULL));
    double restored = cpu_seconds() - start;
    expect_same_file(path);
    fprintf(stderr, "%s: %.2f s to take, %.2f s to restore\n", compression, taken, restored);
#ifndef VTAGENT_DEBUG
    cr_assert(taken < 1.5);
    cr_assert(restored < 3);
#endif
    cr_assert_eq(unlink(path), 0);
    freep(&path);
    freep(&name);
    manifest_free(manifest);
    storage_free(storage);
    backup_directories_done(&target);
}

Test(sparse, a_hole_is_restored_as_zeros_and_costs_little, .init = open_server,
     .fini = close_server)
{
    round_trip("pgzip");
    round_trip("zstd");
    round_trip("lz4");
}
