/* Private to agent/rpc: protobuf-c messages to and from the core's buffers.
 */
#ifndef VTAGENT_RPC_MESSAGE_H
#define VTAGENT_RPC_MESSAGE_H

#include <grpc/byte_buffer.h>
#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/rpc/decode.h"

/* RESOURCE_EXHAUSTED when larger than limit_bytes. Caller destroys the buffer. */
struct error *message_pack(const ProtobufCMessage *message, int64_t limit_bytes,
                           grpc_byte_buffer **ret_buffer) ERROR_MUST_CHECK;

/* message_decode() of a whole buffer. */
struct error *message_unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *descriptor,
                             struct arena *arena, ProtobufCMessage **ret_message) ERROR_MUST_CHECK;
/* The same onto the heap, for clients: INTERNAL when malformed. Caller frees with
 * protobuf_c_message_free_unpacked(message, NULL). */
struct error *message_unpack_heap(grpc_byte_buffer *buffer,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  ProtobufCMessage **ret_message) ERROR_MUST_CHECK;

#endif
