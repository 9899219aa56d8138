/* Private to agent/rpc: memory for one decoded message, freed at once, with a limit in bytes (a few
 * bytes on the wire can ask for whole structs). Not thread-safe. */
#ifndef VTAGENT_RPC_ARENA_H
#define VTAGENT_RPC_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;          /* taken from the system */
    size_t limit_bytes;
    bool is_exhausted;            /* something did not fit */
    ProtobufCAllocator allocator; /* allocates here; NULL when the limit is reached */
};

void arena_init(struct arena *arena, size_t limit_bytes);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed; NULL when the limit is reached */
void arena_done(struct arena *arena);

#endif
