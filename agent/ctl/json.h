/* Protobuf messages as JSON text, with the names of the .proto files, 64-bit numbers as texts, enum
 * values by name, unset fields included: what Vitess's tools print. */
#ifndef VTAGENT_CTL_JSON_H
#define VTAGENT_CTL_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "agent/base/buffer.h"

/* Appends the message, its lines after the first indented by `indent` blanks. NULL: null. */
void json_append_message(struct buffer *json, const ProtobufCMessage *message, int indent);
/* Base64 of bytes, in quotes. */
void json_append_bytes(struct buffer *json, const ProtobufCBinaryData *bytes);

#endif
