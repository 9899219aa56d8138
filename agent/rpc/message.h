/* Private to agent/rpc (and the fuzz targets): protobuf-c messages to and from the core's buffers.
 */
#ifndef VTAGENT_RPC_MESSAGE_H
#define VTAGENT_RPC_MESSAGE_H

#include <grpc/byte_buffer.h>
#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/rpc/arena.h"

enum { MESSAGE_ARENA_BYTES = 64 * 1024 * 1024 };

/* RESOURCE_EXHAUSTED when larger than limit_bytes. Caller destroys the buffer. */
struct error *message_pack(const ProtobufCMessage *message, int64_t limit_bytes,
                           grpc_byte_buffer **ret_buffer) ERROR_MUST_CHECK;

/* Decodes into the arena. INVALID_ARGUMENT when malformed, RESOURCE_EXHAUSTED when it does not fit
 * the arena. */
struct error *message_decode(const uint8_t *data, size_t size,
                             const ProtobufCMessageDescriptor *descriptor, struct arena *arena,
                             ProtobufCMessage **ret_message) ERROR_MUST_CHECK;
struct error *message_unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *descriptor,
                             struct arena *arena, ProtobufCMessage **ret_message) ERROR_MUST_CHECK;
/* The same onto the heap, for clients: INTERNAL when malformed. Caller frees with
 * protobuf_c_message_free_unpacked(message, NULL). */
struct error *message_unpack_heap(grpc_byte_buffer *buffer,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  ProtobufCMessage **ret_message) ERROR_MUST_CHECK;

#endif
