/* Can backups be written, and can this server be backed up? One table of rows answers before each
 * backup, and tells all of it to 'vtagent doctor'. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/job/worker_private.h"
#include "backup/files.h"
#include "backup/list.h"
#include "backup/mount.h"
#include "backup/storage_check.h"

struct server_subject {
    struct job_worker *worker;
    uint64_t data_bytes, stored_bytes;
};

/* ---- The server's files ---- */

static struct error *
select_files(struct server_subject *subject, size_t *ret_count)
{
    struct job_worker *worker = subject->worker;
    CLEANUP(backup_files_done) struct backup_files files = {.items = NULL};
    if (worker->directories.data == NULL)
        TRY(backup_directories_read(worker->options->mycnf, &worker->directories));
    TRY(backup_directories_check(&worker->directories));
    TRY(backup_files_select(&worker->directories, &files));
    subject->data_bytes = files.total_bytes;
    *ret_count = files.count;
    return NULL;
}

static void
check_files(void *data, struct cancel *cancel, struct check_result *result)
{
    struct server_subject *subject = data;
    size_t count = 0;
    (void)cancel;
    struct error *error = select_files(subject, &count);
    if (error == NULL)
        check_ok(result, "%zu files, %llu MB in '%s'", count,
                 (unsigned long long)(subject->data_bytes >> 20),
                 subject->worker->directories.data);
    else
        check_fail(result, error, "run it as the user that mysqld runs as, beside its data");
}

static void
check_data_mount(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct server_subject *subject = data;
    CLEANUP(mount_done) struct mount mount = {.folder = NULL};
    CLEANUP(freep) char *real = realpath(subject->worker->directories.data, NULL);
    (void)cancel;
    struct error *error =
        mount_find(real != NULL ? real : subject->worker->directories.data, &mount);
    if (error != NULL)
        check_fail(result, error, "");
    else if (mount_has_option(&mount, "ro"))
        check_warn(result, "remount it read-write; see the kernel's log for the reason",
                   "'%s' (%s of %s) is mounted read-only", mount.folder, mount.type, mount.source);
    else if (mount_is_network(&mount))
        check_warn(result, "keep a database's files on a disk of its machine", "'%s' is %s of %s",
                   mount.folder, mount.type, mount.source);
    else
        check_ok(result, "'%s' is %s of %s (%s)", mount.folder, mount.type, mount.source,
                 mount.options);
}

/* Two files that never had a name. */
static struct error *
share_block(const char *folder)
{
    char block[4096] = {1};
    CLEANUP(closep) int from = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CLEANUP(closep) int to = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return error_from_errno(errno, "make a temporary file in '%s'", folder);
    if (write(from, block, sizeof(block)) != (ssize_t)sizeof(block))
        return error_from_errno(errno, "write a temporary file in '%s'", folder);
    if (ioctl(to, FICLONE, from) != 0)
        return error_from_errno(errno, "share a block between two files in '%s'", folder);
    return NULL;
}

static void
check_reflinks(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct server_subject *subject = data;
    const char *folder = subject->worker->directories.data;
    (void)cancel;
    CLEANUP(error_freep) struct error *error = share_block(folder);
    if (error == NULL)
        check_ok(result, "'%s' has reflinks: a backup pauses mysqld for milliseconds", folder);
    else
        check_warn(result,
                   "put the data on XFS with reflink=1 or btrfs to take backups while it serves",
                   "no reflinks, so mysqld is stopped for each backup (%s)", error->message);
}

/* ---- The backups that there are ---- */

static struct error *
read_newest(struct server_subject *subject, struct cancel *cancel, int64_t *ret_time_ns)
{
    struct job_worker *worker = subject->worker;
    const struct worker_options *in = worker->options;
    CLEANUP(backup_list_done) struct backup_list list = {.items = NULL};
    TRY(backup_list_read(worker->storage, in->keyspace, in->shard, NEWEST_LOOKED_AT, cancel,
                         &list));
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].state != BACKUP_COMPLETE)
            continue;
        *ret_time_ns = list.items[i].time_ns;
        subject->stored_bytes = list.items[i].stored_bytes;
    }
    CLEANUP(freep) char *text = xasprintf("%lld", (long long)*ret_time_ns);
    worker_output_result(worker->output, "complete_ns", text);
    return NULL;
}

