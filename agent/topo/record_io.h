/* Messages as files; private to the folder. */
#ifndef VTAGENT_TOPO_RECORD_IO_H
#define VTAGENT_TOPO_RECORD_IO_H

#include "agent/topo/records.h"

/* NOT_FOUND when there is no such file; DATA_LOSS when it cannot be decoded. `ret_message` points
 * to a pointer of the descriptor's type; `ret_version` may be NULL. */
struct error *record_read(struct topo_conn *conn, struct cancel *cancel, const char *path,
                          const ProtobufCMessageDescriptor *descriptor, void *ret_message,
                          int64_t *ret_version) ERROR_MUST_CHECK;
struct error *record_decode(const char *path, const struct topo_value *value,
                            const ProtobufCMessageDescriptor *descriptor,
                            void *ret_message) ERROR_MUST_CHECK;
struct error *record_create(struct topo_conn *conn, struct cancel *cancel, const char *path,
                            const ProtobufCMessage *message) ERROR_MUST_CHECK;
struct error *record_write(struct topo_conn *conn, struct cancel *cancel, const char *path,
                           const ProtobufCMessage *message, int64_t version) ERROR_MUST_CHECK;

/* Read, change, write, again when somebody else wrote in between. A missing file is NOT_FOUND, or
 * starts from an empty message when may_create. */
typedef bool (*record_change)(ProtobufCMessage *message, void *data);
struct error *record_change_loop(struct topo_conn *conn, struct cancel *cancel, const char *path,
                                 const ProtobufCMessageDescriptor *descriptor, bool may_create,
                                 record_change change, void *data) ERROR_MUST_CHECK;

/* Replaces the text of a NOT_FOUND error by one that names things as a person does. */
struct error *record_name_missing(struct error *take_error, const char *format, ...)
    __attribute__((format(printf, 2, 3))) ERROR_MUST_CHECK;
/* NOT_FOUND becomes success. */
struct error *record_ignore_missing(struct error *take_error) ERROR_MUST_CHECK;

#endif
