/* What the agent tells a worker, as command line. One struct for both sides: the agent prints it,
 * the worker parses it. */
#ifndef VTAGENT_JOB_WORKER_OPTIONS_H
#define VTAGENT_JOB_WORKER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"

/* Modes: what a worker does, and the results it reports (and memory_bytes, its peak).
 *   check-storage      can backups be written, and can this server be backed up?
 *   doctor             the same, every row told; complete_ns: of the newest backup
 *   backup             name
 *   publish            reads the backup `name` back, as `verify` says, and completes it with its
 *                      `draft`; a bad one is removed
 *   open               can the storage be opened?
 *   open-read          the same, for reading only
 *   look               `backup` for each of the newest (backup_line.h), and the newest complete
 *                      one's name, unless that is `name` already
 *   find               the backup `name`, "": the newest complete one: name, position, version
 *   read-back          the backup `name`, as `verify` says
 *   scratch-check      can the backup `name` be restored into the empty `image`?
 *   record             a verdict on the backup `name`: `verify` says how, `problem` what was found
 *   remove-incomplete  removes the backup `name` unless it has a MANIFEST
 *   restore-check      chooses and checks: name, position, version, same_version (yes, no)
 *   restore-match      reads the present data and what differs from it in the backup `name`;
 *                      what is right goes to `kept`
 *   restore-wipe       deletes the server's data; with `name` all but what that backup may keep
 *   restore-copy       copies the backup `name`, or what differs (keeps_matching): plain_bytes,
 *                      kept_bytes */
struct worker_options {
    char *mode;
    char *storage_implementation, *file_root, *gcs_bucket, *gcs_root;
    char *keyspace, *shard, *alias, *mycnf, *name;
    char *position, *purged_position, *server_uuid, *mysql_version, *hostname, *compression;
    char *image, *state, *proof; /* backup: the folder of an image instead of the server's files */
    int64_t unavailable_ms;
    int64_t compression_level, concurrency, start_time_ns, not_after_ns;
    bool is_upgrade_safe, allows_corrupt_pages, keeps_matching;
    char *progress; /* backup: a local file for what is stored already */
    char *draft;    /* backup: a local file for the MANIFEST; publish */
    bool resumes;   /* what an earlier worker had begun; resumed_bytes */
    char *
        verify; /* "size", "full"; publish: or "none"; restore-check: "full" reads the backup too */
    char *kept; /* restore-match, restore-copy: a local file */
    char *problem; /* of record; "": none */
    int64_t chunk_bytes, max_memory_bytes, rate_bytes_per_second;
    int64_t storage_timeout_ms; /* 0: none */
};

/* "/proc/self/exe", "job", and one word per option that is set. */
void worker_options_print(const struct worker_options *options, struct strv *argv);
/* argv[0] is skipped. The caller ends it with worker_options_done. */
struct error *worker_options_parse(int argc, char *const *argv,
                                   struct worker_options *ret_options) ERROR_MUST_CHECK;
void worker_options_done(struct worker_options *options);

#endif
