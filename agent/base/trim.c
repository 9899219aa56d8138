#include "agent/base/trim.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/base/memory.h"

#ifndef VTAGENT_DEBUG /* sanitizers patch code */
/* Code mappings only: they are never written, not even by the loader's relocations. */
static void
release_code(const char *line)
{
    unsigned long start, end;
    char rights[5], path[256];
    if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %255s", &start, &end, rights, path) != 4)
        return;
    if (strcmp(rights, "r-xp") == 0 && path[0] == '/')
        madvise((void *)(uintptr_t)start, end - start, MADV_DONTNEED);
}

static void
release_all_code(void)
{
    CLEANUP(fclosep) FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
        release_code(line);
}
#else
static void
release_all_code(void)
{
}
#endif

void
trim_memory(void)
{
    malloc_trim(0);
    release_all_code();
}
