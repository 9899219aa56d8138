#include "agent/rpc/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#include "agent/base/memory.h"

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

enum { FIRST_BLOCK_BYTES = 1024, LARGEST_BLOCK_BYTES = 256 * 1024 };

static void *
allocator_alloc(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void
allocator_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

void
arena_init(struct arena *arena, size_t limit_bytes)
{
    *arena = (struct arena){.limit_bytes = limit_bytes,
                            .allocator = {allocator_alloc, allocator_free, arena}};
}

static struct arena_block *
arena_grow(struct arena *arena, size_t least)
{
    size_t size = arena->blocks == NULL ? FIRST_BLOCK_BYTES : arena->blocks->size * 2;
    if (size > LARGEST_BLOCK_BYTES)
        size = LARGEST_BLOCK_BYTES;
    if (size < least)
        size = least;
    size_t left = arena->limit_bytes - arena->used_bytes;
    if (size > left)
        size = least;
    if (size > left)
        return NULL;
    struct arena_block *block = xcalloc(1, sizeof(*block) + size);
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used_bytes += size;
    return block;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
    const size_t alignment = alignof(max_align_t);
    if (size > arena->limit_bytes) {
        arena->is_exhausted = true;
        return NULL;
    }
    size = (size + alignment - 1) & ~(alignment - 1);
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < size)
        block = arena_grow(arena, size);
    if (block == NULL) {
        arena->is_exhausted = true;
        return NULL;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

void
arena_done(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used_bytes = 0;
}
