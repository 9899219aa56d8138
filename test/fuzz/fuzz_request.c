// sources: agent/rpc/arena.c agent/rpc/decode.c agent/base/error.c agent/base/memory.c
// sources: build/proto/*.pb-c.c
/* A TabletManager request as it comes from the wire: the first byte picks the method, the second
 * how much memory it may take, the rest is the body. */
#include <stdlib.h>

#include "agent/rpc/decode.h"
#include "tabletmanagerservice.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCServiceDescriptor *service = &tabletmanagerservice__tablet_manager__descriptor;
    if (size < 2)
        return 0;
    struct arena arena;
    arena_init(&arena, data[1] == 0 ? MESSAGE_ARENA_BYTES : data[1] * (size_t)64);
    ProtobufCMessage *message = NULL;
    struct error *error = message_decode(
        data + 2, size - 2, service->methods[data[0] % service->n_methods].input, &arena, &message);
    if (error == NULL) {
        uint8_t *copy = malloc(protobuf_c_message_get_packed_size(message) + 1);
        protobuf_c_message_pack(message, copy);
        free(copy);
    }
    error_free(error);
    arena_done(&arena);
    return 0;
}
