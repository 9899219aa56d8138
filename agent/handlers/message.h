/* Building protobuf messages on the heap, for protobuf_c_message_free_unpacked(). */
#ifndef VTAGENT_HANDLERS_MESSAGE_H
#define VTAGENT_HANDLERS_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "agent/base/memory.h"
#include "vttime.pb-c.h"

/* An empty message. */
void *message_new(const ProtobufCMessageDescriptor *descriptor);
/* A deep copy. */
void *message_copy(const ProtobufCMessage *message);
/* A string field: a copy; NULL gives "". Bytes that are not UTF-8 become '?', because readers
 * refuse a whole message for one of them. */
char *message_text(const char *text);
/* Bytes of a request as text; caller frees. Ends at the first NUL. */
char *message_bytes_text(const ProtobufCBinaryData *bytes);
/* Repeated string. */
void message_texts(const struct strv *texts, size_t *ret_count, char ***ret_items);
Vttime__Time *message_time(int64_t wall_ns);
int64_t message_time_ns(const Vttime__Time *time); /* NULL: 0 */
/* NULL: 0. Beyond what google.protobuf.Duration allows (10,000 years): the nearest allowed. */
int64_t message_duration_ms(const Vttime__Duration *duration);

/* A map<string,string> of any message: `count` entries of `descriptor` whose layout is that of
 * struct message_map_entry. */
struct message_map_entry {
    ProtobufCMessage base;
    char *key, *value;
};
void message_map_add(const ProtobufCMessageDescriptor *descriptor, size_t *count, void *entries,
                     const char *key, const char *value);
/* Appends to a repeated message field (`items` is the address of its array). */
void message_append(size_t *count, void *items, void *take_message);

#endif
