#include "agent/rpc/decode.h"

struct error *
message_decode(const uint8_t *data, size_t size, const ProtobufCMessageDescriptor *descriptor,
               struct arena *arena, ProtobufCMessage **ret_message)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &arena->allocator, size, data);
    if (message != NULL) {
        *ret_message = message;
        return NULL;
    }
    if (arena->is_exhausted)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "%s of %zu bytes needs more than %zu bytes",
                         descriptor->name, size, arena->limit_bytes);
    return error_new(ERROR_INVALID_ARGUMENT, "malformed %s of %zu bytes", descriptor->name, size);
}
