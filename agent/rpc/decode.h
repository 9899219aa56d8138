/* Private to agent/rpc and its fuzz target: bytes from the wire into an arena. No gRPC here. */
#ifndef VTAGENT_RPC_DECODE_H
#define VTAGENT_RPC_DECODE_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/rpc/arena.h"

enum { MESSAGE_ARENA_BYTES = 64 * 1024 * 1024 };

/* Decodes into the arena. INVALID_ARGUMENT when malformed, RESOURCE_EXHAUSTED when it does not fit
 * the arena. */
struct error *message_decode(const uint8_t *data, size_t size,
                             const ProtobufCMessageDescriptor *descriptor, struct arena *arena,
                             ProtobufCMessage **ret_message) ERROR_MUST_CHECK;

#endif
