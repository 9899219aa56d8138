/* Replication structs to protobuf messages. Nothing undecodable leaves here: a malformed position
 * or uuid brings down the program that reads it. */
#ifndef VTAGENT_HANDLERS_CONVERT_H
#define VTAGENT_HANDLERS_CONVERT_H

#include "replication/status.h"
#include "replicationdata.pb-c.h"

/* New messages, owned by the caller. */
Replicationdata__Status *convert_replication_status(const struct replication_status *status);
Replicationdata__PrimaryStatus *convert_primary_status(const struct primary_status *status);
/* Without the tablet's own fields (type, disk_stalled, semi_sync_blocked, backup_running). */
Replicationdata__FullStatus *convert_full_status(const struct full_status *status);
/* Semi-sync's fields 26-29. */
void convert_semi_sync_flags(const struct full_status *flags, Replicationdata__Status *message);

/* Texts as they may be sent; caller frees. What is malformed becomes "". */
char *convert_position(const struct position *position);
char *convert_file_position(const char *text); /* "FilePos/<file>:<offset>" */
char *convert_uuid(const char *text);
/* "10.11.19" of "10.11.19-MariaDB-0+deb12u1-log". */
char *convert_version(const char *text);

#endif
