/* Long jobs of the tablet: one child process each, because a storage that hangs can be abandoned
 * only with its process. A journal file beside the data answers a crash at the next start. */
#ifndef VTAGENT_JOB_JOB_H
#define VTAGENT_JOB_JOB_H

#include "agent/tablet/tablet.h"

/* Backup and restore as child processes (`vtagent job`). Called on the action thread; lines go to
 * on_line as they come (level: logutil.Level's numbers). Cancel ends the child. Whatever happens,
 * mysqld is back in service, the type is what it was and replication resumed when they return. */
typedef void (*job_line_function)(int level, const char *text, void *data);
struct backup_request {
    int concurrency;
    bool allows_primary, is_upgrade_safe;
    const char *engine;           /* NULL: ours */
    const char *incremental_from; /* "" for full */
    int64_t mysql_shutdown_timeout_ms;
};
struct error *job_backup(struct tablet_context *context, struct cancel *cancel,
                         const struct backup_request *request, job_line_function on_line,
                         void *data) ERROR_MUST_CHECK;
struct restore_request {
    int64_t backup_time_ns; /* 0: latest */
    bool is_dry_run;
};
struct error *job_restore(struct tablet_context *context, struct cancel *cancel,
                          const struct restore_request *request, job_line_function on_line,
                          void *data) ERROR_MUST_CHECK;

/* `vtagent job …` (internal): the child's main. Exit code of the process. */
int job_main(int argc, char **argv);

#endif