static void
check_backups(void *data, struct cancel *cancel, struct check_result *result)
{
    struct server_subject *subject = data;
    int64_t time_ns = 0;
    struct error *error = read_newest(subject, cancel, &time_ns);
    if (error_is(error, ERROR_NOT_FOUND) || (error == NULL && time_ns == 0)) {
        error_free(error);
        check_warn(result, "take one: 'vtagent ctl Backup'", "there is no complete backup of '%s'",
                   subject->worker->directory);
    } else if (error != NULL) {
        check_fail(result, error, "");
    } else {
        check_ok(result, "the newest complete one is %.1f h old, %llu MB",
                 (double)(clock_wall_ns() - time_ns) / 3.6e12,
                 (unsigned long long)(subject->stored_bytes >> 20));
    }
}

static const struct check server_rows[] = {
    {"data-files", NULL, false, check_files},
    {"data-mount", "data-files", false, check_data_mount},
    {"data-reflinks", "data-files", true, check_reflinks},
};
static const struct check_table server_checks = {server_rows, ARRAY_LENGTH(server_rows)};
static const struct check backup_rows[] = {{"backups", NULL, true, check_backups}};
static const struct check_table backup_checks = {backup_rows, ARRAY_LENGTH(backup_rows)};

/* ---- Both uses ---- */

static void
run_storage_checks(struct server_subject *subject, bool with_advice, check_report report,
                   void *data)
{
    struct job_worker *worker = subject->worker;
    struct cancel *cancel = worker->output->cancel;
    check_run(&backup_checks, subject, with_advice, cancel, report, data);
    const struct storage_subject about = {.storage = worker->storage,
                                          .directory = worker->directory,
                                          .data_bytes = subject->data_bytes,
                                          .stored_bytes = subject->stored_bytes};
    storage_check_run(&about, with_advice, cancel, report, data);
}

struct preflight {
    const struct worker_output *output;
    struct error *error;
};

static void
note(const char *name, const struct check_result *result, void *data)
{
    struct preflight *preflight = data;
    if (result->verdict == CHECK_FAILED && preflight->error == NULL)
        preflight->error = error_copy(result->error);
    if (result->verdict != CHECK_WARNING)
        return;
    CLEANUP(freep) char *text = xasprintf("%s: %s: %s", name, result->seen, result->advice);
    worker_output_log(preflight->output, LINE_WARNING, text);
}

struct error *
worker_check_storage(struct job_worker *worker)
{
    struct server_subject subject = {.worker = worker};
    struct preflight preflight = {.output = worker->output};
    check_run(&server_checks, &subject, false, worker->output->cancel, note, &preflight);
    if (preflight.error == NULL)
        run_storage_checks(&subject, false, note, &preflight);
    return error_first(preflight.error, cancel_check(worker->output->cancel));
}

static void
tell(const char *name, const struct check_result *result, void *data)
{
    worker_output_check(data, name, result);
}

static void
tell_open(struct job_worker *worker, struct error *take_error)
{
    struct check_result result = {.verdict = CHECK_SKIPPED};
    if (take_error == NULL)
        check_ok(&result, "'%s' can be opened", worker->options->storage_implementation);
    else
        check_fail(&result, take_error, "");
    worker_output_check(worker->output, "storage-open", &result);
    check_result_done(&result);
}

/* Who reads our caller's output to its end must not wait for us, should the kernel hold us. */
static void
leave_stderr(void)
{
    CLEANUP(closep) int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        (void)dup2(nowhere, STDERR_FILENO);
}

struct error *
worker_doctor(struct job_worker *worker)
{
    leave_stderr();
    struct server_subject subject = {.worker = worker};
    void *output = (void *)(uintptr_t)worker->output; /* const, and only read */
    check_run(&server_checks, &subject, true, worker->output->cancel, tell, output);
    tell_open(worker, worker_open_storage(worker, true));
    if (worker->storage != NULL)
        run_storage_checks(&subject, true, tell, output);
    return NULL;
}
