/* The disk: can a few bytes be written and made durable. On a file system that is frozen, or a
 * mount that hangs, the thread hangs: the facts say since when. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/health/probe.h"

#define FILE_NAME ".vtagent-disk-probe"

static int64_t
interval_of(const struct health_options *options)
{
    return str_is_empty(options->disk_directory) ? 0 : options->disk_interval_ms;
}

static void
prepare(void *state, struct health_facts *facts, int64_t now_ms)
{
    (void)state;
    facts->disk.write_started_ms = now_ms;
}

static struct error *
write_once(const char *path)
{
    char text[32];
    CLEANUP(closep) int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return error_from_errno(errno, "open '%s'", path);
    int length = snprintf(text, sizeof(text), "%020lld\n", (long long)clock_wall_ns());
    TRY(file_write_all(descriptor, text, (size_t)length, path));
    if (fsync(descriptor) != 0)
        return error_from_errno(errno, "fsync of '%s'", path);
    return NULL;
}

static void
ask(void *state, const struct health_options *options, struct health_facts *answer)
{
    (void)state;
    int64_t start_ms = clock_monotonic_ms();
    CLEANUP(freep) char *path = xasprintf("%s/" FILE_NAME, options->disk_directory);
    CLEANUP(error_freep) struct error *error = write_once(path);
    answer->disk.written_ms = clock_monotonic_ms();
    answer->disk.write_duration_ms = answer->disk.written_ms - start_ms;
    /* A full disk is told by its free space; a folder that is not there yet has no disk to judge.
     */
    if (error != NULL && !error_is(error, ERROR_RESOURCE_EXHAUSTED) &&
        file_exists(options->disk_directory))
        snprintf(answer->disk.write_error, sizeof(answer->disk.write_error), "%s", error->message);
}

static void
store(struct health_facts *facts, struct health_facts *answer)
{
    facts->disk.written_ms = answer->disk.written_ms;
    facts->disk.write_duration_ms = answer->disk.write_duration_ms;
    facts->disk.write_started_ms = 0;
    memcpy(facts->disk.write_error, answer->disk.write_error, sizeof(facts->disk.write_error));
}

const struct probe_kind probe_disk = {
    .name = "disk",
    .interval_ms = interval_of,
    .prepare = prepare,
    .ask = ask,
    .store = store,
};
