#include "agent/rpc/message.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <inttypes.h>
#include <stdlib.h>

#include "agent/base/memory.h"

struct error *
message_pack(const ProtobufCMessage *message, int64_t limit_bytes, grpc_byte_buffer **ret_buffer)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > (uint64_t)limit_bytes)
        return error_new(ERROR_RESOURCE_EXHAUSTED,
                         "%s of %zu bytes is larger than the limit of %" PRId64 " bytes",
                         message->descriptor->name, size, limit_bytes);
    grpc_slice slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    *ret_buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return NULL;
}

/* The buffer's bytes in one piece; the caller unrefs the slice. */
static struct error *
read_whole(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *descriptor,
           grpc_slice *ret_slice)
{
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return error_new(ERROR_INVALID_ARGUMENT, "%s cannot be decompressed", descriptor->name);
    *ret_slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return NULL;
}

struct error *
message_unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *descriptor,
               struct arena *arena, ProtobufCMessage **ret_message)
{
    grpc_slice slice;
    TRY(read_whole(buffer, descriptor, &slice));
    struct error *error = message_decode(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice),
                                         descriptor, arena, ret_message);
    grpc_slice_unref(slice);
    return error;
}

/* Answers come from peers we chose, but what they may make us allocate is bounded all the same. */
struct heap_budget {
    size_t used_bytes, limit_bytes;
};

static void *
heap_alloc(void *data, size_t size)
{
    struct heap_budget *budget = data;
    if (size > budget->limit_bytes - budget->used_bytes)
        return NULL;
    budget->used_bytes += size;
    return xcalloc(1, size);
}

static void
heap_free(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

struct error *
message_unpack_heap(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *descriptor,
                    ProtobufCMessage **ret_message)
{
    grpc_slice slice;
    TRY(read_whole(buffer, descriptor, &slice));
    struct heap_budget budget = {.limit_bytes = 16 * (size_t)MESSAGE_ARENA_BYTES};
    ProtobufCAllocator allocator = {heap_alloc, heap_free, &budget};
    size_t size = GRPC_SLICE_LENGTH(slice);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, size, GRPC_SLICE_START_PTR(slice));
    grpc_slice_unref(slice);
    if (message == NULL)
        return error_new(ERROR_INTERNAL, "malformed %s of %zu bytes from the peer",
                         descriptor->name, size);
    *ret_message = message;
    return NULL;
}
